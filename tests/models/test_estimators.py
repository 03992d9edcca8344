"""Every estimator of the table, fitted on a small problem."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nablab.models.estimators import ESTIMATORS

X, Y = load_digits(return_X_y=True)
X = ((X - X.mean()) / X.std())[:300].astype(np.float32)
Y = Y[:300]


def fitted(name: str, seed: int = 0, classes: int = 10):  # type: ignore[no-untyped-def]
    chosen = classes > Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some stop before they converge, as the settings say
        return ESTIMATORS[name].make(seed).fit(X[chosen], Y[chosen])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_scores_are_what_the_table_says(name: str) -> None:
    entry, estimator = ESTIMATORS[name], fitted(name)
    if entry.score_kind == "probabilities":
        scores = estimator.predict_proba(X)
        np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    else:
        assert not hasattr(estimator, "predict_proba")
        scores = estimator.decision_function(X)
    assert scores.shape == (300, 10)
    assert (estimator.classes_[scores.argmax(1)] == estimator.predict(X)).all()
    least = 0.8 if name == "hog_svm" else 0.9  # 8 x 8 pixels have a single block
    assert np.mean(estimator.predict(X) == Y) > least


@pytest.mark.parametrize("name", ESTIMATORS)
def test_seeded_means_that_the_seed_changes_something(name: str) -> None:
    entry = ESTIMATORS[name]
    score = "predict_proba" if entry.score_kind == "probabilities" else "decision_function"
    first, again, other = (getattr(fitted(name, seed), score)(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) != entry.seeded


@pytest.mark.parametrize("classes", [10, 2])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_parameter_counts(name: str, classes: int) -> None:
    counts = ESTIMATORS[name].counts
    if counts is None:
        return  # known once it is fitted: test_estimator_cost.py
    estimator = fitted(name, classes=classes)
    if name == "mlp_classifier":
        arrays = [*estimator.coefs_, *estimator.intercepts_]
        macs = sum(weights.size for weights in estimator.coefs_)
    else:
        parts = getattr(estimator, "estimators_", [estimator])
        arrays = [array for part in parts for array in (part.coef_, part.intercept_)]
        macs = sum(part.coef_.size for part in parts)
    assert counts((1, 8, 8), classes) == (sum(array.size for array in arrays), macs)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_details_state_the_settings(name: str) -> None:
    entry = ESTIMATORS[name]
    parameters = {key.rpartition("__")[2]: value for key, value in entry.make(0).get_params().items()}
    stated = dict(part.split("=", 1) for part in entry.detail.replace(",", " ").split() if "=" in part)
    for key, value in stated.items():
        assert str(parameters[key]).replace("(100,)", "[100]").removesuffix(".0") == value
    assert "\n" not in entry.slow


def test_the_leader_board_of_the_hand_out() -> None:
    svc = ESTIMATORS["svc"].make(0)
    assert (svc.C, svc.kernel, svc.degree) == (10, "poly", 3)
    forest = ESTIMATORS["random_forest"].make(0)
    assert (forest.criterion, forest.max_depth, forest.n_estimators) == ("entropy", 50, 100)
    knn = ESTIMATORS["knn"].make(0)
    assert (knn.n_neighbors, knn.p, knn.weights) == (5, 1, "distance")
    linear = ESTIMATORS["linear_svc"].make(0)
    assert (linear.C, linear.loss, linear.penalty) == (1, "hinge", "l2")
    mlp = ESTIMATORS["mlp_classifier"].make(0)
    assert (mlp.activation, mlp.hidden_layer_sizes) == ("relu", (100,))
