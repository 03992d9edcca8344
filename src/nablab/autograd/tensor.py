"""The tensor: what one can compute of it, by PyTorch's names and signatures.

What else one can call on it, class by class: `variable.py`, `comparisons.py`, `arithmetic.py`, `casts.py`,
`mutation.py`, `shapes.py`, `ordering.py`, `elementwise.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import TypeAlias

from nablab.autograd.comparisons import Operand
from nablab.autograd.dtypes import Array
from nablab.autograd.elementwise import Elementwise
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS
from nablab.autograd.show import show
from nablab.autograd.variable import Variable

Dim: TypeAlias = int | Sequence[int] | None


class Tensor(Elementwise):
    """An array of numbers that remembers how it was computed.

    Made by `tensor(...)` and its relatives, and by operations on other tensors.

    >>> from nablab import autograd
    >>> x = autograd.ones(2, 2, requires_grad=True)
    >>> out = (3 * (x + 2) ** 2).mean()
    >>> out
    tensor(27., grad_fn=<MeanBackward>)
    >>> out.backward()
    >>> x.grad
    tensor([[4.5000, 4.5000],
            [4.5000, 4.5000]])
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return show(self)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self.value)))

    @staticmethod
    def _plain(value: Array) -> Tensor:
        return Tensor(value)

    # Reductions.

    # `axis` and `keepdims` are NumPy's names, which PyTorch knows too.

    def sum(
        self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None, keepdims: bool = False
    ) -> Tensor:
        return OPS["sum"](self, dim=dim if axis is None else axis, keepdim=keepdim or keepdims)

    def mean(
        self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None, keepdims: bool = False
    ) -> Tensor:
        return OPS["mean"](self, dim=dim if axis is None else axis, keepdim=keepdim or keepdims)

    def prod(
        self,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        axis: int | None = None,
        keepdims: bool = False,
    ) -> Tensor:
        return OPS["prod"](self, dim=dim if axis is None else axis, keepdim=keepdim or keepdims)

    def var(
        self, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None,
        axis: Dim = None, keepdims: bool = False,
    ) -> Tensor:  # fmt: skip
        """The mean squared deviation, n - `correction` dividing: 1, or where not `unbiased` 0."""
        return OPS["var"](
            self, dim=dim if axis is None else axis, keepdim=keepdim or keepdims,
            correction=int(unbiased) if correction is None else correction,
        )  # fmt: skip

    def std(
        self, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None,
        axis: Dim = None, keepdims: bool = False,
    ) -> Tensor:  # fmt: skip
        """The root of the variance, as `var` takes it."""
        return OPS["std"](
            self, dim=dim if axis is None else axis, keepdim=keepdim or keepdims,
            correction=int(unbiased) if correction is None else correction,
        )  # fmt: skip

    def cumsum(self, dim: int | None = None, *, axis: int | None = None) -> Tensor:
        """The sum of all entries up to each."""
        if dim is None and axis is None:
            raise TypeError("cumsum() misses dim")
        return OPS["cumsum"](self, dim=dim if axis is None else axis)

    def cumprod(self, dim: int) -> Tensor:
        """The product of all entries up to each."""
        return OPS["cumprod"](self, dim=dim)

    def norm(self, p: float | str | None = "fro", dim: Dim = None, keepdim: bool = False) -> Tensor:
        """(sum |x|^p)^(1/p), for p = 1, 2 (or "fro") and infinity; over all entries, or along `dim`."""
        if p == 1:
            return self.abs().sum(dim, keepdim)
        if p == inf:
            return self.abs().amax(dim, keepdim)
        if p not in (2, "fro", None):
            raise AutogradError(f"norm takes p = 1, 2 or infinity, not {p!r}")
        return OPS["norm"](self, dim=dim, keepdim=keepdim)

    def logsumexp(self, dim: Dim, keepdim: bool = False) -> Tensor:
        return OPS["logsumexp"](self, dim=dim, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        return OPS["amax"](self, dim=dim, keepdim=keepdim)

    def amin(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        return OPS["amin"](self, dim=dim, keepdim=keepdim)

    # Linear algebra.

    def matmul(self, other: Operand) -> Tensor:
        return OPS["matmul"](self, other)

    def mm(self, other: Variable) -> Tensor:
        """The product of two matrices."""
        return self._product("mm", other, 2, 2)

    def mv(self, other: Variable) -> Tensor:
        """The product of a matrix with a vector."""
        return self._product("mv", other, 2, 1)

    def bmm(self, other: Variable) -> Tensor:
        """The products of two batches of matrices, one by one."""
        return self._product("bmm", other, 3, 3)

    def dot(self, other: Variable) -> Tensor:
        """The scalar product of two vectors."""
        return self._product("dot", other, 1, 1)

    def _product(self, name: str, other: Variable, *ndims: int) -> Tensor:
        if (self.ndim, other.ndim) != ndims:
            raise AutogradError(
                f"{name} takes tensors of {ndims[0]} and {ndims[1]} dimensions, these have the shapes "
                f"{self.shape} and {other.shape}; a @ b takes any"
            )
        return OPS["matmul"](self, other)

    def outer(self, other: Variable) -> Tensor:
        """The matrix of all products of the entries of two vectors."""
        return self.unsqueeze(1) * other

    def inverse(self) -> Tensor:
        """Of a square matrix, or of each in a batch. Raises AutogradError for a singular one."""
        return OPS["inv"](self)
