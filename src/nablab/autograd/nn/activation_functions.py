"""Activations as functions, with PyTorch's signatures; found in `functional`.

`inplace` is taken for PyTorch's sake: results are new arrays.
"""

from __future__ import annotations

from nablab.autograd import ops
from nablab.autograd.nn.normalisation_functions import of_channels
from nablab.autograd.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return ops.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return ops.relu6(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above 0, `negative_slope` x below."""
    return ops.leaky_relu(input, negative_slope=negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Leaky ReLU with a learned slope, one for all or one a channel (He et al. 2015)."""
    shaped = weight if weight.numel() == 1 or input.ndim < 2 else of_channels(weight, input.ndim)
    return ops.prelu(input, shaped)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, alpha (exp(x) - 1) below (Clevert et al. 2016)."""
    return ops.elu(input, alpha=alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the slopes that keep mean 0 and variance 1 through layers (Klambauer et al. 2017)."""
    return 1.0507009873554804934193349852946 * ops.elu(input, alpha=1.6732632423543772848170429916717)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return ops.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + exp(x))) (Misra 2020)."""
    return input * ops.tanh(ops.softplus(input))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x, kept within [min_val, max_val]."""
    return input.clamp(min_val, max_val)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""
    return input * ops.relu6(input + 3) / 6


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (1 + input.abs())
