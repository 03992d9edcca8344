"""A trained model back from its folder, to say something about new images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.errors import UserError
from nablab.models.model import Model, ScoreKind
from nablab.models.named_code import named_by
from nablab.runs.estimator_file import read_estimator
from nablab.runs.record import RunRecord
from nablab.runs.store import RECORD, RunFolder
from nablab.training import tta
from nablab.training.recipe import Recipe

#: Images that go through a network at a time.
_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model that takes images as they come.

    Attributes:
        record: of its run.
        preprocessing: fitted on its training images.
        scorer: preprocessed float32 (N, ...) -> scores (N, K).
    """

    record: RunRecord
    preprocessing: Preprocessing
    scorer: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.record.data.classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) of an image, or (D,)."""
        return self.record.data.input_shape

    @property
    def score_kind(self) -> ScoreKind:
        return self.record.model.score_kind

    def scores(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Scores (N, K) of images as a data set holds them: raw, uint8 or float32, (N, *input_shape).

        Raises:
            UserError: images of another shape.
        """
        if images.shape[1:] != self.input_shape:
            raise UserError(f"{self.record.id} takes images of {self.input_shape}, not {images.shape[1:]}")
        if len(images) == 0:
            return np.empty((0, len(self.classes)), np.float32)
        return self.scorer(self.preprocessing.apply(images))


def load_predictor(
    folder: RunFolder | Path | str, *, model: Model | None = None, dataset: Dataset | None = None
) -> Predictor:
    """The trained model of a run.

    Args:
        model: for a class or object of a Python session, what it resolves to; others are found by their
            reference.
        dataset: for nearest neighbours, whose neighbours are training images; None loads it as the run did.

    Raises:
        UserError: the run has not finished; its file, its model's source or its data is gone or has changed;
            its user never named that source.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    record = run.record()
    if record.status != "done":
        raise UserError(f"{run.path} has not finished (it is {record.status}); there is no model to use")
    try:
        preprocessing = Preprocessing.from_dict(record.preprocessing)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"cannot read the preprocessing in {run.path / RECORD}: {error!r:.100}") from error
    if record.model.kind == "estimator":
        return Predictor(record, preprocessing, _estimator_scorer(run, record, dataset))
    scorer = tta.averaged(_network_scorer(run, record, model), Recipe.from_dict(record.recipe).tta)
    return Predictor(record, preprocessing, scorer)


def _estimator_scorer(run: RunFolder, record: RunRecord, dataset: Dataset | None) -> Any:
    from nablab.training.estimator_fit import FittedEstimator

    totals = record.totals
    return FittedEstimator(
        estimator=read_estimator(run.path, record, dataset),
        score_kind=record.model.score_kind,
        classes=len(record.data.classes),
        fit_seconds=totals.train_seconds if totals else 0.0,
        threads=0,
    ).scores


def _network_scorer(run: RunFolder, record: RunRecord, model: Model | None) -> Any:
    if record.model.engine == "numpy":
        return _numpy_scorer(record, run.weights())
    import torch

    from nablab.training.tensors import to_array

    module = load_module(run, record, model)

    def scores(x: NDArray[np.float32]) -> NDArray[np.float32]:
        pieces = [torch.from_numpy(x[start : start + _AT_ONCE]) for start in range(0, len(x), _AT_ONCE)]
        with torch.no_grad():
            return np.concatenate([to_array(module(piece).float()) for piece in pieces])

    return scores


def load_module(run: RunFolder, record: RunRecord, model: Model | None = None) -> Any:
    """The PyTorch module of a network or user's module with its trained weights, in evaluation mode.

    A network that our own engine trained comes as its twin. Maps preprocessed float32 (N, ...) to logits.

    Raises:
        UserError: as `load_predictor`.
    """
    from nablab.training.tensors import copy_in, tensors_of

    module = _build(run, record, model)
    copy_in(tensors_of(module), run.weights())
    return module.eval()


def _numpy_scorer(record: RunRecord, weights: dict[str, NDArray[Any]]) -> Any:
    """A network of our own engine with these weights, as a function of preprocessed images."""
    from nablab.models import numpy_net
    from nablab.models.language import parse

    assert record.model.spec is not None
    network = numpy_net.build(parse(record.model.spec), record.data.input_shape, len(record.data.classes))
    numpy_net.load(network, weights)
    return partial(numpy_net.scores, network)


def _build(run: RunFolder, record: RunRecord, model: Model | None) -> Any:
    """The module, with weights that are not its own yet."""
    shape, classes = record.data.input_shape, len(record.data.classes)
    if record.model.spec is not None:
        from nablab.models.language import parse
        from nablab.models.torch_net import build

        return build(parse(record.model.spec), shape, classes)
    model = model or find_module(run, record)
    if model.factory is None:
        raise UserError(f"{run.path} is a run of {record.model.reference}; give that model")
    return model.factory(shape, classes)


def find_module(run: RunFolder, record: RunRecord) -> Model:
    """What the run of a user's module trained, by its file.

    Raises:
        UserError: it was in a Python session; its file is gone, has changed, or was never named by its user.
    """
    from nablab.models.reference import resolve

    source = record.model.source_file
    if source is None:
        raise UserError(f"{run.path} is a run of a class of a Python session; give it there (model=)")
    with named_by(run.path):
        model = resolve(record.model.reference)
    if model.source_file is None or model.source_file.sha256 != source.sha256:
        raise UserError(
            f"{source.path} has changed since {run.path} was trained; restore it to use its weights"
        )
    return model
