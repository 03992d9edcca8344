"""Images turned and scaled by a linear map each, as gathers over whole batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array

# Values that are worked on at a time: their temporaries stay in the processor's cache (3x faster measured).
_CHUNK = 2**14

Single = NDArray[np.float32]


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
    count, channels, height, width = x_NCHW.shape
    padded = np.full((count, channels, height + 2, width + 2), fill, dtype=np.float32)
    padded[:, :, 1:-1, 1:-1] = x_NCHW
    centre = np.array([[height - 1], [width - 1]], dtype=np.float32) / 2
    offsets = np.indices((height, width), dtype=np.float32).reshape(2, -1) - centre
    out = np.empty_like(x_NCHW, order="C")
    step = max(1, _CHUNK // x_NCHW[0].size)
    for start in range(0, count, step):
        part = slice(start, start + step)
        places = matrices[part] @ offsets + (centre + 1)
        values = _bilinear(padded[part], places.astype(np.float32)).reshape(out[part].shape)
        out[part] = np.rint(values) if out.dtype == np.uint8 else values
    return out


def _bilinear(padded_NCHW: Single, places_N2P: Single) -> Single:
    """Values (N, C, P) between the pixels of images that have a border of one pixel, at (down, right) places.

    Beyond the border is what the border holds.
    """
    count, channels, height, width = padded_NCHW.shape
    last = np.array([[height - 1], [width - 1]], dtype=np.float32)
    np.clip(places_N2P, 0, last, out=places_N2P)
    corners = np.minimum(places_N2P.astype(np.intp), last.astype(np.intp) - 1)
    down, right = np.moveaxis(places_N2P - corners, 1, 0)[:, :, None]
    planes = np.arange(count * channels).reshape(count, channels, 1) * (height * width)
    at = planes + (corners[:, :1] * width + corners[:, 1:])
    pixels = padded_NCHW.reshape(-1)
    above = _between(pixels.take(at), pixels[1:].take(at), right)
    below = _between(pixels[width:].take(at), pixels[width + 1 :].take(at), right)
    return _between(above, below, down)


def _between(first: Single, second: Single, share: Single) -> Single:
    """first + share * (second - first), in the memory of `second`."""
    second -= first
    second *= share
    second += first
    return second
