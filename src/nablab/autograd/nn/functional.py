"""Layers and losses as functions, with PyTorch's signatures. By custom imported as `F`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from nablab.autograd import ops
from nablab.autograd.create import default_generator
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.nn.loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)  # fmt: skip
from nablab.autograd.ops import (
    elu,
    gelu,
    leaky_relu,
    linear,
    log_softmax,
    logsigmoid,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)  # fmt: skip
from nablab.autograd.tensor import Tensor

Pair: TypeAlias = int | Sequence[int]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


# Convolution and pooling.


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1, padding: Pair | str = 0,
    dilation: Pair = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """(N, C, H, W) with filters (O, C / groups, h, w) to (N, O, Ho, Wo). Padding "same" keeps the size."""
    dilations = _pair(dilation)
    if isinstance(padding, str):
        padding = _named_padding(padding, weight.shape[2:], dilations, _pair(stride))
    return ops.conv2d(
        input, weight, bias,
        stride=_pair(stride), padding=_pair(padding), dilation=dilations, groups=groups,
    )  # fmt: skip


def _named_padding(name: str, size: Sequence[int], dilation: Sequence[int], stride: tuple[int, int]) -> Pair:
    spans = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    if name == "valid":
        return 0
    if name != "same" or stride != (1, 1) or any(span % 2 for span in spans):
        raise AutogradError(f"padding {name!r}: a number, 'valid', or with stride 1 and odd windows 'same'")
    return [span // 2 for span in spans]


def max_pool2d(input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """The largest of each window; the stride is the window's size unless said otherwise."""
    size = _pair(kernel_size)
    return ops.max_pool2d(
        input, kernel_size=size, stride=size if stride is None else _pair(stride), padding=_pair(padding)
    )


def avg_pool2d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window; padding counts as zeros unless `count_include_pad` is False."""
    size = _pair(kernel_size)
    return ops.avg_pool2d(
        input, kernel_size=size, stride=size if stride is None else _pair(stride), padding=_pair(padding),
        count_include_pad=count_include_pad,
    )  # fmt: skip


def adaptive_avg_pool2d(input: Tensor, output_size: Pair) -> Tensor:
    """Means over stretches chosen so that `output_size` of them cover the image."""
    return ops.adaptive_avg_pool2d(input, output_size=_pair(output_size))


def adaptive_max_pool2d(input: Tensor, output_size: Pair) -> Tensor:
    """Maxima over stretches chosen so that `output_size` of them cover the image."""
    return ops.adaptive_max_pool2d(input, output_size=_pair(output_size))


# Normalisation: to mean 0 and variance 1 over some axes, then scale and shift.


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _of_channels(parameter: Tensor | None, ndim: int) -> Tensor | None:
    """One value a channel, shaped to meet (N, C, ...)."""
    return None if parameter is None else parameter.reshape(-1, *[1] * (ndim - 2))


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel over (N, H, W) (Ioffe and Szegedy 2015).

    In training by the batch's own mean and variance, which also move the running ones; else by those.
    """
    axes = (0, *range(2, input.ndim))
    if training or running_mean is None or running_var is None:
        if input.numel() == input.shape[1]:
            raise AutogradError(
                f"batch_norm needs more than one value per channel in training, not {input.shape}"
            )
        result = ops.standardize(input, axes=axes, eps=eps)
        if running_mean is not None and running_var is not None:
            _follow(running_mean, input.value.mean(axes), momentum)
            _follow(running_var, input.value.var(axes, ddof=1), momentum)
    else:
        rate = 1 / np.sqrt(running_var.value + eps)
        shape = (-1, *[1] * (input.ndim - 2))
        result = (input - running_mean.reshape(shape)) * rate.reshape(shape)
    return _affine(result, _of_channels(weight, input.ndim), _of_channels(bias, input.ndim))


@no_grad()
def _follow(running: Tensor, now: Array, momentum: float) -> None:
    running.mul_(1 - momentum).add_(momentum * now)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each sample over its last axes, of `normalized_shape` (Ba et al. 2016)."""
    shape = tuple(normalized_shape)
    if input.shape[-len(shape) :] != shape:
        raise AutogradError(f"layer_norm over {shape}: the input of shape {input.shape} does not end in it")
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    return _affine(ops.standardize(input, axes=axes, eps=eps), weight, bias)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each group of channels of each sample (Wu and He 2018)."""
    n, c = input.shape[:2]
    if c % num_groups:
        raise AutogradError(f"group_norm: {c} channels cannot be cut into {num_groups} groups")
    grouped = input.reshape(n, num_groups, -1)
    result = ops.standardize(grouped, axes=(2,), eps=eps).reshape(input.shape)
    return _affine(result, _of_channels(weight, input.ndim), _of_channels(bias, input.ndim))


def instance_norm(
    input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:  # fmt: skip
    """Each channel of each sample over (H, W) (Ulyanov et al. 2016)."""
    result = ops.standardize(input, axes=tuple(range(2, input.ndim)), eps=eps)
    return _affine(result, _of_channels(weight, input.ndim), _of_channels(bias, input.ndim))


# Other layers.


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Leaky ReLU with a learned slope, one for all or one a channel (He et al. 2015)."""
    shaped = weight if weight.numel() == 1 or input.ndim < 2 else _of_channels(weight, input.ndim)
    return ops.prelu(input, shaped)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Zeroes each value with probability p, divides the others by 1 - p (Srivastava et al. 2014)."""
    if not 0 <= p <= 1:
        raise AutogradError(f"dropout with probability {p}: it must lie between 0 and 1")
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    kept = (generator or default_generator()).random(input.shape, np.float32) >= p
    return input * (kept * (1 / (1 - p))).astype(input.dtype)


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Constant padding; `pad` lists (before, after) from the last dimension backwards, as in PyTorch."""
    if mode != "constant" or len(pad) % 2 or min(pad) < 0:
        raise AutogradError("pad takes pairs of numbers from 0, and the mode 'constant'")
    widths = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    return ops.pad(input, widths=[(0, 0)] * (input.ndim - len(widths)) + widths, value=value or 0.0)


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers as rows of zeros with a one.

    Raises AutogradError for others than 0 to num_classes - 1.
    """
    k = num_classes if num_classes > 0 else int(input.value.max()) + 1
    if input.numel() and not (input.value.min() >= 0 and input.value.max() < k):
        raise AutogradError(
            f"one_hot: class numbers from {input.value.min()} to {input.value.max()}, and {k} classes: "
            f"they must be 0 to {k - 1}"
        )
    return Tensor((input.value[..., None] == np.arange(k)).astype(np.int64))


def normalize(input: Tensor, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Divided by the Euclidean norm along `dim`."""
    return input / input.norm(dim=dim, keepdim=True).clamp(min=eps)


__all__ = [
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "conv2d", "cross_entropy", "dropout", "elu", "gelu", "group_norm",
    "huber_loss", "instance_norm", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax",
    "logsigmoid", "max_pool2d", "mse_loss", "nll_loss", "normalize", "one_hot", "pad", "prelu", "relu",
    "relu6", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "tanh",
]  # fmt: skip
