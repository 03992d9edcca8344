"""Parts of fitted estimators that compiled code follows without looking, held against their own sizes.

The file of somebody else may say anything. Where Python reads it, a wrong number is an exception; trees and
support vectors are read in C, where it ends the process, or does not end.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Trees by their type, which only compiled modules define.
TREE = "sklearn.tree._tree.Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"

#: Children of a leaf of TREE.
_NONE = -1


def check_parts(estimator: Any) -> None:
    """Hold every tree and all support vectors in an estimator against what they point at.

    Raises:
        ValueError: a part leads out of itself, or back.
    """
    for part, features in _parts(estimator):
        kind = f"{type(part).__module__}.{type(part).__qualname__}"
        if kind == TREE and not _is_tree(part, features):
            raise ValueError("one of its trees leads out of itself")
        if kind == PREDICTOR and not _is_predictor(part, features):
            raise ValueError("one of its boosted trees leads out of itself")
        values = getattr(part, "__dict__", {})
        if "support_vectors_" in values and not _are_support_vectors(values):
            raise ValueError("its support vectors do not fit together")
        trees = values.get("n_trees_per_iteration_")
        if trees is not None and "estimators_" in values and np.shape(values["estimators_"])[1:] != (trees,):
            raise ValueError("it has other trees than classes")


def _parts(estimator: Any) -> Iterator[tuple[Any, float]]:
    """All that an estimator is made of, with the number of features that come to it at most."""
    left, seen = [(estimator, inf)], set()
    while left:
        part, features = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        values = getattr(part, "__dict__", {})
        features = min(features, values.get("n_features_in_", inf))
        yield part, features
        inner: Any = values.values()
        if isinstance(part, dict):
            inner = chain(inner, part.values())
        elif isinstance(part, list | tuple | set):
            inner = part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            inner = part.ravel()
        left.extend((each, features) for each in inner)


def _is_tree(tree: Any, features: float) -> bool:
    """Whether each node's children come after it, and each question is about a feature that there is."""
    if not 0 < tree.node_count <= tree.capacity:
        return False
    nodes = tree.__getstate__()["nodes"]
    inner = nodes["left_child"] != _NONE
    return _leads_on(nodes, inner, "left_child", "right_child", "feature", min(features, tree.n_features))


def _is_predictor(predictor: Any, features: float) -> bool:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    of_category = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    known = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    return bool((of_category < known).all()) and _leads_on(
        nodes, inner, "left", "right", "feature_idx", features
    )


def _leads_on(
    nodes: NDArray[Any], inner: NDArray[np.bool_], left: str, right: str, feature: str, features: float
) -> bool:
    places = np.flatnonzero(inner)
    children = np.stack([nodes[left][inner], nodes[right][inner]]).astype(np.int64)
    asked = nodes[feature][inner]
    return len(nodes) > 0 and bool(
        (children > places).all()
        and (children < len(nodes)).all()
        and (asked >= 0).all()
        and (asked < features).all()
    )


def _are_support_vectors(values: dict[str, Any]) -> bool:
    """Whether the sizes of a classifier's arrays agree: see LIBSVM, `struct svm_model`."""
    vectors, numbers = values["support_vectors_"], values["_n_support"]
    k, pairs = len(numbers), len(numbers) * (len(numbers) - 1) // 2
    return bool(
        not values["_sparse"]
        and len(values["classes_"]) == k
        and (numbers >= 0).all()
        and numbers.sum() == len(vectors) == len(values["support_"])
        and vectors.shape[1] == values["shape_fit_"][1] == values["n_features_in_"]
        and values["_dual_coef_"].shape == (k - 1, len(vectors))
        and values["_intercept_"].size == pairs
        and all(values[name].size in (0, pairs) for name in ("_probA", "_probB"))
    )
