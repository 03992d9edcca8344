"""Further elementary functions: angles, hyperbolas, logarithms to other bases, the error function."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from math import log as ln
from math import pi

import numpy as np

from nablab.autograd import special
from nablab.autograd.dtypes import Array
from nablab.autograd.op import elementwise, vjp


@elementwise
def tan(x: Array) -> Array:
    return np.tan(x)


@vjp(tan)
def _(g: Array, out: Array) -> Array:
    return g * (1 + out * out)


@elementwise
def asin(x: Array) -> Array:
    return np.arcsin(x)


@vjp(asin)
def _(g: Array, x: Array) -> Array:
    return g / np.sqrt(1 - x * x)


@elementwise
def acos(x: Array) -> Array:
    return np.arccos(x)


@vjp(acos)
def _(g: Array, x: Array) -> Array:
    return -g / np.sqrt(1 - x * x)


@elementwise
def atan(x: Array) -> Array:
    return np.arctan(x)


@vjp(atan)
def _(g: Array, x: Array) -> Array:
    return g / (1 + x * x)


@elementwise
def sinh(x: Array) -> Array:
    return np.sinh(x)


@vjp(sinh)
def _(g: Array, x: Array) -> Array:
    return g * np.cosh(x)


@elementwise
def cosh(x: Array) -> Array:
    return np.cosh(x)


@vjp(cosh)
def _(g: Array, x: Array) -> Array:
    return g * np.sinh(x)


@elementwise
def expm1(x: Array) -> Array:
    return np.expm1(x)


@vjp(expm1)
def _(g: Array, out: Array) -> Array:
    return g * (out + 1)


@elementwise
def log2(x: Array) -> Array:
    return np.log2(x)


@vjp(log2)
def _(g: Array, x: Array) -> Array:
    return g / (x * ln(2))


@elementwise
def log10(x: Array) -> Array:
    return np.log10(x)


@vjp(log10)
def _(g: Array, x: Array) -> Array:
    return g / (x * ln(10))


@elementwise
def rsqrt(x: Array) -> Array:
    return 1 / np.sqrt(x)


@vjp(rsqrt)
def _(g: Array, out: Array) -> Array:
    return -0.5 * g * out**3


@elementwise
def erf(x: Array) -> Array:
    return special.erf(np.asarray(x, None if np.asarray(x).dtype.kind == "f" else np.float64))


@vjp(erf)
def _(g: Array, x: Array) -> Array:
    return g * np.exp(-x * x) * (2 / pi**0.5)
