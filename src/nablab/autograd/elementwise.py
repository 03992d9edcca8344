"""Functions of each entry, as methods: `x.exp()`, `a.remainder(b)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nablab.autograd.comparisons import Operand
from nablab.autograd.dtypes import common_dtype
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS
from nablab.autograd.ordering import Ordering
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Elementwise(Ordering):
    """What is computed of each entry, or of each pair of entries."""

    __slots__ = ()

    def add(self, other: Operand, *, alpha: float = 1) -> Tensor:
        return OPS["add"](self, other if alpha == 1 else OPS["mul"](other, alpha))

    def sub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        return OPS["sub"](self, other if alpha == 1 else OPS["mul"](other, alpha))

    def mul(self, other: Operand) -> Tensor:
        return OPS["mul"](self, other)

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        """The quotient; with the rounding mode "floor" or "trunc" a whole one."""
        if rounding_mode == "floor":
            return OPS["floor_divide"](self, other)
        if rounding_mode == "trunc":
            whole = common_dtype([self.value, getattr(other, "value", other)])
            return OPS["trunc"](OPS["div"](self, other)).type(whole)
        if rounding_mode is not None:
            raise AutogradError(f"rounding_mode is 'floor', 'trunc' or None, not {rounding_mode!r}")
        return OPS["div"](self, other)

    def pow(self, exponent: Operand) -> Tensor:
        return OPS["pow"](self, exponent)

    def floor_divide(self, other: Operand) -> Tensor:
        return OPS["floor_divide"](self, other)

    def remainder(self, other: Operand) -> Tensor:
        """What is left by `floor_divide`, with the sign of `other`."""
        return OPS["remainder"](self, other)

    def fmod(self, other: Operand) -> Tensor:
        """What is left by a division rounded towards 0, with the sign of the tensor."""
        return OPS["fmod"](self, other)

    def neg(self) -> Tensor:
        return OPS["neg"](self)

    def abs(self) -> Tensor:
        return OPS["abs"](self)

    def sign(self) -> Tensor:
        """-1, 0 or 1."""
        return OPS["sign"](self)

    def exp(self) -> Tensor:
        return OPS["exp"](self)

    def expm1(self) -> Tensor:
        """exp(x) - 1, exact near 0."""
        return OPS["expm1"](self)

    def log(self) -> Tensor:
        """The natural logarithm."""
        return OPS["log"](self)

    def log1p(self) -> Tensor:
        """log(1 + x), exact near 0."""
        return OPS["log1p"](self)

    def log2(self) -> Tensor:
        return OPS["log2"](self)

    def log10(self) -> Tensor:
        return OPS["log10"](self)

    def sqrt(self) -> Tensor:
        return OPS["sqrt"](self)

    def rsqrt(self) -> Tensor:
        """1 / sqrt(x)."""
        return OPS["rsqrt"](self)

    def square(self) -> Tensor:
        return OPS["square"](self)

    def reciprocal(self) -> Tensor:
        """1 / x."""
        return OPS["reciprocal"](self)

    def sin(self) -> Tensor:
        return OPS["sin"](self)

    def cos(self) -> Tensor:
        return OPS["cos"](self)

    def tan(self) -> Tensor:
        return OPS["tan"](self)

    def asin(self) -> Tensor:
        return OPS["asin"](self)

    def acos(self) -> Tensor:
        return OPS["acos"](self)

    def atan(self) -> Tensor:
        return OPS["atan"](self)

    def sinh(self) -> Tensor:
        return OPS["sinh"](self)

    def cosh(self) -> Tensor:
        return OPS["cosh"](self)

    def tanh(self) -> Tensor:
        return OPS["tanh"](self)

    def erf(self) -> Tensor:
        """The error function."""
        return OPS["erf"](self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return OPS["sigmoid"](self)

    def relu(self) -> Tensor:
        return OPS["relu"](self)

    def floor(self) -> Tensor:
        return OPS["floor"](self)

    def ceil(self) -> Tensor:
        return OPS["ceil"](self)

    def trunc(self) -> Tensor:
        """Rounded towards 0."""
        return OPS["trunc"](self)

    def round(self, *, decimals: int = 0) -> Tensor:
        """To so many decimals; from the middle to the even one."""
        return OPS["round"](self, decimals=decimals)

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """What lies outside of the bounds, which may be tensors, is set to the nearer one."""
        if not (isinstance(min, Variable) or isinstance(max, Variable)):
            return OPS["clamp"](self, min=min, max=max)
        low = cast("Tensor", self) if min is None else self.where(self >= min, min)
        return low if max is None else low.where(low <= max, max)

    clip = clamp

    def clamp_min(self, min: float) -> Tensor:
        return OPS["clamp"](self, min=min, max=None)

    def clamp_max(self, max: float) -> Tensor:
        return OPS["clamp"](self, min=None, max=max)

    def softmax(self, dim: int) -> Tensor:
        return OPS["softmax"](self, dim=dim)

    def log_softmax(self, dim: int) -> Tensor:
        return OPS["log_softmax"](self, dim=dim)
