"""PyTorch's functions of tensors whose signature differs from that of the operation behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nablab.autograd import ops
from nablab.autograd.create import as_tensor
from nablab.autograd.dtypes import Array
from nablab.autograd.tensor import Tensor


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other, along a dimension that they have."""
    return ops.cat(*tensors, dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new dimension."""
    return ops.stack(*tensors, dim=dim)


def where(condition: Tensor | Array, a: Any, b: Any) -> Tensor:
    """`a` where the condition holds, `b` elsewhere."""
    return ops.where(condition, a, b)


def gather(x: Tensor, dim: int, index: Tensor | Array) -> Tensor:
    """out[i][j] = x[index[i][j]][j] for dim 0, x[i][index[i][j]] for dim 1."""
    return x.gather(dim, index)


def max(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    return x.max(dim, keepdim)


def min(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    return x.min(dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return x.argmax(dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return x.argmin(dim, keepdim)


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    return ops.reshape(x, shape=tuple(shape))


def flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    return ops.flip(x, dims=tuple(dims))


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The scalar product of two vectors."""
    return ops.matmul(a, b)


def norm(
    x: Tensor, p: float | str | None = "fro", dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    return x.norm(p, dim, keepdim)


mm = mv = bmm = ops.matmul


def outer(a: Tensor, b: Tensor) -> Tensor:
    """The matrix of all products of the entries of two vectors."""
    return a.unsqueeze(1) * b


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    return bool(np.allclose(as_tensor(a).value, as_tensor(b).value, rtol, atol))


def equal(a: Tensor, b: Tensor) -> bool:
    """True for the same shape and the same values."""
    return bool(np.array_equal(a.value, b.value))
