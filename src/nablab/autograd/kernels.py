"""Fast convolution, pooling and cross entropy: what `ops/` says, arranged for the memory of a computer.

Images are kept in memory with the batch last, (C, H, W, N), whatever order their axes are shown in. So
- every window of a whole batch is a column of one matrix (C*h*w, H*W*N) whose rows are long and contiguous;
- pooling and padding move and compare whole rows of N numbers;
- the product of filters and columns is the next layer's images, and flattened images (N, C*H*W) are the
  columns of the next linear layer, without a copy.
NumPy's elementwise operations keep the order of the memory, so it travels through a network by itself.

Products of a small matrix with a long one are cut into pieces that OpenBLAS computes without first packing
its operands; on the machine where this was written that is two to five times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nablab.autograd.dtypes import Array, DType
from nablab.autograd.errors import AutogradError
from nablab.autograd.parallel import cuts, parts, run
from nablab.autograd.workspace import empty

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]

#: Up to so many multiplications OpenBLAS takes its kernels for small matrices.
PIECE = 1_000_000
#: Cutting pays where the small matrix has at most so many entries: in products, and in sums over columns.
SMALL_FACTOR, SMALL_SUM = 5_000, 1_000
#: Columns of so many bytes are still in the cache when they are multiplied.
BLOCK = 1 << 20
#: So many numbers are worth pooling in another thread.
POOLED = 100_000


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

        Raises AutogradError where it is larger than the padded image.
        """
        (k, kk), (s, ss), (p, pp), (d, dd) = self.size, self.stride, self.padding, self.dilation
        h = shape[2] + 2 * p - d * (k - 1) - 1
        w = shape[3] + 2 * pp - dd * (kk - 1) - 1
        if h < 0 or w < 0:
            raise AutogradError(
                f"a window of {k}x{kk} (dilation {d}x{dd}) does not fit into images of {shape[2]}x{shape[3]} "
                f"with padding {p}x{pp}; input shape {tuple(shape)}"
            )
        return h // s + 1, w // ss + 1

    def views(self, padded: Array, outputs: Pair) -> Iterator[Array]:
        """For each element of the window: what it sees at all of its places, (C, Ho, Wo, N)."""
        (s, ss), (d, dd) = self.stride, self.dilation
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                rows = slice(i * d, i * d + s * (outputs[0] - 1) + 1, s)
                columns = slice(j * dd, j * dd + ss * (outputs[1] - 1) + 1, ss)
                yield padded[:, rows, columns]

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

    def zeros(self, shape: Shape, dtype: DType) -> Array:
        """Padded images (C, H, W, N) in which the gradient of images of `shape` (N, C, H, W) is collected."""
        n, c, h, w = shape
        result = empty((c, h + 2 * self.padding[0], w + 2 * self.padding[1], n), dtype)
        result.fill(0)
        return result

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


# Convolution.


def convolve(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """The images (N, O, Ho, Wo): filters times columns, block by block."""
    seen = _see(window.pad(batch_last(x)), window, window.outputs(x.shape))
    _, _, _, h, w, n = seen.shape
    filters = _filters(weight, groups)
    out = empty((len(weight), h, w, n), x.dtype)

    def block(rows: slice) -> None:
        result = out[:, rows].reshape(len(weight), -1)
        _multiply(filters, _columns(seen, rows, groups), _grouped(result, groups))
        if bias is not None:
            result += bias[:, None]

    run([partial(block, rows) for rows in _blocks(seen, len(weight) // groups)])
    return batch_first(out)


def filter_gradient(g: Array, x: Array, window: Window, groups: int, shape: Shape) -> Array:
    """The gradient of filters of `shape`, from that of the images they made: columns times g, block by block.

    The columns are built once more: that is quicker than to bring them back from memory.
    """
    seen = _see(window.pad(batch_last(x)), window, window.outputs(x.shape))
    g_CHWN = np.ascontiguousarray(batch_last(g))
    blocks = _blocks(seen, shape[0] // groups)
    sums = np.empty((len(blocks), groups, shape[0] // groups, prod(shape[1:])), g.dtype)

    def block(i: int) -> None:
        rows = _grouped(g_CHWN[:, blocks[i]].reshape(shape[0], -1), groups)
        columns = _columns(seen, blocks[i], groups)
        for group in range(groups):
            sums[i, group] = _sum_of_products(rows[group], columns[group])

    run([partial(block, i) for i in range(len(blocks))])
    total: Array = sums.sum(0)
    return total.reshape(shape)


def _blocks(seen: Array, filters: int) -> list[slice]:
    """The rows of the result, cut so that the columns of a block stay in a core's cache."""
    columns = seen.size
    return cuts(
        seen.shape[3], max(columns * seen.itemsize // BLOCK, parts(filters * columns, at_least=PIECE))
    )


def _columns(seen: Array, rows: slice, groups: int) -> Array:
    """Every window in some rows of the result as a column: (groups, C / groups * h * w, rows * Wo * N)."""
    windows = seen[:, :, :, rows]
    columns = empty(windows.shape, seen.dtype)
    np.copyto(columns, windows)
    return columns.reshape(groups, prod(windows.shape[:3]) // groups, -1)


def image_gradient(g: Array, weight: Array, window: Window, groups: int, shape: Shape) -> Array:
    """The gradient of images of `shape` from that of their convolution: pixels collect from their windows."""
    n, c = shape[:2]
    outputs = window.outputs(shape)
    padded = window.zeros(shape, g.dtype)
    rows = _grouped(batch_last(g).reshape(len(weight), -1), groups)
    filters = _filters(weight, groups)

    def collect(units: slice) -> None:
        """For some of the channels, or of the groups where there are several."""
        if groups > 1:
            factors, known = filters[units].mT, rows[units]
            channels = slice(units.start * c // groups, units.stop * c // groups)
        else:
            factors, known = filters[:, :, units.start * window.area : units.stop * window.area].mT, rows
            channels = units
        columns = empty((*factors.shape[:2], known.shape[2]), g.dtype)
        _multiply(factors, known, columns)
        seen = columns.reshape(-1, window.area, *outputs, n)
        for i, view in enumerate(window.views(padded[channels], outputs)):
            view += seen[:, i]

    number = max(
        weight[0].size * groups * rows.shape[2] * g.itemsize // BLOCK,
        parts(weight.size * rows.shape[2], at_least=PIECE),
    )
    run([partial(collect, units) for units in cuts(groups if groups > 1 else c, number)])
    return batch_first(window.unpad(padded))


def _see(padded: Array, window: Window, outputs: Pair) -> Array:
    """What every window sees, as a view: (C, h, w, Ho, Wo, N)."""
    c, _, _, n = padded.shape
    sc, sh, sw, sn = padded.strides
    (s, ss), (d, dd) = window.stride, window.dilation
    shape, strides = (c, *window.size, *outputs, n), (sc, d * sh, dd * sw, s * sh, ss * sw, sn)
    return as_strided(padded, shape, strides, writeable=False)


def _filters(weight: Array, groups: int) -> Array:
    """(O, C / groups, h, w) as the rows of a matrix a group: (groups, O / groups, C / groups * h * w)."""
    return weight.reshape(groups, len(weight) // groups, -1)


def _grouped(matrix: Array, groups: int) -> Array:
    """(rows, columns) as (groups, rows / groups, columns)."""
    return matrix.reshape(groups, len(matrix) // groups, -1)


# Products.


def matmul(a: Array, b: Array) -> Array:
    """The product of two matrices, the rows of `a` spread over the threads."""
    number = parts(a.size * b.shape[1], at_least=PIECE)
    if number == 1:
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    run([partial(np.matmul, a[rows], b, out=out[rows]) for rows in cuts(len(a), number)])
    return out


def _multiply(a: Array, b: Array, out: Array) -> None:
    """For each group, a (G, M, K) times a long b (G, K, P), in pieces if `a` is small."""
    groups, m, k = a.shape
    piece = max(1, PIECE // (m * k))
    pieces = b.shape[2] // piece if groups == 1 and m * k <= SMALL_FACTOR else 0
    cut = pieces * piece
    if pieces:
        np.matmul(a[0], _pieces(b[0, :, :cut], pieces), out=_pieces(out[0, :, :cut], pieces))
    if cut < b.shape[2]:
        np.matmul(a, b[:, :, cut:], out=out[:, :, cut:])


def _sum_of_products(a: Array, b: Array) -> Array:
    """a (M, P) times the transpose of b (K, P), both long; in pieces if the result is small."""
    (m, p), k = a.shape, len(b)
    piece = max(1, PIECE // (m * k))
    pieces = p // piece if m * k <= SMALL_SUM else 0
    cut = pieces * piece
    total: Array = (b[:, cut:] @ a[:, cut:].T).T  # OpenBLAS prefers the longer result
    if pieces:
        total = total + np.matmul(_pieces(a[:, :cut], pieces), _pieces(b[:, :cut], pieces).mT).sum(0)
    return total


def _pieces(matrix: Array, number: int) -> Array:
    """(rows, columns) as (number, rows, columns / number), without a copy."""
    return matrix.reshape(len(matrix), number, -1).transpose(1, 0, 2)


# Pooling.


def max_of_windows(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest of each window, and which element of the window it is (the first, of equal ones)."""
    if any(2 * p > k for p, k in zip(window.padding, window.size, strict=True)):
        raise AutogradError(f"padding {window.padding} is more than half of the window {window.size}")
    padded = window.pad(batch_last(x), -np.inf)
    outputs = window.outputs(x.shape)
    best = empty((len(padded), *outputs, len(x)), x.dtype)
    winner = empty(best.shape, np.dtype(np.uint8 if window.area <= 256 else np.int32))

    def search(channels: slice) -> None:
        top, which = best[channels], winner[channels]
        which.fill(0)
        for i, view in enumerate(window.views(padded[channels], outputs)):
            if i == 0:
                np.copyto(top, view)
                continue
            later = np.multiply(view > top, which.dtype.type(i), dtype=which.dtype)
            np.maximum(which, later, out=which)  # the number i is larger than all before
            np.maximum(top, view, out=top)

    run([partial(search, channels) for channels in cuts(len(best), parts(x.size, at_least=POOLED))])
    return batch_first(best), winner


def to_winners(g: Array, winner: Array, window: Window, shape: Shape) -> Array:
    """Send each window's gradient to its largest element."""
    padded = window.zeros(shape, g.dtype)
    g_CHWN = batch_last(g)
    apart = window.stride[0] >= window.size[0] and window.stride[1] >= window.size[1]

    def send(channels: slice) -> None:
        for i, view in enumerate(window.views(padded[channels], winner.shape[1:3])):
            won = winner[channels] == i
            if apart:
                np.multiply(g_CHWN[channels], won, out=view)
            else:
                view += g_CHWN[channels] * won

    run([partial(send, channels) for channels in cuts(len(padded), parts(padded.size, at_least=POOLED))])
    return batch_first(window.unpad(padded))


def sum_of_windows(x: Array, window: Window) -> Array:
    """The sum of each window, padding counted as zeros."""
    padded = window.pad(batch_last(x))
    views = window.views(padded, window.outputs(x.shape))
    total = next(views).copy()
    for view in views:
        total += view
    return batch_first(total)


def to_all(g: Array, window: Window, shape: Shape) -> Array:
    """Send each window's gradient to all of its elements."""
    padded = window.zeros(shape, g.dtype)
    g_CHWN = batch_last(g)
    for view in window.views(padded, window.outputs(shape)):
        view += g_CHWN
    return batch_first(window.unpad(padded))


def stretches(size: int, outputs: int) -> list[Pair]:
    """Where adaptive pooling cuts a side: stretches of nearly equal length that cover it, as in PyTorch."""
    return [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]


def class_losses(scores: Array, classes: Array) -> tuple[Array, Array] | None:
    """Cross entropy of scores (N, K) for each row, and its gradient by the scores, softmax - one-hot.

    None where a class is not one of 0 to K - 1. Worked with the classes first, so that every reduction adds
    whole rows.
    """
    n, k = scores.shape
    if not n or classes.view(f"u{classes.itemsize}").max() >= k:  # a negative number is a large one, unsigned
        return None
    e = np.empty((k, n), scores.dtype)
    flat = e.reshape(-1)
    places = classes * n + np.arange(n)
    np.subtract(scores.T, np.maximum.reduce(scores, 1), out=e)
    chosen = flat.take(places)
    np.exp(e, out=e)
    total = np.add.reduce(e, 0)
    np.divide(e, total, out=e)
    flat[places] = flat.take(places) - 1
    return np.log(total) - chosen, e.T
