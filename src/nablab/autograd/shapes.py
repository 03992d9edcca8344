"""A tensor in another shape, and parts of it: what moves values and computes none."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nablab.autograd.comparisons import Operand
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS
from nablab.autograd.mutation import Mutation
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Shapes(Mutation):
    """Reshaping, repeating, cutting and picking."""

    __slots__ = ()

    def reshape(self, *shape: Any) -> Tensor:
        return OPS["reshape"](self, shape=numbers(shape))

    view = reshape

    def view_as(self, other: Variable) -> Tensor:
        return OPS["reshape"](self, shape=other.shape)

    reshape_as = view_as

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        return OPS["flatten"](self, start_dim=start_dim, end_dim=end_dim)

    def ravel(self) -> Tensor:
        return self.flatten()

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        return OPS["transpose"](self, dim0=dim0, dim1=dim1)

    swapaxes = transpose

    def permute(self, *dims: Any) -> Tensor:
        return OPS["permute"](self, dims=numbers(dims))

    def t(self) -> Tensor:
        """A matrix transposed; a vector as it is."""
        return OPS["permute"](self, dims=tuple(range(self.ndim))[::-1])

    T = property(t)

    @property
    def mT(self) -> Tensor:  # noqa: N802  (PyTorch's name)
        return OPS["transpose"](self, dim0=-2, dim1=-1)

    def squeeze(self, dim: int | None = None) -> Tensor:
        return OPS["squeeze"](self, dim=dim)

    def unsqueeze(self, dim: int) -> Tensor:
        return OPS["unsqueeze"](self, dim=dim)

    def expand(self, *shape: Any) -> Tensor:
        return OPS["expand"](self, shape=numbers(shape))

    broadcast_to = expand

    def expand_as(self, other: Variable) -> Tensor:
        return OPS["expand"](self, shape=other.shape)

    def repeat(self, *repeats: Any) -> Tensor:
        """Copies one after the other, so many along each dimension."""
        return OPS["repeat"](self, repeats=numbers(repeats))

    def repeat_interleave(self, repeats: Any, dim: int | None = None) -> Tensor:
        """Each entry (or, with `dim`, each slice) so many times in a row."""
        if dim is None:
            return self.flatten().repeat_interleave(repeats, 0)
        return self._at(
            dim, np.repeat(np.arange(self.shape[self._place(dim)]), getattr(repeats, "value", repeats))
        )

    def flip(self, *axes: Any, dims: Any = ()) -> Tensor:
        """The other way round along these dimensions."""
        return OPS["flip"](self, dims=numbers(axes or (dims,)))

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """Each entry so many places on, and from the end to the beginning."""
        return OPS["roll"](self, shifts=shifts, dims=dims)

    def contiguous(self) -> Tensor:
        return cast("Tensor", self) if self.value.flags.c_contiguous else self.clone()

    def clone(self) -> Tensor:
        return OPS["clone"](self)

    # Parts.

    def _place(self, dim: int) -> int:
        """The dimension counted from the first. Raises AutogradError where there is no such one."""
        if not -self.ndim <= dim < self.ndim:
            raise AutogradError(f"dimension {dim} of a tensor of shape {self.shape}, which has {self.ndim}")
        return dim % self.ndim

    def _at(self, dim: int, key: Any) -> Tensor:
        """The part at `key` along one dimension."""
        return self[(slice(None),) * self._place(dim) + (key,)]

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Views of pieces: each of `split_size`, the last maybe smaller; or of the sizes that are listed."""
        n = self.shape[self._place(dim)]
        if isinstance(split_size, int):
            if split_size < 1:
                raise AutogradError(f"split() cuts pieces of 1 or more, not of {split_size}")
            ends = [min(start + split_size, n) for start in range(0, max(n, 1), split_size)]
        else:
            ends = np.cumsum(split_size).tolist()
            if ends[-1] != n:
                raise AutogradError(
                    f"split into {list(split_size)}, in all {ends[-1]}, of a dimension of {n}"
                )
        return tuple([self._at(dim, slice(a, b)) for a, b in zip([0, *ends[:-1]], ends, strict=True)])

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """At most so many views of equal pieces, the last maybe smaller."""
        if chunks < 1:
            raise AutogradError(f"chunk() cuts into 1 piece or more, not {chunks}")
        return self.split(max(1, ceil(self.shape[self._place(dim)] / chunks)), dim)

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of all slices along a dimension."""
        return tuple([self._at(dim, i) for i in range(self.shape[self._place(dim)])])

    def index_select(self, dim: int, index: Tensor | Array) -> Tensor:
        return self._at(dim, getattr(index, "value", index))

    def masked_select(self, mask: Tensor | Array) -> Tensor:
        return self[mask]

    def masked_fill(self, mask: Tensor | Array, value: Operand) -> Tensor:
        """`value` where the mask holds."""
        return OPS["where"](mask, value, self)

    def where(self, condition: Tensor | Array, other: Operand) -> Tensor:
        """The tensor where the condition holds, `other` elsewhere."""
        return OPS["where"](condition, self, other)

    def gather(self, dim: int, index: Tensor | Array) -> Tensor:
        """out[i][j] = x[index[i][j]][j] for dim 0, x[i][index[i][j]] for dim 1."""
        return OPS["gather"](self, index, dim=dim)

    def scatter(self, dim: int, index: Tensor | Array, src: Operand) -> Tensor:
        """out[index[i][j]][j] = src[i][j] for dim 0, elsewhere as it was: the reverse of `gather`."""
        return OPS["scatter"](self, index, src, dim=dim)

    # Matrices.

    def diag(self, diagonal: int = 0) -> Tensor:
        """A vector as the diagonal of a matrix; of a matrix, its diagonal."""
        return OPS["diag"](self, diagonal=diagonal)

    def trace(self) -> Tensor:
        return self.diag().sum()

    def triu(self, diagonal: int = 0) -> Tensor:
        """The triangle from a diagonal on to the upper right, 0 elsewhere."""
        return OPS["triu"](self, diagonal=diagonal)

    def tril(self, diagonal: int = 0) -> Tensor:
        """The triangle from a diagonal on to the lower left, 0 elsewhere."""
        return OPS["tril"](self, diagonal=diagonal)


def numbers(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one tuple or list."""
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return tuple(arguments[0])
    return arguments
