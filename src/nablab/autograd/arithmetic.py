"""What one can write between tensors: `a + b`, `a @ b`, `a % b`, `a[i]`, `a += b`.

Each is the operation of that name, found in the table `OPS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nablab.autograd import inplace
from nablab.autograd.comparisons import Comparisons, Operand
from nablab.autograd.graph import OPS
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Arithmetic(Comparisons):
    """Operators and their in-place forms."""

    __slots__ = ()

    def __add__(self, other: Operand) -> Tensor:
        return OPS["add"](self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return OPS["add"](other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return OPS["sub"](self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return OPS["sub"](other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return OPS["mul"](self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return OPS["mul"](other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return OPS["div"](self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return OPS["div"](other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return OPS["pow"](self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return OPS["pow"](other, self)

    def __floordiv__(self, other: Operand) -> Tensor:
        return OPS["floor_divide"](self, other)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return OPS["floor_divide"](other, self)

    def __mod__(self, other: Operand) -> Tensor:
        return OPS["remainder"](self, other)

    def __rmod__(self, other: Operand) -> Tensor:
        return OPS["remainder"](other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return OPS["matmul"](self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return OPS["matmul"](other, self)

    def __neg__(self) -> Tensor:
        return OPS["neg"](self)

    def __abs__(self) -> Tensor:
        return OPS["abs"](self)

    def __getitem__(self, key: Any) -> Tensor:
        return OPS["getitem"](self, key=_plain_key(key))

    # In place.

    def __setitem__(self, key: Any, values: Operand) -> None:
        inplace.assign(self, _plain_key(key), values)

    def __iadd__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "add", other)

    def __isub__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "sub", other)

    def __imul__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "mul", other)

    def __itruediv__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "div", other)

    def __ifloordiv__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "floor_divide", other)

    def __imod__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "remainder", other)

    def __ipow__(self, other: Operand) -> Arithmetic:
        return inplace.update(self, "pow", other)


def _plain_key(key: Any) -> Any:
    """An index with arrays in place of tensors and lists: copies, which stay as they are until backward."""
    if isinstance(key, tuple):
        return tuple(_plain_key(part) for part in key)
    if isinstance(key, list):
        return np.asarray(key, None if key else np.int64)
    if isinstance(key, Variable):
        return key.value.copy()
    return key.copy() if isinstance(key, np.ndarray) else key
