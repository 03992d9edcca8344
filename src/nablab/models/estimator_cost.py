"""What a fitted estimator costs: the numbers that it keeps, and the multiply-accumulates of a prediction.

Counted from the fitted model by formula, never measured. The conventions are those of `analysis.cost`; each
count carries its own sum in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class EstimatorCost:
    """For one image.

    Attributes:
        parameters: numbers that a prediction reads.
        macs: multiply-accumulates; for trees, comparisons.
        counted: how the MACs come about, e.g. `2,345 support vectors x 784 features + ...`.
    """

    parameters: int
    macs: int
    counted: str

    def __add__(self, other: EstimatorCost) -> EstimatorCost:
        counted = " + ".join(text for text in (self.counted, other.counted) if text)
        return EstimatorCost(self.parameters + other.parameters, self.macs + other.macs, counted)


def estimator_cost(estimator: Any) -> EstimatorCost | None:
    """The cost of a fitted estimator, or of a pipeline of several; None for methods without a formula here.

    >>> from sklearn.linear_model import LogisticRegression
    >>> fitted = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0, 1, 2])
    >>> estimator_cost(fitted)
    EstimatorCost(parameters=9, macs=6, counted='3 outputs x 2 features')
    """
    for of_kind in _KINDS:
        found = of_kind(estimator)
        if found is not None:
            return found
    return None


def _pipeline(estimator: Any) -> EstimatorCost | None:
    steps = getattr(estimator, "steps", None)
    return None if steps is None else _total(step for _, step in steps)


def _says_itself(estimator: Any) -> EstimatorCost | None:
    """Our own transformers and classifiers count for themselves."""
    cost = getattr(estimator, "nablab_cost", None)
    return None if cost is None else EstimatorCost(*cost())


def _linear(estimator: Any) -> EstimatorCost | None:
    """Linear models, but for kernel machines, which have `coef_` where their kernel is linear."""
    if hasattr(estimator, "support_vectors_") or not hasattr(estimator, "coef_"):
        return None
    weights = np.atleast_2d(estimator.coef_)
    outputs, features = weights.shape
    parameters = weights.size + np.size(estimator.intercept_)
    return EstimatorCost(parameters, weights.size, f"{_n(outputs, 'output')} x {_n(features, 'feature')}")


def _kernel_machine(estimator: Any) -> EstimatorCost | None:
    vectors = getattr(estimator, "support_vectors_", None)
    if vectors is None:
        return None
    count, features = vectors.shape
    outputs = len(estimator.dual_coef_)
    parameters = vectors.size + estimator.dual_coef_.size + np.size(estimator.intercept_)
    counted = f"{_n(count, 'support vector')} x ({_n(features, 'feature')} + {_n(outputs, 'coefficient')})"
    return EstimatorCost(parameters, count * (features + outputs), counted)


def _neighbours(estimator: Any) -> EstimatorCost | None:
    stored = getattr(estimator, "_fit_X", None)
    return None if stored is None else stored_cost(*stored.shape)


def stored_cost(images: int, features: int) -> EstimatorCost:
    """Of comparing with every stored image."""
    counted = f"{_n(images, 'stored image')} x {_n(features, 'feature')}"
    return EstimatorCost(images * features, images * features, counted)


def _mlp(estimator: Any) -> EstimatorCost | None:
    weights = getattr(estimator, "coefs_", None)
    if weights is None:
        return None
    macs = sum(matrix.size for matrix in weights)
    biases = sum(vector.size for vector in estimator.intercepts_)
    counted = " + ".join(" x ".join(f"{side:,}" for side in matrix.shape) for matrix in weights)
    return EstimatorCost(macs + biases, macs, counted)


def _tree(estimator: Any) -> EstimatorCost | None:
    tree = getattr(estimator, "tree_", None)
    return None if tree is None else _ordinary_trees([tree])


def _hist_boosting(estimator: Any) -> EstimatorCost | None:
    rounds = getattr(estimator, "_predictors", None)
    if rounds is None:
        return None
    nodes = [predictor.nodes for trees in rounds for predictor in trees]
    return _trees([(one["depth"], one["is_leaf"].astype(bool), one["count"]) for one in nodes], 1)


def _forest(estimator: Any) -> EstimatorCost | None:
    """Forests and boosted trees of scikit-learn's ordinary kind."""
    members = getattr(estimator, "estimators_", None)
    if members is None:
        return None
    flat = members.ravel() if isinstance(members, np.ndarray) else members  # boosting has a column a class
    trees = [member.tree_ for member in flat if hasattr(member, "tree_")]
    return _ordinary_trees(trees) if 0 < len(trees) == len(flat) else None


def _ordinary_trees(trees: Sequence[Any]) -> EstimatorCost:
    values = int(np.prod(trees[0].value.shape[1:]))
    # scikit-learn counts the root as depth 1.
    nodes = [(t.compute_node_depths() - 1, t.children_left == -1, t.n_node_samples) for t in trees]
    return _trees(nodes, values)


def _trees(trees: Sequence[tuple[Any, Any, Any]], values: int) -> EstimatorCost:
    """Trees as (depth of each node from 0, which are leaves, training images in each).

    The depth is the mean way of a training image, which is what decides the comparisons of one like them.
    """
    depths = [float(np.average(depth[leaf], weights=images[leaf])) for depth, leaf, images in trees]
    parameters = sum(2 * int(np.sum(~leaf)) + values * int(np.sum(leaf)) for _, leaf, _ in trees)
    counted = f"{_n(len(trees), 'tree')} x {np.mean(depths):.1f} comparisons deep"
    return EstimatorCost(parameters, round(sum(depths)), counted)


def _ensemble(estimator: Any) -> EstimatorCost | None:
    """Several estimators side by side: bagging, one versus rest, voting, stacking, calibration."""
    calibrated = getattr(estimator, "calibrated_classifiers_", None)
    members = getattr(estimator, "estimators_", None)
    if calibrated is not None:
        members = [one.estimator for one in calibrated]
    if members is None:
        return None
    last = getattr(estimator, "final_estimator_", None)
    costs = [estimator_cost(member) for member in members]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or not known:
        return None
    counted = known[0].counted if len({cost.counted for cost in known}) == 1 else "each different"
    total = EstimatorCost(
        sum(cost.parameters for cost in known),
        sum(cost.macs for cost in known),
        f"{_n(len(known), 'estimator')} ({counted})",
    )
    final = None if last is None else estimator_cost(last)
    return total if last is None else total + final if final is not None else None


def _one_row_a_class(estimator: Any) -> EstimatorCost | None:
    """Nearest centroids and naive Bayes: a row of numbers a class, or two rows where there are variances."""
    for rows, more in (("centroids_", None), ("feature_log_prob_", None), ("theta_", "var_")):
        first = getattr(estimator, rows, None)
        if isinstance(first, np.ndarray) and first.ndim == 2:
            count = first.size * (1 if more is None else 2)
            twice = "" if more is None else "2 x "
            outputs, features = first.shape
            counted = f"{twice}{_n(outputs, 'output')} x {_n(features, 'feature')}"
            return EstimatorCost(count, count, counted)
    return None


def _scaler(estimator: Any) -> EstimatorCost | None:
    """Standardising or scaling: a shift and a factor for each feature."""
    if not hasattr(estimator, "transform") or not hasattr(estimator, "scale_"):
        return None
    features = int(estimator.n_features_in_)
    return EstimatorCost(2 * features, features, f"{_n(features, 'feature')} scaled")


def _kernel_map(estimator: Any) -> EstimatorCost | None:
    if not hasattr(estimator, "normalization_"):
        return None
    count, features = estimator.components_.shape
    parameters = count * (features + count)
    return EstimatorCost(parameters, parameters, f"{_n(count, 'landmark')} x ({features:,} + {count:,})")


def _total(parts: Iterable[Any]) -> EstimatorCost | None:
    costs = [estimator_cost(part) for part in parts if part is not None and part != "passthrough"]
    if not costs or any(cost is None for cost in costs):
        return None
    total = EstimatorCost(0, 0, "")
    for cost in costs:
        assert cost is not None
        total += cost
    return total


def _n(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


_KINDS: tuple[Callable[[Any], EstimatorCost | None], ...] = (
    _says_itself,
    _pipeline,
    _kernel_machine,
    _mlp,
    _hist_boosting,
    _tree,
    _forest,
    _ensemble,
    _linear,
    _neighbours,
    _one_row_a_class,
    _kernel_map,
    _scaler,
)
