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

    Moving an image is copying its memory from a place so many rows and pixels before. Around each channel's
    plane there is room for the longest move, full of `fill`, which is what uncovered rows then show; in
    uncovered columns stands the other end of a neighbouring row, and is overwritten.

    Args:
        down: from 1 - H to H - 1.
        right: from 1 - W to W - 1.
        flipped: (N,) which are mirrored before they are moved; saves a copy over `flip`.
    """
    count, channels, height, width = x_NCHW.shape
    moves = down * width + right
    room, plane = int(np.abs(moves).max(initial=0)), height * width
    memory = np.empty(count * channels * (room + plane) + room, dtype=x_NCHW.dtype)
    slots = memory[: memory.size - room].reshape(count, channels, room + plane)
    slots[..., :room] = memory[memory.size - room :] = fill
    inside = slots[..., room:].reshape(x_NCHW.shape)  # a view: only the last axis is split
    inside[...] = x_NCHW
    if flipped is not None:
        inside[flipped] = _mirrored(inside[flipped])
    # Every stretch of memory as long as a plane, as one item: NumPy then copies each in one go.
    stretches = np.ndarray(
        (memory.size - plane + 1,), f"V{plane * memory.itemsize}", memory, strides=(memory.itemsize,)
    )
    starts = room + np.arange(count * channels).reshape(count, channels) * (room + plane) - moves[:, None]
    out: Array = stretches[starts].view(x_NCHW.dtype).reshape(x_NCHW.shape)
    images, columns = np.nonzero(_outside(right, width))
    out[images, :, :, columns] = fill
    return out


def _outside(moves: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    """Which of `length` places show what was outside before the move: (N, length)."""
    origins = np.arange(length) - moves[:, None]
    return (origins < 0) | (origins >= length)
