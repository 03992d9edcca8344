"""Operations in place: a trailing underscore, and the tensor itself comes back."""

from __future__ import annotations

from typing import Self

import numpy as np

from nablab.autograd import inplace
from nablab.autograd.casts import Casts
from nablab.autograd.comparisons import Operand
from nablab.autograd.dtypes import Array, boolean
from nablab.autograd.errors import AutogradError
from nablab.autograd.generator import default_generator
from nablab.autograd.graph import OPS
from nablab.autograd.variable import Variable


class Mutation(Casts):
    """What changes a tensor's own memory; `inplace.py` says what that means for the graph."""

    __slots__ = ()

    def add_(self, other: Operand, *, alpha: float = 1) -> Self:
        return inplace.update(self, "add", other if alpha == 1 else OPS["mul"](other, alpha))

    def sub_(self, other: Operand, *, alpha: float = 1) -> Self:
        return inplace.update(self, "sub", other if alpha == 1 else OPS["mul"](other, alpha))

    def mul_(self, other: Operand) -> Self:
        return inplace.update(self, "mul", other)

    def div_(self, other: Operand) -> Self:
        return inplace.update(self, "div", other)

    def pow_(self, exponent: Operand) -> Self:
        return inplace.update(self, "pow", exponent)

    def neg_(self) -> Self:
        return inplace.update(self, "neg")

    def abs_(self) -> Self:
        return inplace.update(self, "abs")

    def round_(self) -> Self:
        return inplace.update(self, "round")

    def floor_(self) -> Self:
        return inplace.update(self, "floor")

    def ceil_(self) -> Self:
        return inplace.update(self, "ceil")

    def exp_(self) -> Self:
        return inplace.update(self, "exp")

    def log_(self) -> Self:
        return inplace.update(self, "log")

    def sqrt_(self) -> Self:
        return inplace.update(self, "sqrt")

    def tanh_(self) -> Self:
        return inplace.update(self, "tanh")

    def sigmoid_(self) -> Self:
        return inplace.update(self, "sigmoid")

    def relu_(self) -> Self:
        return inplace.update(self, "relu")

    def clamp_(self, min: float | None = None, max: float | None = None) -> Self:
        return inplace.update(self, "clamp", min=min, max=max)

    def clamp_min_(self, min: float) -> Self:
        return inplace.update(self, "clamp", min=min, max=None)

    def clamp_max_(self, max: float) -> Self:
        return inplace.update(self, "clamp", min=None, max=max)

    def masked_fill_(self, mask: Variable | Array, value: Operand) -> Self:
        places = np.array(np.broadcast_to(getattr(mask, "value", mask), self.shape))
        if places.dtype != boolean:
            raise AutogradError(
                f"masked_fill_ takes a mask of bools, not {places.dtype}: compare it, with != 0 say"
            )
        return inplace.assign(self, places, value)

    def scatter_(self, dim: int, index: Variable | Array, src: Operand) -> Self:
        return inplace.update(self, "scatter", index, src, dim=dim)

    def copy_(self, source: Operand) -> Self:
        return inplace.assign(self, ..., source)

    def fill_(self, value: float) -> Self:
        return inplace.assign(self, ..., value)

    def zero_(self) -> Self:
        return inplace.assign(self, ..., 0)

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, *, generator: np.random.Generator | None = None
    ) -> Self:
        """Drawn anew, normally distributed."""
        return inplace.assign(self, ..., (generator or default_generator()).normal(mean, std, self.shape))

    def uniform_(
        self, low: float = 0.0, high: float = 1.0, *, generator: np.random.Generator | None = None
    ) -> Self:
        """Drawn anew, spread evenly."""
        return inplace.assign(self, ..., (generator or default_generator()).uniform(low, high, self.shape))
