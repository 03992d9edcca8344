"""Pooling as functions, with PyTorch's signatures; found in `functional`."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import TypeAlias

from nablab.autograd import ops
from nablab.autograd.errors import AutogradError
from nablab.autograd.nn.convolution_functions import Pair, pad, pair
from nablab.autograd.tensor import Tensor

OutputSize: TypeAlias = int | Sequence[int | None] | None


def max_pool2d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, *,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """The largest of each window; the stride is the window's size unless said otherwise.

    With `ceil_mode` the last windows may reach over the edge, so that no pixel is left out.
    """
    size = pair(kernel_size)
    steps, margins = size if stride is None else pair(stride), pair(padding)
    if ceil_mode:
        input = _reaching_over(input, size, steps, margins)
    return ops.max_pool2d(input, kernel_size=size, stride=steps, padding=margins)


def _reaching_over(
    x: Tensor, size: tuple[int, int], steps: tuple[int, int], margins: tuple[int, int]
) -> Tensor:
    """The images with as much of nothing below and to the right as the last windows have to cover."""
    missing = []
    for n, k, s, p in zip(x.shape[2:], size, steps, margins, strict=True):
        windows = ceil((n + 2 * p - k) / s) + 1
        begun = windows if (windows - 1) * s < n + p else windows - 1  # a window begins in the image
        missing.append(max(0, (begun - 1) * s + k - n - 2 * p))
    return pad(x, (0, missing[1], 0, missing[0]), value=-inf)


def avg_pool2d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, *,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window; padding counts as zeros unless `count_include_pad` is False.

    Raises AutogradError for padding by more than half a window: some windows would hold nothing else.
    """
    size = pair(kernel_size)
    if padding and any(2 * p > k for p, k in zip(pair(padding), size, strict=True)):
        raise AutogradError(f"padding {pair(padding)} is more than half of the window {size}")
    return ops.avg_pool2d(
        input, kernel_size=size, stride=size if stride is None else pair(stride), padding=pair(padding),
        count_include_pad=count_include_pad,
    )  # fmt: skip


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means over stretches chosen so that `output_size` of them cover the image; None keeps a side."""
    return ops.adaptive_avg_pool2d(input, output_size=_sides(input, output_size))


def adaptive_max_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Maxima over stretches chosen so that `output_size` of them cover the image; None keeps a side."""
    return ops.adaptive_max_pool2d(input, output_size=_sides(input, output_size))


def _sides(input: Tensor, output_size: OutputSize) -> tuple[int, int]:
    given = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
    height, width = (old if new is None else new for old, new in zip(input.shape[2:], given, strict=True))
    return height, width
