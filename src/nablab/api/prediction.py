"""What a trained model says about pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab.api.records import single_run
from nablab.api.sheet import Sheet, as_text
from nablab.atomic import write_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.runs.record import RunRecord

Scorer = Callable[[NDArray[np.float32]], NDArray[np.float32]]

#: Classes that are shown for each picture.
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for pictures. Shows itself in a terminal and in a notebook.

    Attributes:
        paths: of the N pictures.
        classes: the K names.
        scores: (N, K) float32; `score_kind` says what they are.
        probabilities: (N, K), or None for margins.
        score_kind: logits, probabilities or margins.
    """

    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None
    score_kind: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The class of the largest score of each picture."""
        return tuple(self.classes[k] for k in self.scores.argmax(axis=1))

    def records(self) -> list[dict[str, Any]]:
        """A dictionary a picture: path, prediction, and each class's probability (or margin)."""
        values = self.scores if self.probabilities is None else self.probabilities
        return [
            {"picture": str(path), "prediction": label}
            | {name: float(value) for name, value in zip(self.classes, row, strict=True)}
            for path, label, row in zip(self.paths, self.labels, values, strict=True)
        ]

    def to_csv(self) -> str:
        """As `records`, as comma-separated values."""
        page = StringIO()
        writer = csv.DictWriter(page, ["picture", "prediction", *self.classes], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records())
        return page.getvalue()

    def csv(self, path: str | Path) -> Path:
        """Write `to_csv` to a file; returns its path.

        Raises:
            NablabError: it cannot be written.
        """
        write_text(path, self.to_csv())
        return Path(path)

    def sheet(self) -> Sheet:
        """A row a picture: its class, and the next ones."""
        shown = min(SHOWN, len(self.classes))
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, :shown]
        rows = tuple(
            (str(path), *(self._said(i, int(k)) for k in best))
            for i, (path, best) in enumerate(zip(self.paths, order, strict=True))
        )
        return Sheet(("picture", "prediction", "or", "or else")[: shown + 1], rows)

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()

    def _said(self, i: int, k: int) -> str:
        if self.probabilities is None:
            return f"{self.classes[k]} ({self.scores[i, k]:+.2f})"
        return f"{self.classes[k]} {words.percent(float(self.probabilities[i, k]))}"


def predict(run: str | Path, *pictures: str | Path) -> Predictions:
    """What the model of a run says about pictures.

    Pictures are brought to the size and colours that it was trained on, and scaled as its training images
    were. Nothing else is done to them: a dark thing on white is not what a network trained on the opposite
    expects.

    Args:
        run: the folder of one run.
        pictures: files, and folders whose pictures are all taken.

    Raises:
        UserError: no finished run, no pictures, a picture that cannot be read, a model of features; a
            user's model file that is gone or has changed.
    """
    from nablab.analysis.metrics import probabilities
    from nablab.data.preprocess import Preprocessing
    from nablab.runs.store import RunFolder

    folder = single_run(run)
    record = RunFolder(folder).record()
    if record.status != "done":
        raise UserError(f"{folder} has not finished (it is {record.status}); choose a finished run")
    paths = _picture_files(pictures)
    x = _read(paths, record)
    score = _scorer(folder, record)
    prepared = Preprocessing.from_dict(record.preprocessing).apply(x)
    scores = np.concatenate([score(prepared[i : i + 256]) for i in range(0, len(prepared), 256)])
    kind = record.model.score_kind
    return Predictions(paths, record.data.classes, scores, probabilities(scores, kind), kind)


def _picture_files(pictures: Sequence[str | Path]) -> tuple[Path, ...]:
    from nablab.data.sources.picture import is_picture_name

    if not pictures:
        raise UserError("no pictures; name at least one picture or folder")
    files: list[Path] = []
    for picture in map(Path, pictures):
        if picture.is_dir():
            found = sorted(p for p in picture.rglob("*") if p.is_file() and is_picture_name(p))
            if not found:
                raise UserError(f"{picture} holds no picture")
            files += found
        elif picture.is_file():
            files.append(picture)
        else:
            raise UserError(f"no file or folder {picture}")
    return tuple(files)


def _read(paths: Sequence[Path], record: RunRecord) -> NDArray[np.float32]:
    """The pictures (N, C, H, W) with values as in the data that the run was trained on."""
    from nablab.data.sources.picture import Color, read_picture

    shape, (low, high) = record.data.input_shape, record.data.value_range
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UserError(f"{record.id} was trained on {record.data.name}, and that is not pictures")
    color: Color = "grey" if shape[0] == 1 else "rgb"
    size = shape[1] if shape[1] == shape[2] else None
    images = np.empty((len(paths), *shape), np.float32)
    for row, path in enumerate(paths):
        pixels = read_picture(path, size, color)
        if pixels.shape != shape:
            raise UserError(
                f"{path} is {pixels.shape[2]}x{pixels.shape[1]}; this model takes {shape[2]}x{shape[1]}"
            )
        images[row] = pixels
    return images if (low, high) == (0.0, 255.0) else low + images * np.float32((high - low) / 255)


def _scorer(folder: Path, record: RunRecord) -> Scorer:
    """The trained model as a function of preprocessed images."""
    if record.model.kind == "estimator":
        from nablab.runs.estimator_file import read_estimator
        from nablab.training.estimator_fit import FittedEstimator

        estimator = read_estimator(folder, record)
        return FittedEstimator(
            estimator, record.model.score_kind, len(record.data.classes), fit_seconds=0.0, threads=0
        ).scores
    return _network(folder, record)


def _network(folder: Path, record: RunRecord) -> Scorer:
    import torch

    from nablab.runs.store import RunFolder
    from nablab.training.tensors import copy_in, tensors_of, to_array

    module = _module(record).eval()
    copy_in(tensors_of(module), RunFolder(folder).weights())

    def scores(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return to_array(module(torch.from_numpy(x)).float())

    return scores


def _module(record: RunRecord) -> Any:
    """The module of a run with weights that are not yet its own.

    Raises:
        UserError: it was a live class of a Python session, or its file has changed.
    """
    shape, classes = record.data.input_shape, len(record.data.classes)
    if record.model.spec is not None:
        from nablab.models.language import parse
        from nablab.models.torch_net import build

        return build(parse(record.model.spec), shape, classes)
    from nablab.models.reference import resolve

    if record.model.source_file is None:
        raise UserError(
            f"{record.model.label} was a class of a Python session, which a record cannot hold; "
            f"load its weights there: nablab.show_run(folder).weights()"
        )
    model = resolve(record.model.reference)
    now = None if model.source_file is None else model.source_file.sha256
    if now != record.model.source_file.sha256 or model.factory is None:
        raise UserError(f"{record.model.source_file.path} has changed since {record.id} was trained")
    return model.factory(shape, classes)
