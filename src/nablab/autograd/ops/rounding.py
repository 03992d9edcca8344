"""Steps: rounding, signs, whole quotients and remainders. Where a function is flat, its gradient is 0."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import elementwise, vjp


def _whole(ufunc: np.ufunc, x: Array) -> Array:
    """`ufunc(x)`; integers are whole already, and remain integers."""
    return x if np.asarray(x).dtype.kind in "iu" else ufunc(x)


@elementwise
def floor(x: Array) -> Array:
    return _whole(np.floor, x)


@elementwise
def ceil(x: Array) -> Array:
    return _whole(np.ceil, x)


@elementwise
def trunc(x: Array) -> Array:
    return _whole(np.trunc, x)


@elementwise
def round(x: Array, *, decimals: int = 0) -> Array:
    """To the nearest, and from the middle to the even one."""
    return np.round(x, decimals)


@elementwise
def sign(x: Array) -> Array:
    return np.sign(x)


@vjp(floor)
@vjp(ceil)
@vjp(trunc)
@vjp(round)
@vjp(sign)
def _(g: Array) -> Array:
    return np.zeros_like(g)


def _check_divisor(a: Array, b: Array) -> None:
    if np.result_type(a, b).kind in "iub" and not np.all(b):
        raise AutogradError("an integer divided by 0 has no whole result; convert it with .float()")


@elementwise
def floor_divide(a: Array, b: Array) -> Array:
    _check_divisor(a, b)
    return np.floor_divide(a, b)


@vjp(floor_divide, "a")
@vjp(floor_divide, "b")
def _(g: Array) -> Array:
    return np.zeros_like(g)


@elementwise
def remainder(a: Array, b: Array) -> Array:
    """a - b floor(a / b): it has the sign of b, as Python's %."""
    _check_divisor(a, b)
    return np.remainder(a, b)


@elementwise
def fmod(a: Array, b: Array) -> Array:
    """a - b trunc(a / b): it has the sign of a, as C's %."""
    _check_divisor(a, b)
    return np.fmod(a, b)


@vjp(remainder, "a")
@vjp(fmod, "a")
def _(g: Array) -> Array:
    return g


@vjp(remainder, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return -g * np.floor_divide(a, b)


@vjp(fmod, "b")
def _(g: Array, a: Array, b: Array) -> Array:
    return -g * np.trunc(a / b)
