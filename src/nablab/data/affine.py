"""Images turned and scaled by a linear map each, as gathers over whole batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array
from nablab.data.scratch import Scratch

# Places that are worked on at a time: their temporaries stay in the processor's second-level cache.
_CHUNK = 2**16

Single = NDArray[np.float32]
Places = NDArray[np.intp]

_scratch = Scratch()


def affine(x_NCHW: Array, matrices: NDArray[np.floating], fill: float) -> Array:
    """Images pulled through a linear map about their centres, bilinearly; `fill` is all around them.

    The value at offset p = (down, right) from the centre is that of the image at offset `matrices[i] @ p`.
    This is what scipy.ndimage calls `affine_transform(..., order=1, mode="grid-constant")`.

    Args:
        x_NCHW: uint8 (results are rounded) or float32.
        matrices: (N, 2, 2).

    Returns:
        (N, C, H, W), of the type of `x_NCHW`.
    """
    height, width = x_NCHW.shape[2:]
    offsets = _offsets(height, width)
    out = np.empty_like(x_NCHW, order="C")
    step = max(1, _CHUNK // (height * width))
    for start in range(0, len(out), step):
        part = slice(start, start + step)
        bordered = _bordered(x_NCHW[part], fill)
        at, (down, right) = _cells(_places(matrices[part], offsets), bordered.shape)
        pixels = bordered.reshape(-1)
        for channel in range(bordered.shape[1]):
            values = _bilinear(pixels[channel * bordered[0, 0].size :], at, down, right, width + 2)
            if out.dtype == np.uint8:
                np.rint(values, out=values)
            out[part, channel] = values.reshape(-1, height, width)
    return out


def _bordered(x_nCHW: Array, fill: float) -> Single:
    """The images with a border of one pixel: (n, C, H + 2, W + 2)."""
    count, channels, height, width = x_nCHW.shape
    bordered: Single = _scratch.array("bordered", (count, channels, height + 2, width + 2), np.float32)
    bordered[:, :, :: height + 1] = fill
    bordered[:, :, :, :: width + 1] = fill
    bordered[:, :, 1:-1, 1:-1] = x_nCHW
    return bordered


def _offsets(height: int, width: int) -> NDArray[np.float64]:
    """Each pixel's offset from the centre, and that of the centre in the bordered image: (4, P)."""
    centre = np.array([[height - 1], [width - 1]]) / 2
    offsets = np.indices((height, width)).reshape(2, -1) - centre
    return np.concatenate([offsets, np.broadcast_to(centre + 1, offsets.shape)])


def _places(matrices: NDArray[np.floating], offsets_4P: NDArray[np.float64]) -> Single:
    """Where in the bordered image each pixel's value comes from: (2, n, P), down and right."""
    maps = np.zeros((2, len(matrices), 1, 4))
    maps[:, :, 0, :2] = np.moveaxis(matrices, 1, 0)
    maps[0, :, 0, 2] = maps[1, :, 0, 3] = 1
    shape = (2, len(matrices), offsets_4P.shape[1])
    exact = _scratch.array("exact", shape, np.float64)
    # A product for each image: one for all would round differently as batches differ.
    np.matmul(maps, offsets_4P, out=exact[:, :, None])
    places: Single = _scratch.array("places", shape, np.float32)
    places[...] = exact
    return places


def _cells(places_2nP: Single, shape: tuple[int, ...]) -> tuple[Places, Single]:
    """For each place the pixel above and to the left of it, and how far it lies below and right of that.

    Pixels are positions in the flat memory of bordered images of this shape (n, C, H, W), in their first
    channel. Places beyond the border become places on it. The memory of `places_2nP` is used.
    """
    count, channels, height, width = shape
    corners = np.floor(places_2nP, out=_scratch.array("corners", places_2nP.shape, np.float32))
    for corner, length in zip(corners, (height, width), strict=True):
        np.clip(corner, np.float32(0), np.float32(length - 2), out=corner)
    shares = places_2nP
    shares -= corners
    np.clip(shares, np.float32(0), np.float32(1), out=shares)
    whole = _scratch.array("whole", corners.shape, np.int32)
    np.copyto(whole, corners, casting="unsafe")
    at, left = whole
    at *= np.int32(width)
    at += left
    at += np.arange(0, count * channels * height * width, channels * height * width, dtype=np.int32)[:, None]
    wide: Places = _scratch.array("at", at.shape, np.intp)
    wide[...] = at
    return wide, shares


def _bilinear(pixels: Single, at: Places, down: Single, right: Single, width: int) -> Single:
    """Values within the squares of four pixels whose first are those at `at`, in rows of `width`."""
    above = _between(_taken(pixels, at, "a"), _taken(pixels[1:], at, "b"), right)
    below = _between(_taken(pixels[width:], at, "c"), _taken(pixels[width + 1 :], at, "d"), right)
    return _between(above, below, down)


def _taken(pixels: Single, at: Places, name: str) -> Single:
    out: Single = _scratch.array(name, at.shape, np.float32)
    # All lie within; any mode but the default writes into `out` without a copy.
    return pixels.take(at, out=out, mode="clip")


def _between(first: Single, second: Single, share: Single) -> Single:
    """first + share * (second - first), in the memory of `second`."""
    second -= first
    second *= share
    second += first
    return second
