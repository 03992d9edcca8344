"""Convolution and pooling of images (N, C, H, W). The loops over windows are in `kernels.py`."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from nablab.autograd import kernels
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import op, vjp
from nablab.autograd.ops.linear_algebra import one_dtype

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Result: TypeAlias = tuple[Array, dict[str, Any]]


@op
def conv2d(
    x: Array, weight: Array, bias: Array | None = None, *,
    stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1,
) -> Array:  # fmt: skip
    """out[n, o] = bias[o] + sum over c of x[n, c] correlated with weight[o, c].

    As one product of matrices: each window of x becomes a column, each filter is a row.
    """
    one_dtype("conv2d", x, weight, bias)
    _check_channels(x, weight, groups)
    window = kernels.Window(weight.shape[2:], stride, padding, dilation)
    return kernels.convolve(x, weight, bias, window, groups)


@vjp(conv2d, "x")
def _(
    g: Array, x_shape: Shape, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """g through the filters to columns, each pixel collecting from its windows"""
    window = kernels.Window(weight.shape[2:], stride, padding, dilation)
    return kernels.image_gradient(g, weight, window, groups, x_shape)


@vjp(conv2d, "weight")
def _(
    g: Array, x: Array, weight_shape: Shape, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """g times the windows, summed over all places"""
    window = kernels.Window((weight_shape[2], weight_shape[3]), stride, padding, dilation)
    return kernels.filter_gradient(g, x, window, groups, weight_shape)


@vjp(conv2d, "bias")
def _(g: Array) -> Array:
    """g, summed over batch and places"""
    g_CHWN = kernels.batch_last(g)
    return np.add.reduce(g_CHWN.reshape(*g_CHWN.shape[:2], -1), 1).sum(1)  # long rows are added quickest


def _check_channels(x: Array, weight: Array, groups: int) -> None:
    if x.ndim != 4 or weight.ndim != 4:
        raise AutogradError(f"conv2d takes (N, C, H, W) and (O, C, h, w), not {x.shape} and {weight.shape}")
    if groups < 1:
        raise AutogradError(f"conv2d: groups must be at least 1, it is {groups}")
    if weight.shape[0] % groups or x.shape[1] != weight.shape[1] * groups:
        raise AutogradError(
            f"conv2d: the input of shape {x.shape} has {x.shape[1]} channels, the weight of shape "
            f"{weight.shape} takes {weight.shape[1] * groups}"
            + (f" in {groups} groups" if groups > 1 else "")
        )


@op
def max_pool2d(x: Array, *, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0)) -> Result:
    window = kernels.Window(kernel_size, stride, padding)
    out, winner = kernels.max_of_windows(x, window)
    return out, {"winner": winner}


@vjp(max_pool2d)
def _(g: Array, winner: Array, x_shape: Shape, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
    return kernels.to_winners(g, winner, kernels.Window(kernel_size, stride, padding), x_shape)


@op
def avg_pool2d(
    x: Array, *, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0), count_include_pad: bool = True
) -> Array:
    window = kernels.Window(kernel_size, stride, padding)
    return kernels.sum_of_windows(x, window) / window.counts(x.shape, count_include_pad).astype(x.dtype)


@vjp(avg_pool2d)
def _(
    g: Array, x_shape: Shape, kernel_size: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    window = kernels.Window(kernel_size, stride, padding)
    return kernels.to_all(g / window.counts(x_shape, count_include_pad).astype(g.dtype), window, x_shape)


@op
def adaptive_avg_pool2d(x: Array, *, output_size: Pair) -> Array:
    rows, columns = _averages(x.shape, output_size, x.dtype)
    return rows @ x @ columns.T


@vjp(adaptive_avg_pool2d)
def _(g: Array, x_shape: Shape, output_size: Pair) -> Array:
    rows, columns = _averages(x_shape, output_size, g.dtype)
    return rows.T @ g @ columns


def _averages(shape: Shape, output_size: Pair, dtype: Any) -> tuple[Array, Array]:
    """For height and for width: the matrix that takes each output's mean over its stretch of the input."""

    def matrix(size: int, outputs: int) -> Array:
        result = np.zeros((outputs, size), dtype)
        for row, (start, stop) in zip(result, kernels.stretches(size, outputs), strict=True):
            row[start:stop] = 1 / (stop - start)
        return result

    return matrix(shape[2], output_size[0]), matrix(shape[3], output_size[1])


@op
def adaptive_max_pool2d(x: Array, *, output_size: Pair) -> Result:
    n, c, h, w = x.shape
    winner = np.empty((n, c, *output_size), np.int64)
    for i, (top, bottom) in enumerate(kernels.stretches(h, output_size[0])):
        for j, (left, right) in enumerate(kernels.stretches(w, output_size[1])):
            best = x[:, :, top:bottom, left:right].reshape(n, c, -1).argmax(-1)
            winner[:, :, i, j] = (top + best // (right - left)) * w + left + best % (right - left)
    out = np.take_along_axis(x.reshape(n, c, -1), winner.reshape(n, c, -1), -1)
    return out.reshape(winner.shape), {"winner": winner}


@vjp(adaptive_max_pool2d)
def _(g: Array, winner: Array, x_shape: Shape) -> Array:
    result = np.zeros((*x_shape[:2], x_shape[2] * x_shape[3]), g.dtype)
    n, c = np.ogrid[: x_shape[0], : x_shape[1]]
    np.add.at(
        result, (n[..., None], c[..., None], winner.reshape(*x_shape[:2], -1)), g.reshape(*x_shape[:2], -1)
    )
    return result.reshape(x_shape)
