"""Arithmetic and elementary functions, element by element; inputs broadcast."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array, DType
from nablab.autograd.op import elementwise, op, vjp


@elementwise
def add(a: Array, b: Array) -> Array:
    return a + b


@vjp(add, "a")
def _(g: Array) -> Array:
    return g


@vjp(add, "b")
def _(g: Array) -> Array:
    return g


@elementwise
def sub(a: Array, b: Array) -> Array:
    return a - b


@vjp(sub, "a")
def _(g: Array) -> Array:
    return g


@vjp(sub, "b")
def _(g: Array) -> Array:
    return -g


@elementwise
def mul(a: Array, b: Array) -> Array:
    return a * b


@vjp(mul, "a")
def _(g: Array, b: Array) -> Array:
    return g * b


@vjp(mul, "b")
def _(g: Array, a: Array) -> Array:
    return g * a


@elementwise
def div(a: Array, b: Array) -> Array:
    return np.true_divide(a, b)


@vjp(div, "a")
def _(g: Array, b: Array) -> Array:
    return g / b


@vjp(div, "b")
def _(g: Array, b: Array, out: Array) -> Array:
    return -g * out / b


@elementwise
def pow(a: Array, b: Array) -> Array:
    return a**b


@vjp(pow, "a")
def _(g: Array, a: Array, b: Array) -> Array:
    return g * b * a ** (b - (b != 0))  # b a^(b-1), and 0 where b = 0, even at a = 0


@vjp(pow, "b")
def _(g: Array, a: Array, out: Array) -> Array:
    return g * out * np.log(np.where(a == 0, 1, a))


@elementwise
def neg(x: Array) -> Array:
    return -x


@vjp(neg)
def _(g: Array) -> Array:
    return -g


@elementwise
def abs(x: Array) -> Array:
    return np.abs(x)


@vjp(abs)
def _(g: Array, x: Array) -> Array:
    return g * np.sign(x)


@elementwise
def exp(x: Array) -> Array:
    return np.exp(x)


@vjp(exp)
def _(g: Array, out: Array) -> Array:
    return g * out


@elementwise
def log(x: Array) -> Array:
    return np.log(x)


@vjp(log)
def _(g: Array, x: Array) -> Array:
    return g / x


@elementwise
def log1p(x: Array) -> Array:
    return np.log1p(x)


@vjp(log1p)
def _(g: Array, x: Array) -> Array:
    return g / (1 + x)


@elementwise
def sqrt(x: Array) -> Array:
    return np.sqrt(x)


@vjp(sqrt)
def _(g: Array, out: Array) -> Array:
    return g / (2 * out)


@elementwise
def square(x: Array) -> Array:
    return x * x


@vjp(square)
def _(g: Array, x: Array) -> Array:
    return 2 * g * x


@elementwise
def reciprocal(x: Array) -> Array:
    return 1 / x


@vjp(reciprocal)
def _(g: Array, out: Array) -> Array:
    return -g * out * out


@elementwise
def sin(x: Array) -> Array:
    return np.sin(x)


@vjp(sin)
def _(g: Array, x: Array) -> Array:
    return g * np.cos(x)


@elementwise
def cos(x: Array) -> Array:
    return np.cos(x)


@vjp(cos)
def _(g: Array, x: Array) -> Array:
    return -g * np.sin(x)


@op
def to_copy(x: Array, *, dtype: DType) -> Array:
    return x.astype(dtype)


@vjp(to_copy)
def _(g: Array) -> Array:
    return g


@op
def clone(x: Array) -> Array:
    return x.copy()


@vjp(clone)
def _(g: Array) -> Array:
    return g
