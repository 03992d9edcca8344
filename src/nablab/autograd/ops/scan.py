"""Running sums and products along a dimension."""

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.op import op, vjp
from nablab.autograd.ops.reduce import total_dtype


@op
def cumsum(x: Array, *, dim: int) -> Array:
    return np.cumsum(x, dim, dtype=total_dtype(x)).reshape(x.shape)


@vjp(cumsum)
def _(g: Array, dim: int) -> Array:
    """The sum of all g from here on"""
    return np.flip(np.cumsum(np.flip(g, dim), dim), dim)


@op
def cumprod(x: Array, *, dim: int) -> Array:
    return np.cumprod(x, dim, dtype=total_dtype(x))


@vjp(cumprod)
def _(g: Array, x: Array, dim: int) -> Array:
    """The product of those before, times what those after make of it: no division, so that zeros are fine."""
    before, after = np.ones_like(x), g.copy()
    xs, befores, afters = (np.moveaxis(array, dim, 0) for array in (x, before, after))
    np.cumprod(xs[:-1], axis=0, out=befores[1:])
    for i in range(len(xs) - 2, -1, -1):  # g_i + x_(i+1) (g_(i+1) + x_(i+2) (...)), by Horner's rule
        afters[i] += xs[i + 1] * afters[i + 1]
    return np.asarray(before * after)
