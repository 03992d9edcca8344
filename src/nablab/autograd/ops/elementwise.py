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


@elementwise
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    return np.clip(x, min, max)


@vjp(clamp)
def _(g: Array, x: Array, out: Array) -> Array:
    return g * (x == out)


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
