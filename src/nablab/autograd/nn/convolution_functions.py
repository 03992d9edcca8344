"""Convolution, padding and larger images, as functions with PyTorch's signatures; found in `functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from nablab.autograd import ops
from nablab.autograd.errors import AutogradError
from nablab.autograd.tensor import Tensor

Pair: TypeAlias = int | Sequence[int]


def pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1, padding: Pair | str = 0,
    dilation: Pair = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """(N, C, H, W) with filters (O, C / groups, h, w) to (N, O, Ho, Wo). Padding "same" keeps the size."""
    dilations = pair(dilation)
    if isinstance(padding, str):
        padding = _named_padding(padding, weight.shape[2:], dilations, pair(stride))
    return ops.conv2d(
        input, weight, bias,
        stride=pair(stride), padding=pair(padding), dilation=dilations, groups=groups,
    )  # fmt: skip


def _named_padding(name: str, size: Sequence[int], dilation: Sequence[int], stride: tuple[int, int]) -> Pair:
    spans = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    if name == "valid":
        return 0
    if name != "same" or stride != (1, 1) or any(span % 2 for span in spans):
        raise AutogradError(f"padding {name!r}: a number, 'valid', or with stride 1 and odd windows 'same'")
    return [span // 2 for span in spans]


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1, padding: Pair = 0,
    output_padding: Pair = 0, groups: int = 1, dilation: Pair = 1,
) -> Tensor:  # fmt: skip
    """(N, C, H, W) with filters (C, O / groups, h, w) to (N, O, Ho, Wo): what goes backward through `conv2d`.

    Pixels are moved `stride` apart, with zeros between them, and correlated with the filters turned round.
    """
    steps, margins, extra, dilations = pair(stride), pair(padding), pair(output_padding), pair(dilation)
    c, outputs, *window = weight.shape
    turned = ops.flip(weight, dims=(2, 3)).reshape(groups, c // groups, outputs, *window).transpose(1, 2)
    reach = [d * (k - 1) for d, k in zip(dilations, window, strict=True)]
    spread = _with_zeros_between(input, steps)
    out = conv2d(
        pad(spread, (0, extra[1], 0, extra[0])), turned.reshape(groups * outputs, c // groups, *window), bias,
        padding=reach, dilation=dilations, groups=groups,
    )  # fmt: skip
    height, width = out.shape[2:]
    return out[:, :, margins[0] : height - margins[0], margins[1] : width - margins[1]]


def _with_zeros_between(x: Tensor, steps: tuple[int, int]) -> Tensor:
    n, c, height, width = x.shape
    apart = pad(x.reshape(n, c, height, 1, width, 1), (0, steps[1] - 1, 0, 0, 0, steps[0] - 1))
    spread = apart.reshape(n, c, height * steps[0], width * steps[1])
    return spread[:, :, : (height - 1) * steps[0] + 1, : (width - 1) * steps[1] + 1]


def interpolate(
    input: Tensor, size: Pair | None = None, scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
) -> Tensor:  # fmt: skip
    """Each pixel repeated: images a whole number of times as large, to `size` or by `scale_factor`.

    Raises AutogradError for other sizes and modes.
    """
    n, c, height, width = input.shape
    if (size is None) == (scale_factor is None) or mode != "nearest":
        raise AutogradError("interpolate takes a size or a scale_factor, and the mode 'nearest'")
    if isinstance(scale_factor, Sequence):
        times = list(scale_factor)
    elif scale_factor is not None:
        times = [scale_factor, scale_factor]
    else:
        times = [new / old for new, old in zip(pair(size or 0), (height, width), strict=True)]
    if any(factor < 1 or factor % 1 for factor in times):
        raise AutogradError(f"interpolate makes images a whole number of times as large, not {times} times")
    rows, columns = map(int, times)
    repeated = input.reshape(n, c, height, 1, width, 1).expand(n, c, height, rows, width, columns)
    return repeated.reshape(n, c, height * rows, width * columns)


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Constant padding; `pad` lists (before, after) from the last dimension backwards, as in PyTorch."""
    if mode != "constant" or len(pad) % 2 or min(pad) < 0:
        raise AutogradError("pad takes pairs of numbers from 0, and the mode 'constant'")
    widths = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    return ops.pad(input, widths=[(0, 0)] * (input.ndim - len(widths)) + widths, value=value or 0.0)
