"""Products of matrices, of batches of them, and of vectors."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

import numpy as np

from nablab.autograd import kernels
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import op, vjp

Shape = tuple[int, ...]


def one_dtype(name: str, *arrays: Array | None) -> None:
    """Raise where products would mix dtypes: as in PyTorch, that is to be said and not guessed."""
    dtypes = {str(a.dtype) for a in arrays if a is not None}
    if len(dtypes) > 1:
        raise AutogradError(
            f"{name} of {' and '.join(sorted(dtypes))}: convert one of them, with .float() say"
        )


@op
def matmul(a: Array, b: Array) -> Array:
    one_dtype("matmul", a, b)
    if a.ndim and b.ndim and a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        inner = b.shape[max(b.ndim - 2, 0)]
        raise AutogradError(
            f"matmul of shapes {a.shape} and {b.shape}: {a.shape[-1]} columns meet {inner} rows"
        )
    return a @ b


@vjp(matmul, "a")
def _(g: Array, a_shape: Shape, b: Array) -> Array:
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    if len(a_shape) == 1:
        return (b @ g[..., None])[..., 0]
    return g @ b.mT


@vjp(matmul, "b")
def _(g: Array, a: Array, b_shape: Shape) -> Array:
    if a.ndim == 1:
        return a[:, None] * g[..., None, :] if len(b_shape) > 1 else g * a
    if len(b_shape) == 1:
        return (g[..., None, :] @ a)[..., 0, :]
    return a.mT @ g


@op
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    if x.dtype != weight.dtype:
        one_dtype("linear", x, weight)
    if x.shape[-1:] != weight.shape[1:]:
        raise AutogradError(
            f"linear: the input has {x.shape[-1:][0] if x.ndim else 'no'} features (shape {x.shape}), "
            f"the weight of shape {weight.shape} takes {weight.shape[1]}"
        )
    out = kernels.matmul(weight, _matrix(x).T)  # the units first: see kernels.py
    if bias is not None:
        out += bias[:, None]
    return out.T if x.ndim == 2 else out.T.reshape(*x.shape[:-1], len(weight))


@vjp(linear, "x")
def _(g: Array, weight: Array, x_shape: Shape) -> Array:
    """g @ weight"""
    return kernels.matmul(weight.T, _matrix(g).T).T.reshape(x_shape)


@vjp(linear, "weight")
def _(g: Array, x: Array) -> Array:
    """g.T @ x"""
    return kernels.matmul(_matrix(g).T, _matrix(x))


@vjp(linear, "bias")
def _(g: Array) -> Array:
    """g, summed over the batch"""
    return np.add.reduce(_matrix(g), 0)


def _matrix(x: Array) -> Array:
    """All but the last axis as rows."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
