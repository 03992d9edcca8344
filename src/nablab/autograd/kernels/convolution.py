"""Convolution and its gradients, as products of filters with lowered images.

Lowering copies an image once for each column of the window, not once for each of its elements: what the
window's column j sees along a row becomes a row of its own. The windows of one row of results are then a
block of consecutive rows, a matrix that need not be copied; blocks of neighbouring rows overlap.
Source: M. Cho and D. Brand, "MEC: memory-efficient convolution for deep neural network", ICML 2017.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.kernels.products import multiply
from nablab.autograd.kernels.window import Shape, Window, batch_first, batch_last
from nablab.autograd.parallel import cuts, parts, run
from nablab.autograd.workspace import empty

#: So many multiplications are worth waking another thread for.
SHARED = 4_000_000
#: Images are lowered so many bytes at a time: larger ones take their rows in turn.
BLOCK = 1 << 23


def convolve(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """The images (N, O, Ho, Wo): filters times lowered images, row by row."""
    padded, (h, w) = window.pad(batch_last(x)), window.outputs(x.shape)
    filters = _filters(weight, groups)[:, None]
    out = empty((len(weight), h, w, len(x)), x.dtype)

    def make(rows: slice) -> None:
        multiply(filters, _lowered(padded, window, rows, w, groups), _by_row(out[:, rows], groups))
        if bias is not None:
            out[:, rows] += bias[:, None, None, None]

    run([partial(make, rows) for rows in _cuts(h, out.size * weight[0].size, x.nbytes * window.size[1])])
    return batch_first(out)


def filter_gradient(g: Array, x: Array, window: Window, groups: int, shape: Shape) -> Array:
    """The gradient of filters of `shape` from that of the images they made: lowered images times g.

    The images are lowered once more: that is quicker than to bring them back from memory.
    """
    padded, (h, w) = window.pad(batch_last(x)), window.outputs(x.shape)
    g_CHWN = np.ascontiguousarray(batch_last(g))
    pieces = _cuts(h, g.size * window.area * shape[1], x.nbytes * window.size[1])
    sums: list[Array] = [g] * len(pieces)

    def add(i: int) -> None:
        rows = _lowered(padded, window, pieces[i], w, groups)
        sums[i] = np.matmul(rows, _by_row(g_CHWN[:, pieces[i]], groups).mT).sum(1)

    run([partial(add, i) for i in range(len(pieces))])
    (k, kk), total = window.size, sum(sums[1:], start=sums[0])
    return np.ascontiguousarray(
        total.reshape(groups, k, shape[1], kk, -1).transpose(0, 4, 2, 1, 3).reshape(shape)
    )


def image_gradient(g: Array, weight: Array, window: Window, groups: int, shape: Shape) -> Array:
    """The gradient of images of `shape` from that of their convolution: what lowering did, undone.

    Each row of `g` goes through the filters and is added to its block of lowered rows; these are then added
    to the image.
    """
    g_rows = _by_row(np.ascontiguousarray(batch_last(g)), groups)
    padded = window.zeros(shape, g.dtype)
    per, (h, w), (k, kk) = shape[1] // groups, window.outputs(shape), window.size
    filters = weight.reshape(groups, -1, per, k, kk).transpose(0, 3, 2, 4, 1)  # (G, h, C / G, w, O / G)

    def collect(some: slice) -> None:
        """For some of the groups; of the channels, where there is one group."""
        known, factors = (g_rows[some], filters[some]) if groups > 1 else (g_rows, filters[:, :, some])
        number, channels = len(factors), factors.shape[2]
        lowered = empty((number, padded.shape[1], channels, kk, w, shape[0]), g.dtype)
        lowered.fill(0)
        factors = factors.reshape(number, 1, -1, factors.shape[-1])
        row = empty((number, 1, factors.shape[2], w * shape[0]), g.dtype)
        unfolded = row.reshape(number, k, channels, kk, w, shape[0])
        for i in range(h):
            multiply(factors, known[:, i : i + 1], row)
            lowered[:, window.rows(i)] += unfolded
        start = some.start * (per if groups > 1 else 1)
        image = padded[start : start + number * channels].reshape(number, channels, *padded.shape[1:])
        for j in range(kk):
            image[:, :, :, window.columns(j, w)] += lowered[:, :, :, j].swapaxes(1, 2)

    tasks = parts(g.size * weight[0].size, at_least=SHARED)
    run([partial(collect, some) for some in cuts(groups if groups > 1 else per, tasks)])
    return batch_first(window.unpad(padded))


def _lowered(padded: Array, window: Window, rows: slice, width: int, groups: int) -> Array:
    """For some rows of the result, what its windows see: (groups, rows, h * C / groups * w, Wo * N).

    Where windows of neighbouring rows overlap, so do these matrices in memory: they are to be read only.
    """
    (k, kk), (s, ss), (d, dd), count = window.size, window.stride, window.dilation, rows.stop - rows.start
    (c, _, _, n), (sc, sh, sw, sn) = padded.shape, padded.strides
    per, shared = c // groups, d == 1 and s < k
    # One image row after the other, or, where windows share none, those of one window after those of another.
    shape, strides = (((count - 1) * s + k,), (sh,)) if shared else ((count, k), (s * sh, d * sh))
    shape, strides = (groups, *shape, per, kk, width, n), (per * sc, *strides, sc, dd * sw, ss * sw, sn)
    lowered = empty(shape, padded.dtype)
    np.copyto(lowered, np.ndarray(shape, padded.dtype, padded.data, rows.start * s * sh, strides))
    windows = groups, count, k * per * kk, width * n
    if not shared:
        return lowered.reshape(windows)
    group, row, size = *lowered.strides[:2], lowered.itemsize
    view = np.ndarray(windows, lowered.dtype, lowered.data, 0, (group, s * row, width * n * size, size))
    view.flags.writeable = False
    return view


def _filters(weight: Array, groups: int) -> Array:
    """Filters (O, C / groups, h, w) in the order of lowered images: (groups, O / groups, h*C/groups*w)."""
    return weight.transpose(0, 2, 1, 3).reshape(groups, len(weight) // groups, -1)


def _by_row(images: Array, groups: int) -> Array:
    """Images (O, Ho, Wo, N) as a matrix for each row: (groups, Ho, O / groups, Wo * N)."""
    o, h, w, n = images.shape
    return images.reshape(groups, o // groups, h, w * n).transpose(0, 2, 1, 3)


def _cuts(height: int, work: int, lowered: int) -> list[slice]:
    """Rows of the result, so many at a time: for each thread some, and not too many bytes lowered."""
    return cuts(height, max(parts(work, at_least=SHARED), lowered // BLOCK))
