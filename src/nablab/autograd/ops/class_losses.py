"""Losses over classes: cross entropy and negative log likelihood, with all options of PyTorch's.

One matrix of coefficients says everything: loss[i] = - sum over classes k of coefficients[i, k] log_p[i, k].
It has a one in the column of the class; weights, smoothing and probabilities only change what stands in it.
"""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import Any

import numpy as np

from nablab.autograd import kernels
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import op, vjp

Shape = tuple[int, ...]
Result = tuple[Array, dict[str, Any]]


@op
def nll_loss(
    log_p: Array, target: Array, weight: Array | None = None, *,
    ignore_index: int = -100, reduction: str = "mean",
) -> Result:  # fmt: skip
    """-log_p of the target class. log_p (N, K), (N, K, d1, ...) or (K,); target (N, ...)."""
    rows, shape = _rows(log_p, target)
    coefficients, mass = _one_hot(target.reshape(-1), rows.shape[1], weight, ignore_index, rows.dtype)
    out, share = _reduce(_weighted(coefficients, rows), mass, shape, reduction)
    return out, {"slope": -coefficients, "share": share}


@op
def cross_entropy(
    x: Array, target: Array, weight: Array | None = None, *,
    ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Result:  # fmt: skip
    """log_softmax and nll_loss in one. The target holds classes, or probabilities in the shape of x."""
    rows, shape = _rows(x, target)
    plain = weight is None and not label_smoothing and target.dtype.kind != "f"
    if plain and not 0 <= ignore_index < rows.shape[1]:
        fast = kernels.class_losses(rows, target.reshape(-1))
        if fast is not None:
            out, share = _reduce(fast[0], len(rows), shape, reduction)
            return out, {"slope": fast[1], "share": share}
    shifted = rows - rows.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    coefficients, mass = _coefficients(target, rows, weight, ignore_index, label_smoothing)
    out, share = _reduce(_weighted(coefficients, log_p), mass, shape, reduction)
    slope = np.exp(log_p) * coefficients.sum(1, keepdims=True) - coefficients
    return out, {"slope": slope, "share": share}


@vjp(nll_loss, "log_p")
def _(g: Array, slope: Array, share: float, log_p_shape: Shape) -> Array:
    """-g / n in the column of the class"""
    return _unrows(slope * (g.item() * share) if g.ndim == 0 else g.reshape(-1, 1) * slope, log_p_shape)


@vjp(cross_entropy, "x")
def _(g: Array, slope: Array, share: float, x_shape: Shape) -> Array:
    """g / n times (softmax(x) - one-hot target)"""
    return _unrows(slope * (g.item() * share) if g.ndim == 0 else g.reshape(-1, 1) * slope, x_shape)


def _rows(x: Array, target: Array) -> tuple[Array, Shape]:
    """The classes as columns, everything else as rows; and the shape of the unreduced loss."""
    if target.dtype.kind == "b":
        raise AutogradError("classes must be integers, the target is bool; convert it with .long()")
    expected = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if target.shape != (x.shape if target.dtype.kind == "f" else expected):
        raise AutogradError(
            f"scores of shape {x.shape} need classes of shape {expected}, or probabilities in the shape of "
            f"the scores; the target is {target.dtype} of shape {target.shape}"
        )
    if x.ndim == 2:
        return x, expected
    return np.moveaxis(x, min(1, x.ndim - 1), -1).reshape(-1, x.shape[min(1, x.ndim - 1)]), expected


def _unrows(rows: Array, shape: Shape) -> Array:
    if len(shape) == 2:
        return rows
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


def _reduce(losses: Array, mass: float, shape: Shape, reduction: str) -> tuple[Array, float]:
    """The loss, and the share of its gradient that each row's loss receives."""
    if reduction == "none":
        return losses.reshape(shape), 1.0
    if reduction not in ("mean", "sum"):
        raise AutogradError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    share = 1 / mass if reduction == "mean" and mass else (1.0 if reduction == "sum" else float("nan"))
    return np.add.reduce(losses) * share, share
