"""PyTorch's functions of tensors.

Most are methods, called by name. The others have a signature of their own, for several tensors say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nablab.autograd import ops
from nablab.autograd.create import as_tensor
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.tensor import Tensor

add, sub, div = Tensor.add, Tensor.sub, Tensor.div
multiply, subtract, divide = ops.mul, Tensor.sub, Tensor.div
eq, ne, lt, le, gt, ge = Tensor.eq, Tensor.ne, Tensor.lt, Tensor.le, Tensor.gt, Tensor.ge
logical_and, logical_or, logical_xor = Tensor.logical_and, Tensor.logical_or, Tensor.logical_xor
logical_not, isnan, isinf, isfinite = Tensor.logical_not, Tensor.isnan, Tensor.isinf, Tensor.isfinite
isclose, equal, any, all = Tensor.isclose, Tensor.equal, Tensor.any, Tensor.all
clamp, clamp_min, clamp_max, clip = Tensor.clamp, Tensor.clamp_min, Tensor.clamp_max, Tensor.clip
cumsum = Tensor.cumsum

sum, mean, prod = Tensor.sum, Tensor.mean, Tensor.prod
var, std, norm, median = Tensor.var, Tensor.std, Tensor.norm, Tensor.median
max, min, argmax, argmin = Tensor.max, Tensor.min, Tensor.argmax, Tensor.argmin
sort, argsort, topk = Tensor.sort, Tensor.argsort, Tensor.topk
nonzero, count_nonzero, unique, bincount = (
    Tensor.nonzero,
    Tensor.count_nonzero,
    Tensor.unique,
    Tensor.bincount,
)

mm, mv, bmm, dot, outer = Tensor.mm, Tensor.mv, Tensor.bmm, Tensor.dot, Tensor.outer
diag, trace, t, inverse = Tensor.diag, Tensor.trace, Tensor.t, Tensor.inverse

reshape, ravel, broadcast_to, swapaxes = Tensor.reshape, Tensor.ravel, Tensor.broadcast_to, Tensor.swapaxes
flip, repeat_interleave = Tensor.flip, Tensor.repeat_interleave
split, chunk, unbind = Tensor.split, Tensor.chunk, Tensor.unbind
index_select, masked_select, masked_fill = Tensor.index_select, Tensor.masked_select, Tensor.masked_fill
gather, scatter, numel = Tensor.gather, Tensor.scatter, Tensor.numel


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other, along a dimension that they have."""
    return ops.cat(*tensors, dim=dim)


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new dimension."""
    return ops.stack(*tensors, dim=dim)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side: vectors one after the other, others along their second dimension."""
    return cat(tensors, 0 if tensors[0].ndim < 2 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One below the other; vectors are rows."""
    return cat([x.unsqueeze(0) if x.ndim < 2 else x for x in tensors])


def where(condition: Tensor | Array, a: Any = None, b: Any = None) -> Any:
    """`a` where the condition holds, `b` elsewhere; without them, the indices of where it holds."""
    if a is None and b is None:
        return as_tensor(condition).nonzero(as_tuple=True)
    return ops.where(condition, a, b)


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """True where all |a - b| <= atol + rtol |b|."""
    return as_tensor(a).allclose(as_tensor(b), rtol, atol, equal_nan)


def meshgrid(*axes: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, a tensor for each axis: with "ij" rows come first, with "xy" columns."""
    vectors = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
    if indexing not in ("ij", "xy"):
        raise AutogradError(f"indexing is 'ij' or 'xy', not {indexing!r}")
    if indexing == "xy" and len(vectors) > 1:
        y, x, *others = meshgrid(vectors[1], vectors[0], *vectors[2:])
        return x, y, *others
    sizes = [x.numel() for x in vectors]
    return tuple(
        [
            x.reshape([-1 if j == i else 1 for j in range(len(sizes))]).expand(sizes)
            for i, x in enumerate(vectors)
        ]
    )


def is_tensor(x: object) -> bool:
    return isinstance(x, Tensor)
