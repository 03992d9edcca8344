"""Layers and losses as functions, with PyTorch's signatures. By custom imported as `F`."""

from __future__ import annotations

import numpy as np

from nablab.autograd.create import default_generator
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import where
from nablab.autograd.nn.activation_functions import (
    elu,
    hardswish,
    hardtanh,
    leaky_relu,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    silu,
    softsign,
)  # fmt: skip
from nablab.autograd.nn.convolution_functions import conv2d, conv_transpose2d, interpolate, pad
from nablab.autograd.nn.loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)  # fmt: skip
from nablab.autograd.nn.normalisation_functions import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    normalize,
)  # fmt: skip
from nablab.autograd.nn.pooling_functions import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    max_pool2d,
)  # fmt: skip
from nablab.autograd.ops import gelu, linear, log_softmax, logsigmoid, sigmoid, softmax, softplus, tanh
from nablab.autograd.tensor import Tensor


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Zeroes each value with probability p, divides the others by 1 - p (Srivastava et al. 2014)."""
    return _dropped(input, input.shape, p, training, generator)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """The same with whole channels of (N, C, H, W) (Tompson et al. 2015)."""
    return _dropped(input, (*input.shape[:2], *[1] * (input.ndim - 2)), p, training, generator)


def _dropped(
    x: Tensor, shape: tuple[int, ...], p: float, training: bool, generator: np.random.Generator | None
) -> Tensor:
    """What has one draw for each entry of `shape`, which is broadcast to that of x."""
    if not 0 <= p <= 1:
        raise AutogradError(f"dropout with probability {p}: it must lie between 0 and 1")
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    kept = (generator or default_generator()).random(shape, np.float32) >= p
    return x * (kept * (1 / (1 - p))).astype(x.dtype)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of `weight` (K, D) by their numbers: (...) to (..., D). That of `padding_idx` is not learned.

    Raises AutogradError for other numbers than 0 to K - 1.
    """
    if input.dtype.kind not in "iu":
        raise AutogradError(f"embedding takes whole numbers, not {input.dtype}")
    if input.numel() and not (input.value.min() >= 0 and input.value.max() < len(weight)):
        raise AutogradError(
            f"embedding: numbers from {input.value.min()} to {input.value.max()}, and {len(weight)} rows: "
            f"they must be 0 to {len(weight) - 1}"
        )
    rows = weight[input]
    return rows if padding_idx is None else where(input.unsqueeze(-1) == padding_idx, rows.detach(), rows)


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


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between the vectors along `dim`; none is taken for shorter than `eps`."""
    lengths = [x.norm(dim=dim, keepdim=True).clamp(min=eps) for x in (x1, x2)]
    return (x1 / lengths[0] * (x2 / lengths[1])).sum(dim)


__all__ = [
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "conv2d", "conv_transpose2d", "cosine_similarity", "cross_entropy",
    "dropout", "dropout2d", "elu", "embedding", "gelu", "group_norm", "hardswish", "hardtanh",
    "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear",
    "log_softmax", "logsigmoid", "max_pool2d", "mish", "mse_loss", "multi_margin_loss", "nll_loss",
    "normalize", "one_hot", "pad", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "smooth_l1_loss",
    "softmax", "softplus", "softsign", "tanh",
]  # fmt: skip
