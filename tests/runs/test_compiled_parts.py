"""Estimators whose trees or support vectors lead out of themselves are refused, before C follows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from nablab.data import load
from nablab.errors import UserError
from nablab.runs.estimator_file import read_estimator, write_estimator
from nablab.runs.record import RunRecord

DATA = load("digits")
ROWS = np.arange(150)
X = np.asarray(DATA.x_train[ROWS]).reshape(150, -1).astype(np.float32) / 16
Y = DATA.y_train[ROWS]


def changed(tree: Any, column: str, value: int, node: int = 0) -> None:
    """Let the tree say something else of a node."""
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][column][node] = value
    tree.__setstate__(state)


def beyond(estimator: Any) -> None:
    changed(estimator.tree_, "left_child", 10**9)


def backwards(estimator: Any) -> None:
    changed(estimator.tree_, "right_child", 0)  # prediction would never end


def strange_feature(estimator: Any) -> None:
    changed(estimator.tree_, "feature", 10**9)


def too_few_nodes(estimator: Any) -> None:
    state = estimator.tree_.__getstate__()
    estimator.tree_.__setstate__(
        {**state, "nodes": state["nodes"][:3].copy(), "values": state["values"][:3].copy(), "node_count": 3}
    )


def another_width(estimator: Any) -> None:
    estimator.n_features_in_ = 5


def inner_tree(estimator: Any) -> None:
    changed(estimator.estimators_[-1].tree_, "left_child", 10**9)


def boosted_tree(estimator: Any) -> None:
    changed(estimator.estimators_[0, -1].tree_, "left_child", 10**9)


def fewer_classes(estimator: Any) -> None:
    estimator.n_trees_per_iteration_ = 2


def boosted_node(estimator: Any) -> None:
    estimator._predictors[0][0].nodes["left"][0] = 10**6


def boosted_feature(estimator: Any) -> None:
    estimator._predictors[0][0].nodes["feature_idx"][0] = -1


def unknown_category(estimator: Any) -> None:
    estimator._predictors[0][0].nodes["is_categorical"][0] = 1


def coefficients(estimator: Any) -> None:
    estimator._dual_coef_ = estimator._dual_coef_[:, :5].copy()


def negative_counts(estimator: Any) -> None:
    estimator._n_support = estimator._n_support + np.array([1000, -1000, *[0] * 8], np.int32)


def fewer_intercepts(estimator: Any) -> None:
    estimator._intercept_ = estimator._intercept_[:1].copy()


TREE = DecisionTreeClassifier(random_state=0)
BOOSTED = HistGradientBoostingClassifier(max_iter=2, random_state=0)
PLANTED: list[tuple[Any, Callable[[Any], None]]] = [
    *((TREE, plant) for plant in (beyond, backwards, strange_feature, too_few_nodes, another_width)),
    (RandomForestClassifier(3, random_state=0), inner_tree),
    *((GradientBoostingClassifier(n_estimators=2), plant) for plant in (boosted_tree, fewer_classes)),
    *((BOOSTED, plant) for plant in (boosted_node, boosted_feature, unknown_category)),
    *((SVC(), plant) for plant in (coefficients, negative_counts, fewer_intercepts)),
]


@pytest.mark.parametrize(("estimator", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_what_would_end_the_process_is_refused(
    estimator: Any, plant: Callable[[Any], None], tmp_path: Path
) -> None:
    fitted = estimator.fit(X, Y)
    plant(fitted)
    write_estimator(tmp_path, fitted, ROWS, DATA)
    with pytest.raises(UserError, match=r"cannot read .*estimator\.skops: "):
        read_estimator(tmp_path, cast(RunRecord, None))
