"""Operations in place: a trailing underscore, and the tensor itself comes back."""

from __future__ import annotations

from typing import Self

from nablab.autograd import inplace
from nablab.autograd.arithmetic import Operand
from nablab.autograd.casts import Casts


class Mutation(Casts):
    """What changes a tensor's own memory; `inplace.py` says what that means for the graph."""

    __slots__ = ()

    def add_(self, other: Operand) -> Self:
        return inplace.update(self, "add", other)

    def sub_(self, other: Operand) -> Self:
        return inplace.update(self, "sub", other)

    def mul_(self, other: Operand) -> Self:
        return inplace.update(self, "mul", other)

    def div_(self, other: Operand) -> Self:
        return inplace.update(self, "div", other)

    def pow_(self, exponent: Operand) -> Self:
        return inplace.update(self, "pow", exponent)

    def neg_(self) -> Self:
        return inplace.update(self, "neg")

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

    def copy_(self, source: Operand) -> Self:
        return inplace.assign(self, ..., source)

    def fill_(self, value: float) -> Self:
        return inplace.assign(self, ..., value)

    def zero_(self) -> Self:
        return inplace.assign(self, ..., 0)
