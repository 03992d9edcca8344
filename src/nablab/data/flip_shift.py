"""Images mirrored and moved by whole pixels: copies of memory, not of one pixel after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array


def flip(x_NCHW: Array, which: NDArray[np.bool_]) -> Array:
    """A copy in which the images that `which` (N,) marks are mirrored left to right."""
    out = x_NCHW.copy(order="C")
    out[which] = _mirrored(out[which])
    return out


def _mirrored(x: Array) -> Array:
    """Rows from right to left.

    Bytes are turned round eight or four at a time, as numbers whose order of bytes changes: 2 to 3 times
    as fast as one by one.
    """
    for size in (8, 4):
        if x.dtype == np.uint8 and x.shape[-1] % size == 0:
            return x.view(f">u{size}")[..., ::-1].astype(f"<u{size}").view(np.uint8)
    return x[..., ::-1]


def shift(
    x_NCHW: Array,
    down: NDArray[np.intp],
    right: NDArray[np.intp],
    fill: float,
    flipped: NDArray[np.bool_] | None = None,
) -> Array:
    """Each image moved by its own `down` and `right` (N,) pixels; what comes in from outside is `fill`.

    Moving an image is copying its memory to a place so many rows and pixels later. What then stands in the
    uncovered rows and columns belongs to elsewhere, and is overwritten.

    Args:
        down: from 1 - H to H - 1.
        right: from 1 - W to W - 1.
        flipped: (N,) which are mirrored before they are moved; saves a copy over `flip`.
    """
    count, _, height, width = x_NCHW.shape
    moves = down * width + right
    room = int(np.abs(moves).max(initial=0))
    memory = np.empty(room + x_NCHW.size + room, dtype=x_NCHW.dtype)
    inside = memory[room : room + x_NCHW.size].reshape(x_NCHW.shape)
    inside[...] = x_NCHW
    if flipped is not None:
        inside[flipped] = _mirrored(inside[flipped])
    memory[:room] = memory[room + x_NCHW.size :] = fill
    image = x_NCHW[0].nbytes
    # Every stretch of memory as long as an image, as one item: NumPy then copies each in one go.
    stretches = np.ndarray(
        (2 * room + x_NCHW.size - x_NCHW[0].size + 1,), f"V{image}", memory, strides=(x_NCHW.itemsize,)
    )
    starts = room + np.arange(count) * x_NCHW[0].size - moves
    out: Array = stretches[starts].view(x_NCHW.dtype).reshape(x_NCHW.shape)
    images, rows = np.nonzero(_outside(down, height))
    out[images, :, rows] = fill
    images, columns = np.nonzero(_outside(right, width))
    out[images, :, :, columns] = fill
    return out


def _outside(moves: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    """Which of `length` places show what was outside before the move: (N, length)."""
    origins = np.arange(length) - moves[:, None]
    return (origins < 0) | (origins >= length)
