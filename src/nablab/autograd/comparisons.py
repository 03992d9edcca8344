"""Questions about tensors: `a < b`, `a.isnan()`, `a.all()`; the answers are bools and have no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nablab.autograd.dtypes import Array, promote
from nablab.autograd.errors import AutogradError
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor

Operand: TypeAlias = "Variable | Array | float"


class Comparisons(Variable):
    """Comparisons, logic, and what is asked of each entry."""

    __slots__ = ()

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return NotImplemented if _is_no_number(other) else self._compare(np.equal, other)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return NotImplemented if _is_no_number(other) else self._compare(np.not_equal, other)

    def __lt__(self, other: Operand) -> Tensor:
        return NotImplemented if _is_no_number(other) else self._compare(np.less, other)

    def __le__(self, other: Operand) -> Tensor:
        return NotImplemented if _is_no_number(other) else self._compare(np.less_equal, other)

    def __gt__(self, other: Operand) -> Tensor:
        return NotImplemented if _is_no_number(other) else self._compare(np.greater, other)

    def __ge__(self, other: Operand) -> Tensor:
        return NotImplemented if _is_no_number(other) else self._compare(np.greater_equal, other)

    eq, ne, lt, le, gt, ge = __eq__, __ne__, __lt__, __le__, __gt__, __ge__

    def __and__(self, other: Operand) -> Tensor:
        return self._bitwise(np.bitwise_and, other)

    def __or__(self, other: Operand) -> Tensor:
        return self._bitwise(np.bitwise_or, other)

    def __xor__(self, other: Operand) -> Tensor:
        return self._bitwise(np.bitwise_xor, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Tensor:
        if self.dtype.kind not in "biu":
            raise AutogradError(f"~ takes bools and integers, not {self.dtype}")
        return self._plain(np.asarray(~self.value))

    def logical_and(self, other: Operand) -> Tensor:
        return self._compare(np.logical_and, other)

    def logical_or(self, other: Operand) -> Tensor:
        return self._compare(np.logical_or, other)

    def logical_xor(self, other: Operand) -> Tensor:
        return self._compare(np.logical_xor, other)

    def logical_not(self) -> Tensor:
        return self._plain(np.asarray(np.logical_not(self.value)))

    def _compare(self, ufunc: np.ufunc, other: Operand) -> Tensor:
        a, b = promote([self.value, other.value if isinstance(other, Variable) else other])
        return self._plain(np.asarray(ufunc(a, b)))

    def _bitwise(self, ufunc: np.ufunc, other: Operand) -> Tensor:
        try:
            return self._compare(ufunc, other)
        except TypeError as error:
            raise AutogradError(
                "&, | and ^ take bools and integers, and bind before < and ==: write (a > 0) & (b > 0)"
            ) from error

    __hash__ = object.__hash__

    def isnan(self) -> Tensor:
        return self._plain(np.asarray(np.isnan(self.value)))

    def isinf(self) -> Tensor:
        return self._plain(np.asarray(np.isinf(self.value)))

    def isfinite(self) -> Tensor:
        return self._plain(np.asarray(np.isfinite(self.value)))

    def isclose(
        self, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> Tensor:
        """|self - other| <= atol + rtol |other|, entry by entry."""
        b = np.asarray(getattr(other, "value", other))
        return self._plain(np.asarray(np.isclose(self.value, b, rtol, atol, equal_nan)))

    def allclose(
        self, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        return bool(self.isclose(other, rtol, atol, equal_nan).value.all())

    def __contains__(self, number: Operand) -> bool:
        """Whether any entry is that number."""
        return bool((self == number).value.any())

    def equal(self, other: Variable) -> bool:
        """True for the same shape and the same values."""
        return bool(np.array_equal(self.value, other.value))

    def any(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        return self._plain(np.asarray(self.value.any(dim, keepdims=keepdim)))

    def all(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        return self._plain(np.asarray(self.value.all(dim, keepdims=keepdim)))


def _is_no_number(other: object) -> bool:
    """None and texts: a tensor is not equal to them, as one and not entry by entry."""
    return other is None or isinstance(other, str)
