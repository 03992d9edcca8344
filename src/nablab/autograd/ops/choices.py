"""Choosing between values, element by element: the gradient goes to the one that was chosen."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.chosen import chooser
from nablab.autograd.dtypes import Array, common_dtype
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import elementwise, op, vjp


@elementwise
def maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@vjp(maximum, "a")
def _(g: Array, a: Array, b: Array) -> Array:
    return _share(g, a > b, a == b)


@vjp(maximum, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return _share(g, b > a, a == b)


@elementwise
def minimum(a: Array, b: Array) -> Array:
    return np.minimum(a, b)


@vjp(minimum, "a")
def _(g: Array, a: Array, b: Array) -> Array:
    return _share(g, a < b, a == b)


@vjp(minimum, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return _share(g, b < a, a == b)


def _share(g: Array, chosen: Array, equal: Array) -> Array:
    """g for the one chosen; where both are equal, each takes half of it."""
    share = np.add(chosen, 0.5 * equal, dtype=np.float32)
    return chooser(g)(g, share > 0) * share


@op
def where(condition: Array, a: Array, b: Array) -> Array:
    if np.asarray(condition).dtype.kind != "b":
        raise AutogradError(f"a condition is made of bools, not {condition.dtype}: compare it, with != 0 say")
    return np.where(condition, a, b).astype(common_dtype([a, b]), copy=False)


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
    """g where x is within the bounds"""
    return chooser(g)(g, x == out)
