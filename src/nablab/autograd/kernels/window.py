"""How windows slide over images, and the order in which images lie in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nablab.autograd.dtypes import Array, DType
from nablab.autograd.errors import AutogradError
from nablab.autograd.workspace import empty

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """How a window slides over images: its size and steps, in height and width."""

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    def outputs(self, shape: Shape) -> Pair:
        """How many places it takes on images of shape (N, C, H, W).

        Raises AutogradError where it is larger than the padded image, or does not move.
        """
        (k, kk), (s, ss), (p, pp), (d, dd) = self.size, self.stride, self.padding, self.dilation
        if s < 1 or ss < 1:
            raise AutogradError(f"the stride of a window must be at least 1, it is {s}x{ss}")
        h = shape[2] + 2 * p - d * (k - 1) - 1
        w = shape[3] + 2 * pp - dd * (kk - 1) - 1
        if h < 0 or w < 0:
            raise AutogradError(
                f"a window of {k}x{kk} (dilation {d}x{dd}) does not fit into images of {shape[2]}x{shape[3]} "
                f"with padding {p}x{pp}; input shape {tuple(shape)}"
            )
        return h // s + 1, w // ss + 1

    def rows(self, i: int) -> slice:
        """The rows of padded images that the windows of row `i` of the result look at."""
        first, d = i * self.stride[0], self.dilation[0]
        return slice(first, first + d * (self.size[0] - 1) + 1, d)

    def columns(self, j: int, width: int) -> slice:
        """The columns of padded images that column `j` of the window sees, at `width` places."""
        first, s = j * self.dilation[1], self.stride[1]
        return slice(first, first + s * (width - 1) + 1, s)

    def views(self, padded: Array, outputs: Pair) -> Iterator[Array]:
        """For each element of the window: what it sees at all of its places, (C, Ho, Wo, N)."""
        s, d = self.stride[0], self.dilation[0]
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                rows = slice(i * d, i * d + s * (outputs[0] - 1) + 1, s)
                yield padded[:, rows, self.columns(j, outputs[1])]

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """Images (C, H, W, N) with the padding around them, contiguous."""
        (p, q), (c, h, w, n) = self.padding, x.shape
        if not p and not q:
            return np.ascontiguousarray(x)
        result = empty((c, h + 2 * p, w + 2 * q, n), x.dtype)
        result.fill(value)
        result[:, p : p + h, q : q + w] = x
        return result

    def unpad(self, padded: Array) -> Array:
        """What `pad` put the padding around."""
        (p, q), (_, h, w, _) = self.padding, padded.shape
        inside: Array = padded[:, p : h - p, q : w - q]
        return inside

    def empty(self, shape: Shape, dtype: DType) -> Array:
        """Padded images (C, H, W, N) with anything in them, for images of `shape` (N, C, H, W)."""
        n, c, h, w = shape
        return empty((c, h + 2 * self.padding[0], w + 2 * self.padding[1], n), dtype)

    def zeros(self, shape: Shape, dtype: DType) -> Array:
        """The same with zeros, to collect the gradient of such images in."""
        result = self.empty(shape, dtype)
        result.fill(0)
        return result

    def tiles(self, shape: Shape) -> bool:
        """Whether each pixel of images of `shape` is seen from just one place."""
        return self.stride == self.size and all(
            (n + 2 * p) % k == 0 for n, p, k in zip(shape[2:], self.padding, self.size, strict=True)
        )

    def counts(self, shape: Shape, include_padding: bool) -> Array:
        """How many elements are averaged at each place (Ho, Wo)."""
        outputs = self.outputs(shape)
        if include_padding:
            return np.full(outputs, self.area)
        inside = self.pad(np.ones((1, shape[2], shape[3], 1)))
        total: Array = np.asarray(sum(self.views(inside, outputs)))
        return total.reshape(outputs)


def batch_last(images: Array) -> Array:
    """(N, C, H, W) shown as (C, H, W, N): the order in memory, for images that come from these kernels."""
    return images.transpose(1, 2, 3, 0)


def batch_first(planes: Array) -> Array:
    """(C, H, W, N) shown as (N, C, H, W)."""
    return planes.transpose(3, 0, 1, 2)
