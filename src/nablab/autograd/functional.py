"""Derivatives of functions, by the names of `torch.autograd.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nablab.autograd.backward import grad
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import enable_grad
from nablab.autograd.tensor import Tensor


def jacobian(func: Callable[..., Any], inputs: Any) -> Any:
    """The derivative of each entry of `func(*inputs)` by each entry of the inputs, a backward pass a row.

    Args:
        func: from tensors to one tensor
        inputs: a tensor, or a tuple of them

    Returns a tensor of shape (*shape of the result, *shape of the input); of a tuple, a tuple of them.

    >>> from nablab import autograd
    >>> jacobian(lambda x: x**2, autograd.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    leaves = tuple([x.detach().clone().requires_grad_() for x in given])
    with enable_grad():
        out = func(*leaves)
    if not isinstance(out, Tensor):
        raise AutogradError(f"jacobian takes a function that returns one tensor, not {type(out).__name__}")
    rows = [_row(out, leaves, i) for i in range(out.numel())]
    parts = tuple(
        [
            Tensor(np.stack(part).reshape(*out.shape, *x.shape))
            for part, x in zip(zip(*rows, strict=True), leaves, strict=True)
        ]
    )
    return parts if isinstance(inputs, tuple) else parts[0]


def _row(out: Tensor, leaves: tuple[Tensor, ...], i: int) -> list[Any]:
    """The gradients of entry i of `out`; zeros where it does not depend on a leaf."""
    if not out.requires_grad:
        return [np.zeros_like(x.value) for x in leaves]
    chosen = np.zeros(out.shape, out.dtype)
    chosen.reshape(-1)[i] = 1
    found = grad(out, leaves, chosen, retain_graph=True, allow_unused=True)
    return [np.zeros_like(x.value) if g is None else g.value for x, g in zip(leaves, found, strict=True)]
