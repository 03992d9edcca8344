"""Classifiers of scikit-learn by name, with the settings of the course's leader board.

The board's classical rows come from the Fashion-MNIST project's benchmark, which standardised its
features; here the recipe's preprocessing does that. scikit-learn is imported when one is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nablab.models.model import ScoreKind

Shape = tuple[int, ...]


@dataclass(frozen=True)
class EstimatorEntry:
    """A classifier that has a name."""

    name: str
    title: str  #: a few words
    detail: str  #: its settings, in one line
    make: Callable[[int], Any]  #: seed -> unfitted estimator
    score_kind: ScoreKind
    seeded: bool  #: False where the seed changes nothing
    counts: Callable[[Shape, int], tuple[int, int]] | None = None
    #: (input shape, classes) -> (parameters, MACs of one prediction); None where the data decide them
    slow: str = ""  #: for those that take long on all of Fashion-MNIST: a line to announce it with


def _logistic_regression(_seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, solver="lbfgs", max_iter=200)


def _linear_svc(seed: int) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=1.0, loss="hinge", penalty="l2", dual=True, random_state=seed)


def _svc(_seed: int) -> Any:
    from sklearn.svm import SVC

    # break_ties makes predict agree with the largest margin, which is what is measured here.
    return SVC(C=10.0, kernel="poly", break_ties=True, cache_size=1000)


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=100, criterion="entropy", max_depth=50, random_state=seed)


def _mlp_classifier(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(hidden_layer_sizes=(_HIDDEN,), activation="relu", random_state=seed)


def _knn(_seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=5, p=1, weights="distance")


def _logistic_ovr(_seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(LogisticRegression(C=1.0, solver="lbfgs", max_iter=200))


def _hog_svm(_seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    from nablab.models.hog import HogFeatures

    # Blocks have length 1, so nothing is left to scale. C was chosen on training images (3 folds of 3,000).
    return Pipeline([("hog", HogFeatures()), ("svm", LinearSVC(C=0.1, dual=False))])


def _nystroem_svm(seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    from nablab.models.kernel_map import KernelMap

    kernel = KernelMap(n_components=1000, random_state=seed)
    return Pipeline([("kernel", kernel), ("svm", LinearSVC(C=1.0, dual=False))])


def _hist_gradient_boosting(_seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, early_stopping=False)


_HIDDEN = 100


def _outputs(classes: int) -> int:
    # scikit-learn tells two classes apart by the sign of one output.
    return 1 if classes == 2 else classes


def _linear_counts(input_shape: Shape, classes: int) -> tuple[int, int]:
    features, outputs = math.prod(input_shape), _outputs(classes)
    return (features + 1) * outputs, features * outputs


def _mlp_counts(input_shape: Shape, classes: int) -> tuple[int, int]:
    features, outputs = math.prod(input_shape), _outputs(classes)
    return (features + 1) * _HIDDEN + (_HIDDEN + 1) * outputs, (features + outputs) * _HIDDEN


_ENTRIES = (
    EstimatorEntry(
        "logistic_regression",
        "logistic regression",
        "C=1, L2 penalty, multinomial, lbfgs, at most 200 iterations",
        _logistic_regression,
        "probabilities",
        seeded=False,
        counts=_linear_counts,
    ),
    EstimatorEntry(
        "linear_svc",
        "linear support vector machine",
        "C=1, loss=hinge, penalty=l2, one versus rest",
        _linear_svc,
        "margins",
        seeded=True,
        counts=_linear_counts,
        slow="linear_svc has no early end: the hand-out reports 45 minutes for its fit on 60,000 images",
    ),
    EstimatorEntry(
        "svc",
        "support vector machine with a polynomial kernel",
        "C=10, kernel=poly, degree=3, gamma=scale",
        _svc,
        "margins",
        seeded=False,
        slow="svc grows with the square of the images: the hand-out reports 73 minutes for its fit on 60,000",
    ),
    EstimatorEntry(
        "random_forest",
        "random forest",
        "100 trees, criterion=entropy, max_depth=50",
        _random_forest,
        "probabilities",
        seeded=True,
        slow="random_forest grows one tree after the other: the hand-out reports 9 minutes on 60,000 images",
    ),
    EstimatorEntry(
        "mlp_classifier",
        "scikit-learn's network with one hidden layer",
        "hidden_layer_sizes=[100], activation=relu, Adam 1e-3, batch 200, at most 200 epochs",
        _mlp_classifier,
        "probabilities",
        seeded=True,
        counts=_mlp_counts,
        slow="mlp_classifier trains up to 200 epochs: the hand-out reports 16 minutes on 60,000 images",
    ),
    EstimatorEntry(
        "knn",
        "nearest neighbours",
        "n_neighbors=5, p=1 (sum of absolute differences), weights=distance",
        _knn,
        "probabilities",
        seeded=False,
        slow="knn compares each image with every training image: the hand-out reports 42 minutes with 60,000",
    ),
    EstimatorEntry(
        "logistic_ovr",
        "logistic regression, one versus rest",
        "C=1, L2 penalty, lbfgs, at most 200 iterations a class; probabilities made to sum to 1",
        _logistic_ovr,
        "probabilities",
        seeded=False,
        counts=_linear_counts,
    ),
    EstimatorEntry(
        "hog_svm",
        "histograms of oriented gradients and a linear support vector machine",
        "HOG (9 orientations, cells of 4 pixels, 8 from 48 on, blocks of 2 x 2), then C=0.1, squared hinge",
        _hog_svm,
        "margins",
        seeded=False,
    ),
    EstimatorEntry(
        "nystroem_svm",
        "a support vector machine with an approximate RBF kernel",
        "Nystroem of n_components=1000 (gamma as SVC scales it), then a linear SVM of C=1, squared hinge",
        _nystroem_svm,
        "margins",
        seeded=True,
    ),
    EstimatorEntry(
        "hist_gradient_boosting",
        "gradient boosting of trees on binned pixels",
        "max_iter=100 (trees a class), learning_rate=0.1, at most 31 leaves a tree, early_stopping=False",
        _hist_gradient_boosting,
        "probabilities",
        seeded=False,
        slow="hist_gradient_boosting grows up to 100 trees for each class",
    ),
)

ESTIMATORS: dict[str, EstimatorEntry] = {entry.name: entry for entry in _ENTRIES}
