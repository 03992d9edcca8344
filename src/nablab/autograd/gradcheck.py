"""Gradients held against finite differences: how one proves that a rule is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nablab.autograd.backward import grad
from nablab.autograd.create import tensor
from nablab.autograd.dtypes import Array, float64
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.tensor import Tensor


def numerical_gradient(function: Callable[[], float], x: Array, eps: float = 1e-6) -> Array:
    """The gradient of `function()` by the entries of the float64 array `x`, by central differences.

    (f(x + eps) - f(x - eps)) / 2 eps for each entry in turn, changed in place and put back. The error is of
    order eps^2 from curvature and 1e-16 / eps from rounding.

    Raises AutogradError for an array of another dtype: integers would swallow the steps, float32 nearly so.

    >>> x = np.array([1.0, 2.0])
    >>> numerical_gradient(lambda: float((x**2).sum()), x).round(6)
    array([2., 4.])
    """
    if x.dtype != float64:
        raise AutogradError(f"numerical_gradient needs an array of float64, this one is {x.dtype}")
    result = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        before = x[place]
        x[place] = before + eps
        above = function()
        x[place] = before - eps
        below = function()
        x[place] = before
        result[place] = (above - below) / (2 * eps)
    return result


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of `function(*inputs)` agree with finite differences.

    Every input that requires a gradient is checked, for every entry of the result, through a random
    combination of the entries drawn with a fixed seed. Inputs should be float64 and away from kinks.

    Raises AutogradError, unless told not to, naming the input and the entry that differs most, and for inputs
    in which rounding would hide the answer.

    >>> from nablab import autograd
    >>> gradcheck(autograd.tanh, autograd.tensor([0.5, -1.0], dtype="float64", requires_grad=True))
    True
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = {i: x for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad}
    if not checked:
        raise AutogradError("gradcheck: no input requires a gradient")
    if any(x.dtype != float64 for x in checked.values()):
        raise AutogradError("gradcheck needs inputs of float64: differences of float32 are mostly rounding")
    for i, analytic, numeric in _compare(function, given, checked, eps):
        wrong = ~np.isclose(analytic, numeric, rtol, atol)
        if wrong.any():
            if raise_exception:
                raise AutogradError(_difference(i, analytic, numeric))
            return False
    return True


def _compare(
    function: Callable[..., Tensor], given: list[Any], checked: dict[int, Tensor], eps: float
) -> Iterator[tuple[int, Array, Array]]:
    """For each checked input: its number, its gradient by the rules and by differences."""
    copies = [
        tensor(x, requires_grad=i in checked) if isinstance(x, Tensor) else x for i, x in enumerate(given)
    ]
    out = function(*copies)
    weights = np.random.default_rng(0).standard_normal(out.shape)
    analytic = grad(out, [copies[i] for i in checked], weights, allow_unused=True)

    @no_grad()
    def value() -> float:
        return float((function(*copies).value * weights).sum())

    for i, gradient in zip(checked, analytic, strict=True):
        own = np.zeros(copies[i].shape) if gradient is None else gradient.value
        yield i, own, numerical_gradient(value, copies[i].value, eps)


def _difference(i: int, analytic: Array, numeric: Array) -> str:
    distance = np.nan_to_num(np.abs(analytic - numeric), nan=np.inf)
    place = np.unravel_index(np.argmax(distance), analytic.shape)
    where = f"[{', '.join(str(int(k)) for k in place)}]" if place else ""
    return (
        f"gradcheck: the gradient of input {i} is wrong; at {where or 'its value'} the rules say "
        f"{analytic[place]:.6g}, finite differences {numeric[place]:.6g}"
    )
