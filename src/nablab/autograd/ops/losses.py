"""Losses of element against element, unreduced: `nn.functional` takes their mean or sum."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import elementwise, vjp
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
