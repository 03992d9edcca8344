"""Baselines of scikit-learn: fitted once on preprocessed features, scored like networks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import RunFailed
from nablab.models.model import Model, ScoreKind, Tried
from nablab.training.accelerate import accelerated, plain
from nablab.training.feed import TrainingData
from nablab.training.grid import choose
from nablab.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class FittedEstimator:
    """An estimator that was fitted.

    Attributes:
        estimator: scikit-learn's own object.
        score_kind: what `scores` returns: probabilities or margins.
        classes: how many there are, K; the estimator may have seen fewer.
        fit_seconds: spent in `fit`.
        threads: that it computes with; 0: as many as the process has.
        remarks: what scikit-learn warned of, such as a fit that did not converge.
        tried: the settings that it was chosen from, where there were several; their time is in
            `fit_seconds`.
        stored: what to store in the place of `estimator`, where that cannot be.
    """

    estimator: Any
    score_kind: ScoreKind
    classes: int
    fit_seconds: float
    threads: int
    remarks: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    stored: Any = None

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (N, K) for preprocessed images (N, ...).

        Columns are all classes of the data set. One that the estimator never saw has probability 0, or a
        margin 1 below the smallest of its row. The largest margin of `SVC` is its prediction with
        `break_ties=True`.
        """
        features = x.reshape(len(x), -1)
        with self._pools.limit(limits=self.threads or None):
            if self.score_kind == "probabilities":
                seen = np.asarray(self.estimator.predict_proba(features))
            else:
                seen = _columns(np.asarray(self.estimator.decision_function(features)))
        return spread(seen, np.asarray(self.estimator.classes_), self.classes, self.score_kind)

    @cached_property
    def _pools(self) -> Any:
        """The thread pools of the loaded libraries.

        Found once: looking for them takes milliseconds, which would count as the time of each prediction.
        """
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController()


def fit(model: Model, data: TrainingData, recipe: Recipe) -> FittedEstimator:
    """Fit the estimator of a model on the preprocessed, flattened training images.

    Of the recipe, the preprocessing, the validation share, the seed and the threads count. An estimator never
    learns from the validation images; where the model leaves a choice of settings, they choose.

    Raises:
        RunFailed: scikit-learn refused; its reason.
    """
    if model.estimator is None:
        raise ValueError(f"{model.label} is not an estimator")
    x = data.train.all()
    features = x.reshape(len(x), -1)
    with warnings.catch_warnings(record=True) as caught, _threads(recipe.threads):
        warnings.simplefilter("always")
        start = perf_counter()
        try:
            estimator, tried, said = _fitted(model, features, data, recipe)
        except (ValueError, FloatingPointError) as error:
            raise RunFailed(f"{model.label} cannot be fitted: {_first_line(error)}") from error
        seconds = perf_counter() - start
        stored = plain(estimator, features, data.train.y) if model.fast else None
    remarks = (*said, *dict.fromkeys(_first_line(warning.message) for warning in caught))
    return FittedEstimator(
        estimator, model.score_kind, data.classes, seconds, recipe.threads, remarks, tried, stored
    )


def _fitted(
    model: Model, features: NDArray[np.float32], data: TrainingData, recipe: Recipe
) -> tuple[Any, tuple[Tried, ...], tuple[str, ...]]:
    """The fitted estimator, the settings that were tried, and what there is to say of its library."""
    said: dict[str, None] = {}

    def ready(estimator: Any) -> Any:
        estimator = with_shape(estimator, data.input_shape)
        if model.fast:
            estimator, line = accelerated(estimator)
            said[line] = None
        return estimator

    assert model.estimator is not None
    if model.settings:
        settings = [
            replace(one, make=lambda seed, one=one: ready(one.make(seed)))  # type: ignore[misc]
            for one in model.settings
        ]
        return *choose(settings, features, data, recipe), tuple(said)
    estimator = ready(model.estimator(recipe.seed))
    estimator.fit(features, data.train.y)
    return estimator, (), tuple(said)


def with_shape(estimator: Any, image_shape: tuple[int, ...]) -> Any:
    """The estimator, told the shape of the images where a part of it asks (`image_shape`)."""
    names = [name for name in estimator.get_params() if name.rpartition("__")[2] == "image_shape"]
    return estimator.set_params(**dict.fromkeys(names, image_shape)) if names else estimator


def spread(
    seen: NDArray[Any], labels: NDArray[np.int64], classes: int, kind: ScoreKind
) -> NDArray[np.float32]:
    """Scores of the classes that were seen (N, S), as columns of all classes (N, K).

    >>> spread(np.array([[0.25, 0.75]]), np.array([0, 2]), 3, "probabilities").tolist()
    [[0.25, 0.0, 0.75]]
    """
    if kind == "probabilities":
        scores = np.zeros((len(seen), classes), np.float32)
    else:
        scores = np.repeat(seen.min(axis=1, keepdims=True) - 1, classes, axis=1).astype(np.float32)
    scores[:, labels] = seen
    return scores


def _columns(margins: NDArray[Any]) -> NDArray[Any]:
    """Margins with one column a class; of two classes scikit-learn gives the second one's only."""
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins


def _threads(count: int) -> Any:
    """A context in which scikit-learn and BLAS compute with so many threads.

    Set here, and not once a process: libraries that are loaded later would not know of it.
    """
    import sklearn  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=count or None)


def _first_line(problem: Any) -> str:
    return str(problem).strip().split("\n")[0]
