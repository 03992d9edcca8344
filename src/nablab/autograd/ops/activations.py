"""Activations: how each bends its input, and the slope that the gradient is multiplied with."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.chosen import chooser
from nablab.autograd.dtypes import Array
from nablab.autograd.op import elementwise, op, vjp
from nablab.autograd.ops.reduce import fractions
from nablab.autograd.special import normal_cdf, normal_pdf


@op
def relu(x: Array) -> Array:
    return np.maximum(x, 0)


@vjp(relu)
def _(g: Array, out: Array) -> Array:
    """g * (out > 0)"""
    return chooser(g)(g, out > 0)


@elementwise
def relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


@vjp(relu6)
def _(g: Array, out: Array) -> Array:
    """g * (0 < out < 6)"""
    return chooser(g)(g, (out > 0) & (out < 6))


@elementwise
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    return np.where(x > 0, x, negative_slope * x)


@vjp(leaky_relu)
def _(g: Array, x: Array, negative_slope: float) -> Array:
    return np.where(x > 0, g, negative_slope * g)


@elementwise
def prelu(x: Array, weight: Array) -> Array:
    return np.where(x > 0, x, weight * x)


@vjp(prelu, "x")
def _(g: Array, x: Array, weight: Array) -> Array:
    return np.where(x > 0, g, weight * g)


@vjp(prelu, "weight")
def _(g: Array, x: Array) -> Array:
    return g * np.minimum(x, 0)


@elementwise
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@vjp(elu)
def _(g: Array, x: Array, alpha: float) -> Array:
    return g * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


@elementwise
def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


@vjp(softplus)
def _(g: Array, x: Array, beta: float, threshold: float) -> Array:
    return g * np.where(x * beta > threshold, 1, logistic(x * beta))


@elementwise
def tanh(x: Array) -> Array:
    return np.tanh(x)


@vjp(tanh)
def _(g: Array, out: Array) -> Array:
    return g * (1 - out * out)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@elementwise
def sigmoid(x: Array) -> Array:
    return logistic(x)


@vjp(sigmoid)
def _(g: Array, out: Array) -> Array:
    return g * out * (1 - out)


@elementwise
def logsigmoid(x: Array) -> Array:
    return -np.logaddexp(0, -x)


@vjp(logsigmoid)
def _(g: Array, x: Array) -> Array:
    return g * logistic(-x)


@elementwise
def silu(x: Array) -> Array:
    return x * logistic(x)


@vjp(silu)
def _(g: Array, x: Array) -> Array:
    s = logistic(x)
    return g * s * (1 + x * (1 - s))


@elementwise
def gelu(x: Array, *, approximate: str = "none") -> Array:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(_cubic(x)))
    return x * normal_cdf(x)


@vjp(gelu)
def _(g: Array, x: Array, approximate: str) -> Array:
    if approximate == "tanh":
        t = np.tanh(_cubic(x))
        slope = float(np.sqrt(2 / np.pi)) * (1 + 3 * 0.044715 * x * x)
        return g * 0.5 * (1 + t + x * (1 - t * t) * slope)
    return g * (normal_cdf(x) + x * normal_pdf(x))


def _cubic(x: Array) -> Array:
    return float(np.sqrt(2 / np.pi)) * (x + 0.044715 * x**3)


@op
def softmax(x: Array, *, dim: int) -> Array:
    fractions("softmax", x)
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


@vjp(softmax)
def _(g: Array, out: Array, dim: int) -> Array:
    return out * (g - (g * out).sum(dim, keepdims=True))


@op
def log_softmax(x: Array, *, dim: int) -> Array:
    fractions("log_softmax", x)
    shifted = x - x.max(dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(dim, keepdims=True))


@vjp(log_softmax)
def _(g: Array, out: Array, dim: int) -> Array:
    return g - np.exp(out) * g.sum(dim, keepdims=True)
