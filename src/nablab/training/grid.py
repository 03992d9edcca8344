"""Choosing among the settings of an estimator: by images that train or validate, never by the test images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.models.model import Setting, Tried
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe

#: Parts of a cross-validation.
FOLDS = 3

Features = NDArray[np.float32]


def choose(
    settings: Sequence[Setting], features: Features, data: TrainingData, recipe: Recipe
) -> tuple[Any, tuple[Tried, ...]]:
    """The fitted estimator of the best setting, and how each did.

    Each setting is fitted on the training images and scored on the validation images; where a recipe holds
    none out, by stratified cross-validation inside the training images (3 parts), after which the best is
    fitted on all of them. Of equals the one that was named first is taken.

    Args:
        features: (N, D), the preprocessed training images.
    """
    trial = _on_validation if data.validation is not None else _in_folds
    best: Any = None
    tried: list[Tried] = []
    for setting in settings:
        began = perf_counter()
        accuracy, fitted = trial(partial(setting.make, recipe.seed), features, data, recipe)
        tried.append(Tried(setting.text, accuracy, perf_counter() - began, chosen=False))
        if accuracy > max((one.accuracy for one in tried[:-1]), default=-1.0):
            best = fitted
    place = int(np.argmax([one.accuracy for one in tried]))
    tried[place] = replace(tried[place], chosen=True)
    if best is None:
        best = settings[place].make(recipe.seed).fit(features, data.train.y)
    return best, tuple(tried)


def fits(settings: Sequence[Setting], validation: bool) -> int:
    """Fits on all training images that `choose` takes, two thirds of them counting as two thirds.

    >>> fits((), True), fits((), False)
    (1, 1)
    """
    if not settings:
        return 1
    return len(settings) if validation else (FOLDS - 1) * len(settings) + 1


def _on_validation(
    make: Callable[[], Any], features: Features, data: TrainingData, recipe: Recipe
) -> tuple[float, Any]:
    assert data.validation is not None
    estimator = make().fit(features, data.train.y)
    x = data.validation.all()
    said = estimator.predict(x.reshape(len(x), -1))
    return float(np.mean(said == data.validation.y)), estimator


def _in_folds(
    make: Callable[[], Any], features: Features, data: TrainingData, recipe: Recipe
) -> tuple[float, None]:
    from sklearn.model_selection import StratifiedKFold

    y, right = data.train.y, 0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=recipe.split_seed)
    for train, held_out in folds.split(features, y):
        said = make().fit(features[train], y[train]).predict(features[held_out])
        right += int(np.sum(said == y[held_out]))
    return right / len(y), None
