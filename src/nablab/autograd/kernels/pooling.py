"""The largest, or the sum, of each window; and where its gradient goes."""

from __future__ import annotations

from functools import partial

import numpy as np

from nablab.autograd.chosen import chooser
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.kernels.window import Pair, Shape, Window, batch_first, batch_last
from nablab.autograd.parallel import cuts, parts, run
from nablab.autograd.workspace import empty

#: So many numbers are worth pooling in another thread.
POOLED = 1_000_000


def max_of_windows(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest of each window, and which element of the window it is (the first, of equal ones)."""
    if any(2 * p > k for p, k in zip(window.padding, window.size, strict=True)):
        raise AutogradError(f"padding {window.padding} is more than half of the window {window.size}")
    padded = window.pad(batch_last(x), -np.inf)
    outputs = window.outputs(x.shape)
    best = empty((len(padded), *outputs, len(x)), x.dtype)
    winner = empty(best.shape, np.dtype(np.uint8 if window.area <= 256 else np.int32))

    def search(channels: slice) -> None:
        which = winner[channels]
        which.fill(0)
        views = window.views(padded[channels], outputs)
        top = next(views)
        for i, view in enumerate(views, 1):
            later = (view > top).view(np.uint8)
            np.maximum(
                which, np.multiply(later, i, dtype=which.dtype), out=which
            )  # i is larger than all before
            top = np.maximum(top, view, out=best[channels])
        if window.area == 1:
            np.copyto(best[channels], top)

    run([partial(search, channels) for channels in cuts(len(best), parts(x.size, at_least=POOLED))])
    return batch_first(best), winner


def to_winners(g: Array, winner: Array, window: Window, shape: Shape) -> Array:
    """Send each window's gradient to its largest element."""
    padded = window.zeros(shape, g.dtype) if not window.tiles(shape) else window.empty(shape, g.dtype)
    g_CHWN = batch_last(g)
    choose = chooser(g)
    apart = window.stride[0] >= window.size[0] and window.stride[1] >= window.size[1]

    def send(channels: slice) -> None:
        for i, view in enumerate(window.views(padded[channels], winner.shape[1:3])):
            won = winner[channels] == i
            if apart:
                choose(g_CHWN[channels], won, out=view)
            else:
                view += choose(g_CHWN[channels], won)

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
