"""Sending a gradient on only where a value was chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nablab.autograd.dtypes import Array


def chooser(g: Array) -> Callable[..., Array]:
    """`choose(g, chosen)`: the gradient where the mask `chosen` is true, 0 elsewhere; also into `out=`.

    That is their product, which is ten times as quick as `np.where`, unless g is infinite somewhere: 0 times
    infinity is no number, and one root of 0 would spoil the gradients of all that a ReLU had cut off.

    >>> g = np.array([np.inf, 2.0])
    >>> chooser(g)(g, np.array([False, True]))
    array([0., 2.])
    """
    return np.multiply if np.isfinite(g).all() else _where


def _where(g: Array, chosen: Array, out: Array | None = None) -> Array:
    result = np.where(chosen, g, np.zeros((), g.dtype))
    if out is None:
        return result
    out[...] = result
    return out
