"""Costs of fitted estimators against cases worked by hand, and against what the fitted arrays hold."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.discovery import all_estimators

from nablab.models.estimator_cost import EstimatorCost, estimator_cost
from nablab.models.estimators import ESTIMATORS
from nablab.models.reference import resolve

X, Y = load_digits(return_X_y=True)
X = ((X - X.mean()) / X.std())[:200].astype(np.float32)
Y = Y[:200]


def cost_of(reference: str, x: np.ndarray, y: np.ndarray) -> EstimatorCost | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator_cost(resolve(reference).estimator(0).fit(x, y))  # type: ignore[misc]


#: Eight points on a line, their class changing in the middle.
LINE = np.arange(8, dtype=float).reshape(-1, 1)
HALVES = np.repeat([0, 1], 4)
#: And with four classes: every tree needs two questions for each point.
QUARTERS = np.repeat([0, 1, 2, 3], 2)


@pytest.mark.parametrize(
    ("reference", "x", "y", "parameters", "macs", "counted"),
    [
        ("linear_model.LogisticRegression", LINE, HALVES, 2, 1, "1 output x 1 feature"),
        ("svm.LinearSVC", LINE, QUARTERS, 8, 4, "4 outputs x 1 feature"),
        # The points 3 and 4 are the support vectors: 2 x 1 numbers, 2 coefficients, 1 intercept.
        (
            "svm.SVC(kernel=linear,C=100)",
            LINE,
            HALVES,
            5,
            4,
            "2 support vectors x (1 feature + 1 coefficient)",
        ),
        ("neighbors.KNeighborsClassifier", LINE, HALVES, 8, 8, "8 stored images x 1 feature"),
        # One question (which feature, which threshold) and two leaves of two classes.
        ("tree.DecisionTreeClassifier", LINE, HALVES, 6, 1, "1 tree x 1.0 comparisons deep"),
        (
            "tree.DecisionTreeClassifier(criterion=entropy)",
            LINE,
            QUARTERS,
            3 * 2 + 4 * 4,
            2,
            "1 tree x 2.0 comparisons deep",
        ),
        (
            "ensemble.RandomForestClassifier(n_estimators=5,bootstrap=False,criterion=entropy)",
            LINE,
            QUARTERS,
            110,
            10,
            "5 trees x 2.0 comparisons deep",
        ),
        (
            "ensemble.GradientBoostingClassifier(n_estimators=3,max_depth=1)",
            LINE,
            HALVES,
            3 * 4,
            3,
            "3 trees x 1.0 comparisons deep",
        ),
        (
            "ensemble.HistGradientBoostingClassifier(max_iter=3,max_depth=1,min_samples_leaf=1)",
            LINE,
            HALVES,
            3 * 4,
            3,
            "3 trees x 1.0 comparisons deep",
        ),
        (
            "neural_network.MLPClassifier(hidden_layer_sizes=[5,2])",
            LINE,
            QUARTERS,
            5 + 5 + 10 + 2 + 8 + 4,
            23,
            "1 x 5 + 5 x 2 + 2 x 4",
        ),
        ("neighbors.NearestCentroid", LINE, QUARTERS, 4, 4, "4 outputs x 1 feature"),
        ("naive_bayes.GaussianNB", LINE, QUARTERS, 8, 8, "2 x 4 outputs x 1 feature"),
        (
            "naive_bayes.MultinomialNB",
            LINE,
            QUARTERS,
            2 + 4,
            1 + 4,
            "1 feature scaled + 4 outputs x 1 feature",
        ),
        (
            "multiclass.OneVsRestClassifier(estimator=sklearn.linear_model.LogisticRegression())",
            LINE,
            QUARTERS,
            8,
            4,
            "4 estimators (1 output x 1 feature)",
        ),
        (
            "ensemble.BaggingClassifier(n_estimators=2,estimator=sklearn.linear_model.LogisticRegression())",
            LINE,
            HALVES,
            4,
            2,
            "2 estimators (1 output x 1 feature)",
        ),
    ],
)
def test_by_hand(
    reference: str, x: np.ndarray, y: np.ndarray, parameters: int, macs: int, counted: str
) -> None:
    assert cost_of(f"sklearn.{reference}", x, y) == EstimatorCost(parameters, macs, counted)


def test_an_uneven_tree_is_as_deep_as_its_images_are() -> None:
    # Six images of class 0 end after one question, the other two after two: (6 x 1 + 1 x 2 + 1 x 2) / 8.
    cost = cost_of("sklearn.tree.DecisionTreeClassifier", LINE, np.array([0, 0, 0, 0, 0, 0, 1, 2]))
    assert cost is not None
    assert cost.counted == "1 tree x 1.2 comparisons deep"  # 1.25, to the even digit


def test_hog_by_hand() -> None:
    # 8 x 8 grey pixels: 10 MACs each; one block of 36 numbers, 4 each; a linear layer of 36 to 10.
    cost = estimator_cost(ESTIMATORS["hog_svm"].make(0).fit(X, Y))
    assert cost is not None
    assert (cost.parameters, cost.macs) == (37 * 10, 64 * 10 + 4 * 36 + 360)
    assert cost.counted == "64 pixels x 10 + 36 HOG features x 4 + 10 outputs x 36 features"


def test_kernel_approximation_by_hand() -> None:
    cost = estimator_cost(ESTIMATORS["nystroem_svm"].make(0).fit(X, Y))
    assert cost is not None  # all 200 images are landmarks: 200 x 64 kernel values, 200 x 200, 200 x 10
    assert (cost.parameters, cost.macs) == (200 * 264 + 201 * 10, 200 * 264 + 2000)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_named_estimator_has_a_cost(name: str) -> None:
    entry = ESTIMATORS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cost = estimator_cost(entry.make(0).fit(X, Y))
    assert cost is not None
    assert cost.macs > 0
    if entry.counts is not None:  # what was said before the fit holds after it
        assert entry.counts((1, 8, 8), 10) == (cost.parameters, cost.macs)


#: Methods whose cost we have no formula for, and those that images of several classes cannot be fitted with.
UNKNOWN = {
    "CategoricalNB", "ClassifierChain", "DummyClassifier", "FixedThresholdClassifier",
    "GaussianProcessClassifier", "LabelPropagation", "LabelSpreading", "MultiOutputClassifier",
    "OutputCodeClassifier", "QuadraticDiscriminantAnalysis", "SelfTrainingClassifier", "StackingClassifier",
    "TunedThresholdClassifierCV", "VotingClassifier",
}  # fmt: skip
SMALL = {"n_estimators": 3, "max_iter": 3, "max_iter_predict": 3}


@pytest.mark.parametrize(
    ("name", "owner"), [one for one in all_estimators(type_filter="classifier") if one[0] not in UNKNOWN]
)
def test_what_is_counted_and_what_is_not(name: str, owner: type) -> None:
    inner = {"estimator": ESTIMATORS["logistic_regression"].make(0)} if name.startswith("OneVs") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = owner(**inner)
        estimator.set_params(**{key: value for key, value in SMALL.items() if key in estimator.get_params()})
        cost = estimator_cost(estimator.fit(np.abs(X), Y))
    assert cost is not None
    assert cost.macs > 0
    assert cost.parameters > 0
    assert cost.counted


def test_what_has_no_formula_has_no_cost() -> None:
    assert cost_of("sklearn.dummy.DummyClassifier", X, Y) is None
    assert cost_of("sklearn.semi_supervised.LabelSpreading", X, Y) is None
