"""Reductions: many numbers to one, over all dimensions or over some."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from collections.abc import Sequence
from math import prod as product
from typing import TypeAlias

import numpy as np

from nablab.autograd.dtypes import Array, DType, int64
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import elementwise, op, vjp

Dim: TypeAlias = int | Sequence[int] | None
Shape: TypeAlias = tuple[int, ...]


def _axes(dim: Dim) -> int | Shape | None:
    return dim if dim is None or isinstance(dim, int) else tuple(dim)


def _restore(reduced: Array, dim: Dim, keepdim: bool) -> Array:
    """The reduced dimensions put back, of length 1, so that the result broadcasts against the input."""
    axes = _axes(dim)
    return reduced if keepdim or axes is None else np.expand_dims(reduced, axes)


def _count(shape: Shape, dim: Dim) -> int:
    """How many numbers become one."""
    axes = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    return product([shape[axis] for axis in axes])


def total_dtype(x: Array) -> DType | None:
    """The type of sums and products: as in PyTorch int64 for any integers, also for those without a sign."""
    return int64 if x.dtype.kind == "u" else None


@op
def sum(x: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
    return x.sum(_axes(dim), dtype=total_dtype(x), keepdims=keepdim)


@vjp(sum)
def _(g: Array, x_shape: Shape, dim: Dim, keepdim: bool) -> Array:
    """g, to each"""
    return np.broadcast_to(_restore(g, dim, keepdim), x_shape)


def fractions(name: str, x: Array) -> None:
    """Raise where a result would be made of fractions and the tensor is made of integers."""
    if x.dtype.kind != "f":
        raise AutogradError(
            f"{name}() needs a floating dtype, this tensor is {x.dtype}; convert it with .float()"
        )


@op
def mean(x: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
    fractions("mean", x)
    return x.mean(_axes(dim), keepdims=keepdim)


@vjp(mean)
def _(g: Array, x_shape: Shape, dim: Dim, keepdim: bool) -> Array:
    """g / n, to each of the n"""
    return np.broadcast_to(_restore(g / _count(x_shape, dim), dim, keepdim), x_shape)


def _deviation(x: Array, dim: Dim) -> Array:
    return x - x.mean(_axes(dim), keepdims=True)


@op
def var(x: Array, *, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Array:
    fractions("var", x)
    return x.var(_axes(dim), ddof=correction, keepdims=keepdim)


@vjp(var)
def _(g: Array, x: Array, dim: Dim, correction: int, keepdim: bool) -> Array:
    share = 2 * g / (_count(x.shape, dim) - correction)
    return _restore(share, dim, keepdim) * _deviation(x, dim)


@op
def std(x: Array, *, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Array:
    fractions("std", x)
    return x.std(_axes(dim), ddof=correction, keepdims=keepdim)


@vjp(std)
def _(g: Array, x: Array, out: Array, dim: Dim, correction: int, keepdim: bool) -> Array:
    """0 where nothing deviates, at the kink"""
    share = np.where(out == 0, 0, g / out) / (_count(x.shape, dim) - correction)
    return _restore(share, dim, keepdim) * _deviation(x, dim)


@elementwise
def norm(x: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
    return np.sqrt((x * x).sum(_axes(dim), keepdims=keepdim))


@vjp(norm)
def _(g: Array, x: Array, out: Array, dim: Dim, keepdim: bool) -> Array:
    return _restore(g / np.where(out == 0, 1, out).astype(out.dtype), dim, keepdim) * x  # 0 at the kink


@elementwise
def logsumexp(x: Array, *, dim: Dim, keepdim: bool = False) -> Array:
    top = x.max(_axes(dim), keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.log(np.exp(x - top).sum(_axes(dim), keepdims=True)) + top
    return total if keepdim else total.squeeze(_axes(dim))


@vjp(logsumexp)
def _(g: Array, x: Array, out: Array, dim: Dim, keepdim: bool) -> Array:
    return _restore(g, dim, keepdim) * np.exp(x - _restore(out, dim, keepdim))


@op
def amax(x: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
    return x.max(_axes(dim), keepdims=keepdim)


@op
def amin(x: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
    return x.min(_axes(dim), keepdims=keepdim)


@vjp(amax)
@vjp(amin)
def _(g: Array, x: Array, out: Array, dim: Dim, keepdim: bool) -> Array:
    """g, to the one chosen; equal ones share it"""
    chosen = x == _restore(out, dim, keepdim)
    return _restore(g, dim, keepdim) * chosen / chosen.sum(_axes(dim), keepdims=True, dtype=x.dtype)


@op
def prod(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Array:
    return x.prod(dim, dtype=total_dtype(x), keepdims=keepdim)


@vjp(prod)
def _(g: Array, x: Array, dim: int | None, keepdim: bool) -> Array:
    """g times the product of the others"""
    if dim is None:
        return g * _others(x.reshape(-1), 0).reshape(x.shape)
    return _restore(g, dim, keepdim) * _others(x, dim)


def _others(x: Array, dim: int) -> Array:
    """The product of all others along `dim`: of those before times those after, so that zeros are fine."""
    before, after = np.ones_like(x), np.ones_like(x)
    b, a, xs = (np.moveaxis(array, dim, 0) for array in (before, after, x))
    np.cumprod(xs[:-1], axis=0, out=b[1:])
    np.cumprod(xs[:0:-1], axis=0, out=a[-2::-1])
    return before * after
