"""Initial weights, drawn in place; the names and the distributions are PyTorch's."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from nablab.autograd.create import default_generator
from nablab.autograd.mode import no_grad
from nablab.autograd.tensor import Tensor

Generator = np.random.Generator


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs reach a unit, and how many units an input reaches. Weight (O, I, ...)."""
    window = prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly over [a, b)."""
    return tensor.copy_(np.asarray((generator or default_generator()).uniform(a, b, tensor.shape)))


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    return tensor.copy_(np.asarray((generator or default_generator()).normal(mean, std, tensor.shape)))


@no_grad()
def constant_(tensor: Tensor, value: float) -> Tensor:
    return tensor.fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 1.0)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Keeps the variance through leaky ReLUs of slope `a` (He et al. 2015)."""
    bound = sqrt(6 / ((1 + a * a) * fans(tensor)[0]))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, generator: Generator | None = None) -> Tensor:
    """As `kaiming_uniform_`, with normal values."""
    return normal_(tensor, 0.0, sqrt(2 / ((1 + a * a) * fans(tensor)[0])), generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Keeps the variance forward and backward (Glorot and Bengio 2010)."""
    bound = gain * sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """As `xavier_uniform_`, with normal values."""
    return normal_(tensor, 0.0, gain * sqrt(2 / sum(fans(tensor))), generator)
