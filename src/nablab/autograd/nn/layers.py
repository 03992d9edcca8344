"""Layers with weights."""

from __future__ import annotations

from math import sqrt

from numpy.typing import DTypeLike

from nablab.autograd.create import zeros
from nablab.autograd.devices import CPU
from nablab.autograd.nn import functional as F  # noqa: N812
from nablab.autograd.nn import init
from nablab.autograd.nn.convolution_functions import Pair, pair
from nablab.autograd.nn.module import Module
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.tensor import Tensor


class Linear(Module):
    """x W^T + b: (..., in_features) to (..., out_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True,
        device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features, dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_features, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        _reset(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


def _reset(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's default: both evenly within 1 / sqrt(fan in)."""
    init.kaiming_uniform_(weight, a=sqrt(5))
    if bias is not None:
        bound = 1 / sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)


class Conv2d(Module):
    """Convolution of images: (N, C, H, W) to (N, out_channels, Ho, Wo)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1,
        padding: Pair | str = 0, dilation: Pair = 1, groups: int = 1, bias: bool = True,
        device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = pair(kernel_size), pair(stride), pair(dilation)
        self.padding = padding if isinstance(padding, str) else pair(padding)
        shape = out_channels, in_channels // groups, *self.kernel_size
        self.weight = Parameter(zeros(shape, dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        _reset(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + ("" if self.bias is not None else ", bias=False")


class ConvTranspose2d(Module):
    """What goes backward through `Conv2d`: (N, C, H, W) to larger images (N, out_channels, Ho, Wo)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        output_padding: Pair = 0, groups: int = 1, bias: bool = True, dilation: Pair = 1,
        device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding = pair(kernel_size), pair(stride), pair(padding)
        self.output_padding, self.dilation = pair(output_padding), pair(dilation)
        shape = in_channels, out_channels // groups, *self.kernel_size
        self.weight = Parameter(zeros(shape, dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        _reset(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
            + (f", padding={self.padding}" if self.padding != (0, 0) else "")
            + ("" if self.bias is not None else ", bias=False")
        )


class Embedding(Module):
    """A learned row for each whole number below `num_embeddings`: (...) to (..., embedding_dim).

    That of `padding_idx` is zero in the beginning, and stays as it is.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *,
        device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.weight = Parameter(zeros(num_embeddings, embedding_dim, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.value[self.padding_idx] = 0

    def forward(self, x: Tensor) -> Tensor:
        return F.embedding(x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
