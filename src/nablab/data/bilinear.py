"""Images seen at other places than their pixels': PyTorch's `grid_sample`, by whole batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array

Offsets = NDArray[np.float64]

#: Places that are worked on at a time, so that the memory for them stays small and is used again.
_CHUNK = 2**17


def bilinear(x_NCHW: Array, by_row: Offsets, by_column: Offsets, outside: float | None) -> Array:
    """The values at places that are a sum, of a part by row and a part by column: those of any affine map.

    Pixel (i, j) of image n of the result is what image n holds at `by_row[:, n, i] + by_column[:, n, j]`,
    pixels down and right of its centre. Places are computed in float32: in images of 512 pixels a side they
    are exact to 1e-4 of a pixel, in smaller ones more so. An image comes out the same, to the last bit, in
    any batch and with any number of threads; these are PyTorch's (`torch.set_num_threads`).

    Args:
        x_NCHW: uint8 (results are rounded) or float32.
        by_row: (2, N, H) down and right.
        by_column: (2, N, W)
        outside: the value of all that lies outside of the images; None: their edges continue.

    Returns:
        (N, C, H, W), of the type of `x_NCHW`.
    """
    import torch
    from torch.nn.functional import grid_sample

    height, width = x_NCHW.shape[2:]
    rows, columns = (_in_halves(places, height, width) for places in (by_row, by_column))
    level = np.float32(outside or 0)  # grid_sample knows no other value outside than 0
    out = np.empty_like(x_NCHW, order="C")
    step = max(torch.get_num_threads(), _CHUNK // (height * width))  # each thread takes whole images
    for start in range(0, len(out), step):
        part = slice(start, start + step)
        grid = torch.from_numpy(rows[:, part, :, None]) + torch.from_numpy(columns[:, part, None])
        images = x_NCHW[part].astype(np.float32)
        if level:
            images -= level
        values = grid_sample(
            torch.from_numpy(images),
            grid.permute(1, 2, 3, 0),
            padding_mode="border" if outside is None else "zeros",
            align_corners=False,
        ).numpy()
        if level:
            values += level
        if out.dtype == np.uint8:
            np.rint(values, out=values)
        out[part] = values
    return out


def _in_halves(places: Offsets, height: int, width: int) -> NDArray[np.float32]:
    """Offsets from the centre as `grid_sample` takes them: right before down, in halves of the image."""
    halves = np.array([height, width])[:, None, None] / 2
    return (places / halves)[::-1].astype(np.float32, order="C")
