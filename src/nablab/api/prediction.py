"""What a trained model says about pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab.api.paths import as_path
from nablab.api.records import single_run
from nablab.api.sheet import Sheet, as_text
from nablab.atomic import write_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.runs.record import RunRecord

#: Classes that are shown for each picture.
SHOWN = 3
#: Pictures that are in memory at a time.
_AT_ONCE = 256


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
        """A dictionary a picture: path, prediction, and each class's probability (or margin).

        A class that is itself called picture or prediction is `picture (class)` there.
        """
        values = self.scores if self.probabilities is None else self.probabilities
        return [
            {"picture": str(path), "prediction": label}
            | {name: float(value) for name, value in zip(self._columns, row, strict=True)}
            for path, label, row in zip(self.paths, self.labels, values, strict=True)
        ]

    def to_csv(self) -> str:
        """As `records`, as comma-separated values."""
        page = StringIO()
        writer = csv.DictWriter(page, ["picture", "prediction", *self._columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records())
        return page.getvalue()

    def csv(self, path: str | Path) -> Path:
        """Write `to_csv` to a file; returns its path.

        Raises:
            NablabError: it cannot be written.
        """
        path = as_path(path, "the file to write,")
        write_text(path, self.to_csv())
        return path

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

    @property
    def _columns(self) -> list[str]:
        return [f"{name} (class)" if name in ("picture", "prediction") else name for name in self.classes]

    def _said(self, i: int, k: int) -> str:
        if self.probabilities is None:
            return f"{self.classes[k]} ({self.scores[i, k]:+.2f})"
        return f"{self.classes[k]} {words.percent(float(self.probabilities[i, k]))}"


def predict(run: str | Path, *pictures: str | Path, model: Any = None, progress: bool = False) -> Predictions:
    """What the model of a run says about pictures.

    Pictures are brought to the size and colours that it was trained on, and scaled as its training images
    were. Nothing else is done to them: a dark thing on white is not what a network trained on the opposite
    expects.

    Args:
        run: the folder of one run.
        pictures: files, and folders whose pictures are all taken.
        model: the class or object that was trained, where it lives in a Python session.
        progress: shows a bar, where there are more than a few hundred pictures.

    Raises:
        UserError: no finished run, no pictures, a picture that cannot be read, a model of features; a
            user's model file that is gone or has changed.
    """
    from nablab.analysis.metrics import probabilities
    from nablab.api.progress import work_bars
    from nablab.models.reference import resolve
    from nablab.runs.predict import load_predictor

    live = None if model is None else resolve(model)
    predictor = load_predictor(single_run(run), model=live)
    paths = _picture_files(pictures)
    found = []
    with work_bars(show=progress and len(paths) > _AT_ONCE) as tell:
        for start in range(0, len(paths), _AT_ONCE):
            if tell is not None:
                tell("pictures", start, len(paths))
            found.append(predictor.scores(_read(paths[start : start + _AT_ONCE], predictor.record)))
    scores, kind = np.concatenate(found), predictor.score_kind
    return Predictions(paths, predictor.classes, scores, probabilities(scores, kind), kind)


def _picture_files(pictures: Sequence[str | Path]) -> tuple[Path, ...]:
    from nablab.data.sources.picture import is_picture_name

    if not pictures:
        raise UserError("no pictures; name at least one picture or folder")
    files: list[Path] = []
    for picture in map(_path, pictures):
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


def _path(picture: str | Path) -> Path:
    try:
        return Path(picture)
    except TypeError:
        raise UserError(
            f"a picture is named by its file, not given as {type(picture).__name__}; of several, write "
            "predict(run, *pictures)"
        ) from None


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
