"""Convolution and its gradients, as products of filters with columns, block by block."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nablab.autograd.dtypes import Array
from nablab.autograd.kernels import products
from nablab.autograd.kernels.products import multiply, sum_of_products
from nablab.autograd.kernels.window import Pair, Shape, Window, batch_first, batch_last
from nablab.autograd.parallel import cuts, parts, run
from nablab.autograd.workspace import empty

#: Columns of so many bytes are still in the cache when they are multiplied.
BLOCK = 1 << 20


def convolve(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """The images (N, O, Ho, Wo): filters times columns, block by block."""
    seen = _see(window.pad(batch_last(x)), window, window.outputs(x.shape))
    _, _, _, h, w, n = seen.shape
    filters = _filters(weight, groups)
    out = empty((len(weight), h, w, n), x.dtype)

    def block(rows: slice) -> None:
        result = out[:, rows].reshape(len(weight), -1)
        multiply(filters, _columns(seen, rows, groups), _grouped(result, groups))
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
            sums[i, group] = sum_of_products(rows[group], columns[group])

    run([partial(block, i) for i in range(len(blocks))])
    total: Array = sums.sum(0)
    return total.reshape(shape)


def _blocks(seen: Array, filters: int) -> list[slice]:
    """The rows of the result, cut so that the columns of a block stay in a core's cache."""
    columns = seen.size
    return cuts(
        seen.shape[3],
        max(columns * seen.itemsize // BLOCK, parts(filters * columns, at_least=products.PIECE)),
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
        multiply(factors, known, columns)
        seen = columns.reshape(-1, window.area, *outputs, n)
        for i, view in enumerate(window.views(padded[channels], outputs)):
            view += seen[:, i]

    number = max(
        weight[0].size * groups * rows.shape[2] * g.itemsize // BLOCK,
        parts(weight.size * rows.shape[2], at_least=products.PIECE),
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
