"""Fitted estimators and their scores, held against scikit-learn's own predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC

from nablab.errors import RunFailed
from nablab.models.model import Model, ScoreKind
from nablab.training.estimator_fit import fit, spread
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe

DataFor = Callable[[Recipe], TrainingData]
RECIPE = Recipe(seed=5)

FAMILY: dict[str, tuple[Callable[[int], Any], ScoreKind]] = {
    "logistic": (lambda seed: LogisticRegression(max_iter=500), "probabilities"),
    "linear_svc": (lambda seed: LinearSVC(random_state=seed, max_iter=20_000), "margins"),
    "svc": (lambda seed: SVC(break_ties=True), "margins"),
    "forest": (lambda seed: RandomForestClassifier(10, random_state=seed), "probabilities"),
    "knn": (lambda seed: KNeighborsClassifier(), "probabilities"),
}


def model_of(estimator: Callable[[int], Any], kind: ScoreKind) -> Model:
    return Model("it", "it", "estimator", "it", estimator=estimator, score_kind=kind)


def without(data: TrainingData, *classes: int) -> TrainingData:
    """The same data with no training image of these classes."""
    rows = np.flatnonzero(~np.isin(data.train.y, classes))
    train = data.train
    fewer = type(train)(train.source, train.rows[rows], train.y[rows], train.preprocessing, train.take(rows))
    return TrainingData(**{**vars(data), "train": fewer})


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("missing", [(), (1,), (0, 3)])
def test_the_best_score_is_the_prediction(data_for: DataFor, name: str, missing: tuple[int, ...]) -> None:
    estimator, kind = FAMILY[name]
    data = without(data_for(RECIPE), *missing)
    fitted = fit(model_of(estimator, kind), data, RECIPE)
    x = data.test.all()
    scores = fitted.scores(x)
    assert scores.shape == (40, 4)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores.argmax(axis=1), fitted.estimator.predict(x.reshape(40, -1)))
    assert not np.isin(scores.argmax(axis=1), missing).any()
    if kind == "probabilities":
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert fitted.fit_seconds > 0
    assert fitted.remarks == ()


def test_it_is_fitted_on_preprocessed_training_images(data_for: DataFor) -> None:
    data = data_for(RECIPE)
    fitted = fit(model_of(*FAMILY["forest"]), data, RECIPE)
    reference = RandomForestClassifier(10, random_state=5).fit(data.train.all().reshape(72, -1), data.train.y)
    x = data.test.all()
    np.testing.assert_allclose(fitted.scores(x), reference.predict_proba(x.reshape(40, -1)), rtol=1e-6)


def test_warnings_become_remarks(data_for: DataFor) -> None:
    fitted = fit(
        model_of(lambda seed: MLPClassifier((4,), max_iter=1, random_state=seed), "probabilities"),
        data_for(RECIPE),
        RECIPE,
    )
    assert len(fitted.remarks) == 1
    assert "hasn't converged" in fitted.remarks[0]


def test_a_refused_fit_is_a_failed_run(data_for: DataFor) -> None:
    with pytest.raises(RunFailed, match=r"it cannot be fitted: .*C"):
        fit(model_of(lambda seed: SVC(C=-1), "margins"), data_for(RECIPE), RECIPE)


def test_margins_of_unseen_classes_are_below_all_others() -> None:
    scores = spread(np.array([[3.0, -2.0]]), np.array([1, 2]), 4, "margins")
    assert scores.tolist() == [[-3.0, 3.0, -2.0, -3.0]]
