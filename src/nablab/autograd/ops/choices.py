"""Choosing between values, element by element: the gradient goes to the one that was chosen."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.op import elementwise, op, vjp


@elementwise
def maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@vjp(maximum, "a")
def _(g: Array, a: Array, b: Array) -> Array:
    return g * _share(a > b, a == b)


@vjp(maximum, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return g * _share(b > a, a == b)


@elementwise
def minimum(a: Array, b: Array) -> Array:
    return np.minimum(a, b)


@vjp(minimum, "a")
def _(g: Array, a: Array, b: Array) -> Array:
    return g * _share(a < b, a == b)


@vjp(minimum, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return g * _share(b < a, a == b)


def _share(chosen: Array, equal: Array) -> Array:
    """1 for the one chosen; where both are equal, each takes half of the gradient."""
    return np.add(chosen, 0.5 * equal, dtype=np.float32)


@op
def where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition, a, b)


@vjp(where, "a")
def _(g: Array, condition: Array) -> Array:
    return np.where(condition, g, 0)


@vjp(where, "b")
def _(g: Array, condition: Array) -> Array:
    return np.where(condition, 0, g)


@elementwise
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    return np.clip(x, min, max)


@vjp(clamp)
def _(g: Array, x: Array, out: Array) -> Array:
    return g * (x == out)
