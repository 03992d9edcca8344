"""A tensor that a module learns."""

from __future__ import annotations

from typing import Any

from nablab.autograd.create import as_tensor
from nablab.autograd.tensor import Tensor


class Parameter(Tensor):
    """A leaf that requires gradients, and that a `Module` finds when it is made an attribute of it.

    Shares memory with `data` where that is a tensor or an array.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(as_tensor(data).value, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__().replace("parameter(", "tensor(", 1)
