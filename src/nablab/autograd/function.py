"""Operations as classes, by the habit of `torch.autograd.Function`; `op` and `vjp` say the same on arrays."""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import Node, Rule
from nablab.autograd.mode import mode, no_grad
from nablab.autograd.op import NO_FORM
from nablab.autograd.tensor import Tensor


class Context:
    """What `forward` leaves for `backward`: tensors, and whatever attributes it sets."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors


class Function:
    """A subclass defines both static methods, and is called by `apply`. Neither of them is recorded.

    >>> from nablab import autograd
    >>> class Square(autograd.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * g * x
    >>> x = autograd.tensor([1.0, 3.0], requires_grad=True)
    >>> Square.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 6.])
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        """The result, one tensor, from the inputs."""
        raise NotImplementedError("a Function defines forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """The gradient by each input, from that by the result; None for what is no tensor."""
        raise NotImplementedError("a Function defines backward(ctx, g)")

    @classmethod
    def apply(cls, *inputs: Any) -> Tensor:
        """Compute, and record. Raises AutogradError where `forward` does not return one tensor."""
        needs = tuple([isinstance(x, Tensor) and x.requires_grad for x in inputs])
        ctx = Context(needs)
        with no_grad():
            out = cls.forward(ctx, *inputs)
        if not isinstance(out, Tensor):
            raise AutogradError(f"{cls.__name__}.forward returned no tensor, but a {type(out).__name__}")
        if not (mode.recording and any(needs)):
            return out
        result = Tensor(out.value)
        parents = tuple([x._parent() if need else None for x, need in zip(inputs, needs, strict=True)])
        forms = tuple(
            [(x.shape, x.dtype) if need else NO_FORM for x, need in zip(inputs, needs, strict=True)]
        )
        rule = Rule(cls._gradients, ("ctx", "shapes"), tuple(range(len(inputs))), True)
        saved = {"ctx": ctx, "shapes": [shape for shape, _ in forms]}
        result.grad_fn = Node(cls.__name__, (rule,), parents, forms, saved, [])
        result.grad_fn.output = ref(result)
        result._requires_grad = True
        return result

    @classmethod
    def _gradients(cls, g: Array, ctx: Context, shapes: list[tuple[int, ...]]) -> list[Array]:
        """what backward returns"""
        with no_grad():
            found = cls.backward(ctx, Tensor(g.copy()))
        parts = found if isinstance(found, tuple | list) else (found,)
        if len(parts) != len(shapes):
            raise AutogradError(
                f"{cls.__name__}.backward returned {len(parts)} gradients for {len(shapes)} inputs"
            )
        return [
            np.zeros(shape) if part is None else np.array(part.value)
            for part, shape in zip(parts, shapes, strict=True)
        ]
