"""The tensor: everything one can call on it, by PyTorch's names and signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nablab.autograd.arithmetic import Operand
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS
from nablab.autograd.mutation import Mutation
from nablab.autograd.show import show

Dim: TypeAlias = int | Sequence[int] | None


class ValuesIndices(NamedTuple):
    """What `max(dim)`, `min(dim)` and `topk` return."""

    values: Tensor
    indices: Tensor


class Tensor(Mutation):
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

    # Elementwise.

    def add(self, other: Operand) -> Tensor:
        return OPS["add"](self, other)

    def sub(self, other: Operand) -> Tensor:
        return OPS["sub"](self, other)

    def mul(self, other: Operand) -> Tensor:
        return OPS["mul"](self, other)

    def div(self, other: Operand) -> Tensor:
        return OPS["div"](self, other)

    def pow(self, exponent: Operand) -> Tensor:
        return OPS["pow"](self, exponent)

    def neg(self) -> Tensor:
        return OPS["neg"](self)

    def abs(self) -> Tensor:
        return OPS["abs"](self)

    def exp(self) -> Tensor:
        return OPS["exp"](self)

    def log(self) -> Tensor:
        return OPS["log"](self)

    def log1p(self) -> Tensor:
        return OPS["log1p"](self)

    def sqrt(self) -> Tensor:
        return OPS["sqrt"](self)

    def square(self) -> Tensor:
        return OPS["square"](self)

    def reciprocal(self) -> Tensor:
        return OPS["reciprocal"](self)

    def sin(self) -> Tensor:
        return OPS["sin"](self)

    def cos(self) -> Tensor:
        return OPS["cos"](self)

    def tanh(self) -> Tensor:
        return OPS["tanh"](self)

    def sigmoid(self) -> Tensor:
        return OPS["sigmoid"](self)

    def relu(self) -> Tensor:
        return OPS["relu"](self)

    def clamp(self, min: float | None = None, max: float | None = None) -> Tensor:
        return OPS["clamp"](self, min=min, max=max)

    def softmax(self, dim: int) -> Tensor:
        return OPS["softmax"](self, dim=dim)

    def log_softmax(self, dim: int) -> Tensor:
        return OPS["log_softmax"](self, dim=dim)

    # Reductions.

    def sum(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        return OPS["sum"](self, dim=dim, keepdim=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        return OPS["mean"](self, dim=dim, keepdim=keepdim)

    def prod(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return OPS["prod"](self, dim=dim, keepdim=keepdim)

    def var(self, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
        return OPS["var"](self, dim=dim, correction=correction, keepdim=keepdim)

    def std(self, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
        return OPS["std"](self, dim=dim, correction=correction, keepdim=keepdim)

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

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The largest value; with `dim`, (values, indices). Equal ones share the gradient only without."""
        return self.amax() if dim is None else self._take_along(self.argmax(dim, True), dim, keepdim)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The smallest value; with `dim`, (values, indices)."""
        return self.amin() if dim is None else self._take_along(self.argmin(dim, True), dim, keepdim)

    def _take_along(self, indices: Tensor, dim: int, keepdim: bool) -> ValuesIndices:
        values = self.gather(dim, indices)
        if keepdim:
            return ValuesIndices(values, indices)
        return ValuesIndices(values.squeeze(dim), indices.squeeze(dim))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return Tensor(np.asarray(np.argmax(self.value, dim, keepdims=keepdim)))

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return Tensor(np.asarray(np.argmin(self.value, dim, keepdims=keepdim)))

    def any(self) -> Tensor:
        return Tensor(np.asarray(self.value.any()))

    def all(self) -> Tensor:
        return Tensor(np.asarray(self.value.all()))

    # Linear algebra.

    def matmul(self, other: Operand) -> Tensor:
        return OPS["matmul"](self, other)

    mm = bmm = mv = dot = matmul

    # Shapes.

    def reshape(self, *shape: Any) -> Tensor:
        return OPS["reshape"](self, shape=_numbers(shape))

    view = reshape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        return OPS["flatten"](self, start_dim=start_dim, end_dim=end_dim)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        return OPS["transpose"](self, dim0=dim0, dim1=dim1)

    def permute(self, *dims: Any) -> Tensor:
        return OPS["permute"](self, dims=_numbers(dims))

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
        return OPS["expand"](self, shape=_numbers(shape))

    def gather(self, dim: int, index: Tensor | Array) -> Tensor:
        return OPS["gather"](self, index, dim=dim)

    def contiguous(self) -> Tensor:
        return self if self.value.flags.c_contiguous else self.clone()

    def clone(self) -> Tensor:
        return OPS["clone"](self)


def _numbers(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one tuple or list."""
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return tuple(arguments[0])
    return arguments
