"""A tensor in another dtype, by PyTorch's names.

A class of its own, since `float`, `int` and `bool` mean these methods inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd import devices
from nablab.autograd.arithmetic import Arithmetic
from nablab.autograd.devices import CPU
from nablab.autograd.dtypes import float32, float64, int32, int64
from nablab.autograd.graph import OPS
from nablab.autograd.variable import Variable

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Casts(Arithmetic):
    """Conversions. The gradient comes back in the dtype of the input."""

    __slots__ = ()

    def to(self, *what: Any, device: Any = None, dtype: DTypeLike | None = None) -> Tensor:
        """In another dtype, or in that of another tensor. A device may be named too: the CPU."""
        result = cast("Tensor", self)
        for target in (*what, device, dtype):
            if isinstance(target, Variable):
                result = result.type(target.dtype)
            elif target is None or target == CPU:
                continue
            elif isinstance(target, str) and not hasattr(np, target):
                devices.device(target)
            else:
                result = result.type(target)
        return result

    def type(self, dtype: DTypeLike) -> Tensor:
        if self.dtype == np.dtype(dtype):
            return cast("Tensor", self)
        return OPS["to_copy"](self, dtype=np.dtype(dtype))

    def type_as(self, other: Variable) -> Tensor:
        return self.type(other.dtype)

    def float(self) -> Tensor:
        return self.type(float32)

    def double(self) -> Tensor:
        return self.type(float64)

    def int(self) -> Tensor:
        return self.type(int32)

    def long(self) -> Tensor:
        return self.type(int64)

    def bool(self) -> Tensor:
        return self.type(np.bool_)

    def cuda(self) -> Tensor:
        """Refused: there is no graphics card for this engine."""
        return self.to("cuda")

    def cpu(self) -> Tensor:
        return cast("Tensor", self)
