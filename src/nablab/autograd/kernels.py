"""Fast convolution and pooling: what `ops/convolution.py` says, arranged for the memory of a computer.

Images are kept in memory with the channel first, (C, N, H, W), whatever order their axes are shown in: the
columns of a whole batch are then one matrix (C*h*w, N*H*W) whose rows are long and contiguous, the products
are few and large, and their results are images with the channel first again, without a copy. NumPy's
elementwise operations keep an array's order in memory, so the order travels through a network by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nablab.autograd.dtypes import Array, DType
from nablab.autograd.errors import AutogradError

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """How a window slides over images: its size and steps, in height and width."""

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def outputs(self, shape: Shape) -> Pair:
        """How many places it takes on images of shape (N, C, H, W).

        Raises AutogradError where it is larger than the padded image.
        """
        spans = [d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        padded = [n + 2 * p for n, p in zip(shape[2:], self.padding, strict=True)]
        if any(span > n for span, n in zip(spans, padded, strict=True)):
            raise AutogradError(
                f"a window of {spans[0]}x{spans[1]} does not fit into images of {padded[0]}x{padded[1]} "
                f"(padding included; input shape {tuple(shape)})"
            )
        h, w = ((n - span) // s + 1 for n, span, s in zip(padded, spans, self.stride, strict=True))
        return h, w

    def views(self, padded: Array, outputs: Pair) -> Iterator[Array]:
        """For each element of the window: what it sees at all of its places, (..., Ho, Wo)."""
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                top, left = i * self.dilation[0], j * self.dilation[1]
                yield padded[
                    ...,
                    top : top + self.stride[0] * (outputs[0] - 1) + 1 : self.stride[0],
                    left : left + self.stride[1] * (outputs[1] - 1) + 1 : self.stride[1],
                ]

    def pad(self, images: Array, value: float = 0.0) -> Array:
        """The images (..., H, W) with the padding around them."""
        (p, q), (h, w) = self.padding, images.shape[-2:]
        if not p and not q:
            return images
        result = np.full((*images.shape[:-2], h + 2 * p, w + 2 * q), value, images.dtype)
        result[..., p : p + h, q : q + w] = images
        return result

    def unpad(self, padded: Array) -> Array:
        (p, q), (h, w) = self.padding, padded.shape[-2:]
        inside: Array = padded[..., p : h - p, q : w - q]
        return inside

    def empty(self, shape: Shape, dtype: DType) -> Array:
        """Zeros for padded images whose gradient is being collected, channel first."""
        n, c, h, w = shape
        return np.zeros((c, n, h + 2 * self.padding[0], w + 2 * self.padding[1]), dtype)

    def counts(self, shape: Shape, include_padding: bool) -> Array:
        """How many elements are averaged at each place."""
        if include_padding:
            return np.full(self.outputs(shape), self.size[0] * self.size[1])
        inside = self.pad(np.ones((1, 1, *shape[2:])))
        total: Array = np.asarray(sum(self.views(inside, self.outputs(shape))))
        return total.reshape(self.outputs(shape))


def rows(weight: Array, groups: int) -> Array:
    """Filters (O, C, h, w) as the rows of one matrix a group: (groups, O / groups, C*h*w)."""
    return weight.reshape(groups, weight.shape[0] // groups, -1)


def channels_first(images: Array, groups: int) -> Array:
    """Images (N, C, H, W) as matrices (groups, C / groups, N*H*W)."""
    c = images.shape[1]
    return images.transpose(1, 0, 2, 3).reshape(groups, c // groups, -1)


def images(matrix: Array, shape: Shape) -> Array:
    """The other way round: matrices (groups, C / groups, N*H*W) as images (N, C, H, W), shape (N, H, W)."""
    return matrix.reshape(-1, *shape).transpose(1, 0, 2, 3)


def to_columns(x: Array, window: Window, groups: int = 1) -> Array:
    """Every window as a column: (groups, C / groups * h * w, N * Ho * Wo)."""
    n, c = x.shape[:2]
    outputs = window.outputs(x.shape)
    padded = window.pad(x.transpose(1, 0, 2, 3))
    columns = np.empty((c, window.size[0] * window.size[1], n, *outputs), x.dtype)
    for i, view in enumerate(window.views(padded, outputs)):
        columns[:, i] = view
    return columns.reshape(groups, c // groups * window.size[0] * window.size[1], -1)


def from_columns(columns: Array, window: Window, shape: Shape) -> Array:
    """The gradient of images of `shape` from that of their columns: each pixel collects from its windows."""
    n, c = shape[:2]
    outputs = window.outputs(shape)
    padded = window.empty(shape, columns.dtype)
    parts = columns.reshape(c, window.size[0] * window.size[1], n, *outputs)
    for i, view in enumerate(window.views(padded, outputs)):
        view += parts[:, i]
    return window.unpad(padded).transpose(1, 0, 2, 3)


def max_of_windows(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest of each window, and which element of the window it is (the first, of equal ones)."""
    if any(2 * p > k for p, k in zip(window.padding, window.size, strict=True)):
        raise AutogradError(f"padding {window.padding} is more than half of the window {window.size}")
    padded = window.pad(x.transpose(1, 0, 2, 3), -np.inf)
    views = window.views(padded, window.outputs(x.shape))
    best = next(views).copy()
    winner = np.zeros(best.shape, np.uint8 if window.size[0] * window.size[1] <= 256 else np.int32)
    for i, view in enumerate(views, 1):
        winner[view > best] = i
        np.maximum(best, view, out=best)
    return best.transpose(1, 0, 2, 3), winner


def to_winners(g: Array, winner: Array, window: Window, shape: Shape) -> Array:
    """Send each window's gradient to its largest element."""
    padded = window.empty(shape, g.dtype)
    g_CNHW = g.transpose(1, 0, 2, 3)
    for i, view in enumerate(window.views(padded, window.outputs(shape))):
        view += g_CNHW * (winner == i)
    return window.unpad(padded).transpose(1, 0, 2, 3)


def sum_of_windows(x: Array, window: Window) -> Array:
    padded = window.pad(x.transpose(1, 0, 2, 3))
    views = window.views(padded, window.outputs(x.shape))
    total = next(views).copy()
    for view in views:
        total += view
    return total.transpose(1, 0, 2, 3)


def to_all(g: Array, window: Window, shape: Shape) -> Array:
    """Send each window's gradient to all of its elements."""
    padded = window.empty(shape, g.dtype)
    g_CNHW = g.transpose(1, 0, 2, 3)
    for view in window.views(padded, window.outputs(shape)):
        view += g_CNHW
    return window.unpad(padded).transpose(1, 0, 2, 3)


def stretches(size: int, outputs: int) -> list[Pair]:
    """Where adaptive pooling cuts a side: stretches of nearly equal length that cover it, as in PyTorch."""
    return [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
