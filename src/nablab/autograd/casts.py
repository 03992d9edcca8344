"""A tensor in another dtype, by PyTorch's names.

A class of its own, since `float`, `int` and `bool` mean these methods inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.arithmetic import Arithmetic
from nablab.autograd.dtypes import float32, float64, int32, int64
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Casts(Arithmetic):
    """Conversions. The gradient comes back in the dtype of the input."""

    __slots__ = ()

    def to(self, *what: Any, device: Any = None, dtype: DTypeLike | None = None) -> Tensor:
        """In another dtype. A device may be named too, as long as it is the CPU."""
        result = cast("Tensor", self)
        for target in (*what, device, dtype):
            if target is None or target == "cpu":
                continue
            if isinstance(target, str) and not hasattr(np, target):
                raise AutogradError(f"no device {target}: this engine computes with NumPy, on the CPU")
            result = result.type(target)
        return result

    def type(self, dtype: DTypeLike) -> Tensor:
        return (
            cast("Tensor", self)
            if self.dtype == np.dtype(dtype)
            else OPS["to_copy"](self, dtype=np.dtype(dtype))
        )

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

    def cpu(self) -> Tensor:
        return cast("Tensor", self)
