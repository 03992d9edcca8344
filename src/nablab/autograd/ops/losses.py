"""Losses. Those of element against element come unreduced: `nn.functional` takes their mean or sum."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import elementwise, op, vjp
from nablab.autograd.ops.activations import logistic


@elementwise
def mse_loss(x: Array, target: Array) -> Array:
    return (x - target) ** 2


@vjp(mse_loss, "x")
def _(g: Array, x: Array, target: Array) -> Array:
    return 2 * g * (x - target)


@vjp(mse_loss, "target")
def _(g: Array, x: Array, target: Array) -> Array:
    return 2 * g * (target - x)


@elementwise
def l1_loss(x: Array, target: Array) -> Array:
    return np.abs(x - target)


@vjp(l1_loss, "x")
def _(g: Array, x: Array, target: Array) -> Array:
    return g * np.sign(x - target)


@vjp(l1_loss, "target")
def _(g: Array, x: Array, target: Array) -> Array:
    return g * np.sign(target - x)


@elementwise
def huber_loss(x: Array, target: Array, *, delta: float = 1.0) -> Array:
    """Squares near the target, straight lines away from it (Huber 1964)."""
    distance = np.abs(x - target)
    return np.where(distance <= delta, 0.5 * distance**2, delta * (distance - 0.5 * delta))


@vjp(huber_loss, "x")
def _(g: Array, x: Array, target: Array, delta: float) -> Array:
    return g * np.clip(x - target, -delta, delta)


@vjp(huber_loss, "target")
def _(g: Array, x: Array, target: Array, delta: float) -> Array:
    return g * np.clip(target - x, -delta, delta)


@elementwise
def binary_cross_entropy(p: Array, target: Array) -> Array:
    """-(t log p + (1 - t) log(1 - p)); logarithms no lower than -100, as in PyTorch."""
    if p.size and (p.min() < 0 or p.max() > 1):
        raise AutogradError(
            "binary_cross_entropy needs probabilities; for any number use the form with logits"
        )
    return -(target * np.maximum(np.log(p), -100) + (1 - target) * np.maximum(np.log1p(-p), -100))


@vjp(binary_cross_entropy, "p")
def _(g: Array, p: Array, target: Array) -> Array:
    return g * (p - target) / np.maximum(p * (1 - p), 1e-12)


@elementwise
def binary_cross_entropy_with_logits(x: Array, target: Array, pos_weight: Array | float = 1.0) -> Array:
    """The same for p = sigmoid(x), without computing p: log(1 + exp(x)) - t x where `pos_weight` is 1."""
    return (1 - target) * x + (1 + (pos_weight - 1) * target) * np.logaddexp(0, -x)


@vjp(binary_cross_entropy_with_logits, "x")
def _(g: Array, x: Array, target: Array, pos_weight: Array | float) -> Array:
    return g * (1 - target - (1 + (pos_weight - 1) * target) * logistic(-x))


@vjp(binary_cross_entropy_with_logits, "target")
def _(g: Array, x: Array, pos_weight: Array | float) -> Array:
    return g * ((pos_weight - 1) * np.logaddexp(0, -x) - x)


# Cross entropy: over classes, with everything that PyTorch's has. One matrix of coefficients says it all:
# loss[i] = - sum over classes of coefficients[i, k] * log_p[i, k].


@op
def nll_loss(
    log_p: Array, target: Array, weight: Array | None = None, *,
    ignore_index: int = -100, reduction: str = "mean",
) -> tuple[Array, dict[str, Any]]:  # fmt: skip
    """-log_p of the target class. log_p (N, K), (N, K, d1, ...) or (K,); target (N, ...)."""
    rows, shape = _rows(log_p, target)
    coefficients, mass = _one_hot(target.reshape(-1), rows.shape[1], weight, ignore_index, rows.dtype)
    out, share = _reduce(_weighted(coefficients, rows), mass, shape, reduction)
    return out, {"coefficients": coefficients, "share": share}


@vjp(nll_loss, "log_p")
def _(g: Array, coefficients: Array, share: float, log_p_shape: tuple[int, ...]) -> Array:
    return _unrows(-(g * share).reshape(-1, 1) * coefficients, log_p_shape)


@op
def cross_entropy(
    x: Array, target: Array, weight: Array | None = None, *,
    ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0,
) -> tuple[Array, dict[str, Any]]:  # fmt: skip
    """log_softmax and nll_loss in one. The target holds classes, or probabilities in the shape of x."""
    rows, shape = _rows(x, target)
    shifted = rows - rows.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    coefficients, mass = _coefficients(target, rows, weight, ignore_index, label_smoothing)
    out, share = _reduce(_weighted(coefficients, log_p), mass, shape, reduction)
    return out, {"coefficients": coefficients, "share": share, "p": np.exp(log_p)}


@vjp(cross_entropy, "x")
def _(g: Array, p: Array, coefficients: Array, share: float, x_shape: tuple[int, ...]) -> Array:
    slope = p * coefficients.sum(1, keepdims=True) - coefficients  # p - target, where nothing is weighted
    return _unrows((g * share).reshape(-1, 1) * slope, x_shape)


def _rows(x: Array, target: Array) -> tuple[Array, tuple[int, ...]]:
    """The classes as columns, everything else as rows; and the shape of the unreduced loss."""
    expected = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if target.shape != (x.shape if target.dtype.kind == "f" else expected):
        raise AutogradError(
            f"scores of shape {x.shape} need classes of shape {expected}, or probabilities in the shape of "
            f"the scores; the target is {target.dtype} of shape {target.shape}"
        )
    return np.moveaxis(x, min(1, x.ndim - 1), -1).reshape(-1, x.shape[min(1, x.ndim - 1)]), expected


def _unrows(rows: Array, shape: tuple[int, ...]) -> Array:
    axis = min(1, len(shape) - 1)
    return np.moveaxis(rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)


def _one_hot(classes: Array, k: int, weight: Array | None, ignore: int, dtype: Any) -> tuple[Array, float]:
    """The weight of each row's class in its column, zero elsewhere; and the sum of those weights."""
    if classes.dtype.kind not in "iu":
        raise AutogradError(
            f"classes must be integers, the target is {classes.dtype}; convert it with .long()"
        )
    kept = classes != ignore
    if ((classes < 0) | (classes >= k))[kept].any():
        wrong = classes[kept & ((classes < 0) | (classes >= k))][0]
        raise AutogradError(f"class {wrong} in the target, and the scores are for classes 0 to {k - 1}")
    result = np.zeros((len(classes), k), dtype)
    result[kept, classes[kept]] = 1 if weight is None else weight[classes[kept]]
    return result, float(result.sum())


def _coefficients(
    target: Array, rows: Array, weight: Array | None, ignore: int, smoothing: float
) -> tuple[Array, float]:
    """What each log probability is multiplied with, and what a mean divides by."""
    n, k = rows.shape
    weights = 1 if weight is None else weight
    if target.dtype.kind == "f":
        given = np.moveaxis(target, min(1, target.ndim - 1), -1).reshape(n, k)
        return ((1 - smoothing) * given + smoothing / k) * weights, n
    hot, mass = _one_hot(target.reshape(-1), k, weight, ignore, rows.dtype)
    if smoothing:
        kept = (target.reshape(-1, 1) != ignore).astype(rows.dtype)
        hot = (1 - smoothing) * hot + smoothing / k * weights * kept
    return hot, mass


def _weighted(coefficients: Array, log_p: Array) -> Array:
    """The loss of each row; a class that does not count may have probability 0."""
    return -np.multiply(coefficients, log_p, where=coefficients != 0, out=np.zeros_like(log_p)).sum(1)


def _reduce(losses: Array, mass: float, shape: tuple[int, ...], reduction: str) -> tuple[Array, float]:
    """The loss, and the share of its gradient that each row's loss receives."""
    if reduction == "none":
        return losses.reshape(shape), 1.0
    if reduction not in ("mean", "sum"):
        raise AutogradError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    share = 1 / mass if reduction == "mean" and mass else (1.0 if reduction == "sum" else float("nan"))
    return losses.sum() * share, share
