"""By size: the largest and smallest, where they are, sorting, counting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS
from nablab.autograd.shapes import Shapes
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class ValuesIndices(NamedTuple):
    """What `max(dim)`, `min(dim)`, `sort()`, `topk()` and `median(dim)` return."""

    values: Tensor
    indices: Tensor


class Ordering(Shapes):
    """Gradients go to where the values came from; indices and counts have none."""

    __slots__ = ()

    def max(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """The largest value; with `dim`, (values, indices); with a tensor, the larger of each pair.

        Equal ones share the gradient, except with `dim`.
        """
        if isinstance(dim, Variable):
            return OPS["maximum"](self, dim)
        dim = dim if axis is None else axis
        if dim is None:
            return OPS["amax"](self, dim=None, keepdim=False)
        return self._take_along(self.argmax(dim, True), dim, keepdim)

    def min(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """The smallest value; with `dim`, (values, indices); with a tensor, the smaller of each pair."""
        if isinstance(dim, Variable):
            return OPS["minimum"](self, dim)
        dim = dim if axis is None else axis
        if dim is None:
            return OPS["amin"](self, dim=None, keepdim=False)
        return self._take_along(self.argmin(dim, True), dim, keepdim)

    def maximum(self, other: Variable) -> Tensor:
        return OPS["maximum"](self, other)

    def minimum(self, other: Variable) -> Tensor:
        return OPS["minimum"](self, other)

    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The value in the middle, the lower of two; with `dim`, (values, indices)."""
        if dim is None:
            return self.flatten().median(0).values
        middle = (self.shape[self._place(dim)] - 1) // 2
        return self._take_along(self.argsort(dim)._at(dim, slice(middle, middle + 1)), dim, keepdim)

    def _take_along(self, indices: Tensor, dim: int, keepdim: bool) -> ValuesIndices:
        values = self.gather(dim, indices)
        if keepdim:
            return ValuesIndices(values, indices)
        return ValuesIndices(values.squeeze(dim), indices.squeeze(dim))

    def argmax(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
        return self._where_most(np.argmax, dim if axis is None else axis, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
        return self._where_most(np.argmin, dim if axis is None else axis, keepdim)

    def _where_most(self, search: Any, dim: int | None, keepdim: bool) -> Tensor:
        try:
            return self._plain(np.asarray(search(self.value, dim, keepdims=keepdim)))
        except ValueError as error:  # NumPy's AxisError too
            raise AutogradError(f"{search.__name__} of shape {self.shape}: {error}") from error

    def sort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesIndices:
        """(values, indices) in ascending order, or descending; equal ones stay in their order."""
        return self._take_along(self.argsort(dim, descending), dim, True)

    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
        """The indices by which `gather` sorts."""
        dim = self._place(dim)
        if not descending:
            return self._plain(np.argsort(self.value, dim, kind="stable"))
        backward = np.argsort(np.flip(self.value, dim), dim, kind="stable")
        return self._plain(self.shape[dim] - 1 - np.flip(backward, dim))

    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
        """The k largest (or smallest) in order, and their indices."""
        n = self.shape[self._place(dim)]
        if not 0 <= k <= n:
            raise AutogradError(f"topk: there are no {k} along dimension {dim} of {n}")
        return self._take_along(self.argsort(dim, largest)._at(dim, slice(k)), dim, True)

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """Where the entries are not 0: a row of indices for each, (n, ndim); or ndim vectors (n,)."""
        places = [self._plain(index) for index in np.nonzero(np.atleast_1d(self.value))]
        return tuple(places) if as_tuple else OPS["stack"](*places, dim=1)[:, : self.ndim]

    def count_nonzero(self, dim: int | None = None) -> Tensor:
        return self._plain(np.asarray(np.count_nonzero(self.value, dim)))

    def unique(self, *, return_inverse: bool = False, return_counts: bool = False) -> Any:
        """Every value that occurs, once and sorted; where each entry's is there; how often each occurs."""
        values, inverse, counts = np.unique(self.value, return_inverse=True, return_counts=True)
        asked = [values, *[inverse] * return_inverse, *[counts] * return_counts]
        found = tuple([self._plain(part) for part in asked])
        return found if len(found) > 1 else found[0]

    def bincount(self, minlength: int = 0) -> Tensor:
        """How often each of 0, 1, ... occurs in a vector of integers from 0 on."""
        if self.dtype.kind not in "iub" or self.ndim != 1 or (self.numel() and self.value.min() < 0):
            raise AutogradError(
                f"bincount counts integers from 0 on in a vector, not {self.dtype} of shape {self.shape}"
            )
        return self._plain(np.bincount(self.value, minlength=minlength))
