"""Settings are chosen by validation images or inside the training images, and all that was tried is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from nablab.models.reference import resolve
from nablab.training.estimator_fit import fit
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe

DataFor = Callable[[Recipe], TrainingData]
MODEL = resolve("sklearn.neighbors.KNeighborsClassifier(n_neighbors=40|1|3|5)")
HELD_OUT = Recipe(seed=5)
WITHOUT = Recipe(seed=5, validation=0.0)


def poisoned(data: TrainingData) -> TrainingData:
    """The data with a test set that looking at would be found out by: labels that are no classes."""
    return replace(data, test=replace(data.test, y=np.full_like(data.test.y, 99)))


def test_validation_images_choose(data_for: DataFor) -> None:
    data = poisoned(data_for(HELD_OUT))
    fitted = fit(MODEL, data, HELD_OUT)
    assert data.validation is not None
    x, val = (part.all().reshape(len(part), -1) for part in (data.train, data.validation))
    both, y = np.concatenate([x, val]), np.concatenate([data.train.y, data.validation.y])
    fold = PredefinedSplit(np.repeat([-1, 0], [len(x), len(val)]))
    expected = [cross_val_score(setting.make(0), both, y, cv=fold)[0] for setting in MODEL.settings]
    np.testing.assert_allclose([one.accuracy for one in fitted.tried], expected)
    assert [one.chosen for one in fitted.tried].index(True) == int(np.argmax(expected))
    chosen = MODEL.settings[int(np.argmax(expected))].make(0)
    assert fitted.estimator.n_neighbors == chosen.n_neighbors
    assert fitted.estimator.n_samples_fit_ == len(x)  # validation images train nothing


def test_without_validation_images_choose_inside_the_training_images(data_for: DataFor) -> None:
    data = poisoned(data_for(WITHOUT))
    fitted = fit(MODEL, data, WITHOUT)
    x, y = data.train.all().reshape(len(data.train), -1), data.train.y
    folds = StratifiedKFold(3, shuffle=True, random_state=WITHOUT.split_seed)
    for setting, tried in zip(MODEL.settings, fitted.tried, strict=True):
        right = [(setting.make(0).fit(x[a], y[a]).predict(x[b]) == y[b]).sum() for a, b in folds.split(x, y)]
        assert tried.accuracy == sum(right) / len(y)
        assert tried.setting == setting.text
    assert fitted.estimator.n_samples_fit_ == len(x)  # the best is fitted on all of them
    assert sum(one.chosen for one in fitted.tried) == 1
    assert max(fitted.tried, key=lambda one: one.accuracy).chosen


def test_of_equals_the_first_is_taken(data_for: DataFor) -> None:
    model = resolve("sklearn.neighbors.KNeighborsClassifier(algorithm=brute|kd_tree)")
    fitted = fit(model, data_for(HELD_OUT), HELD_OUT)
    assert [one.chosen for one in fitted.tried] == [True, False]
    assert fitted.estimator.algorithm == "brute"


def test_the_time_of_choosing_is_training_time(data_for: DataFor) -> None:
    fitted = fit(MODEL, data_for(WITHOUT), WITHOUT)
    assert fitted.fit_seconds >= sum(one.seconds for one in fitted.tried) > 0


@pytest.mark.parametrize("recipe", [HELD_OUT, WITHOUT])
def test_one_setting_is_no_choice(data_for: DataFor, recipe: Recipe) -> None:
    fitted = fit(resolve("sklearn.neighbors.KNeighborsClassifier(n_neighbors=3)"), data_for(recipe), recipe)
    assert fitted.tried == ()
    assert isinstance(fitted.estimator, KNeighborsClassifier)
