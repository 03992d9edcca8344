"""Windows of images enlarged to the size of the image, each its own: random resized crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array

# Values that are worked on at a time: their temporaries stay in the processor's second-level cache.
_CHUNK = 2**16

#: How much a window may be wider or narrower than its image (Szegedy et al. 2015, "Going deeper").
_WIDEST = 4 / 3

Whole = NDArray[np.intp]
Single = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Windows:
    """One window an image: where it begins and how large it is, in whole pixels, (N,) each."""

    top: Whole
    left: Whole
    height: Whole
    width: Whole


def random_windows(draws: NDArray[np.float64], smallest: float, height: int, width: int) -> Windows:
    """Windows drawn by uniform numbers in [0, 1), (N, 4): area, proportion, top, left.

    The share of the area is uniform from `smallest` to 1. Width to height, relative to the image's own, is
    log-uniform from 3/4 to 4/3, or as much of that as fits into the image: where torchvision's
    RandomResizedCrop draws both again. The place is any within the image.
    """
    area, proportion, top, left = draws.T
    area = smallest + (1 - smallest) * area
    most = np.minimum(np.log(_WIDEST), -np.log(area))
    ratio = np.exp(most * (2 * proportion - 1))
    heights = np.clip(np.rint(height * np.sqrt(area / ratio)), 1, height)
    widths = np.clip(np.rint(width * np.sqrt(area * ratio)), 1, width)
    parts = np.floor(top * (height - heights + 1)), np.floor(left * (width - widths + 1)), heights, widths
    return Windows(*(part.astype(np.intp) for part in parts))


def resized_crop(x_NCHW: Array, windows: Windows) -> Array:
    """Each image's window brought to the size of the image, bilinearly; its edges continue outwards.

    Pixels are squares whose centres are compared, as in Pillow's `crop(...).resize(..., BILINEAR)` and in
    `torch.nn.functional.interpolate(..., align_corners=False)`. One axis after the other: each pass mixes
    two rows of memory with one weight.

    Args:
        x_NCHW: uint8 (results are rounded) or float32.

    Returns:
        As `x_NCHW`, of its type.
    """
    out = np.empty_like(x_NCHW, order="C")
    step = max(1, _CHUNK // x_NCHW[0].size)
    for start in range(0, len(out), step):
        part = slice(start, start + step)
        tall = _stretched(x_NCHW[part], windows.top[part], windows.height[part])
        turned = np.ascontiguousarray(tall.swapaxes(2, 3))
        values = _stretched(turned, windows.left[part], windows.width[part]).swapaxes(2, 3)
        out[part] = np.rint(values) if out.dtype == np.uint8 else values
    return out


def _stretched(x_NCHW: Array, start: Whole, length: Whole) -> Single:
    """The rows from `start`, `length` of them (N,), as many as the image has."""
    count, channels, height, _ = x_NCHW.shape
    places = (np.arange(height) + 0.5) * (length / height)[:, None] - 0.5
    np.clip(places, 0, length[:, None] - 1, out=places)
    above = np.floor(places).astype(np.intp)
    share = (places - above).astype(np.float32)[:, None, :, None]
    below = np.minimum(above + 1, length[:, None] - 1)
    first = np.arange(count * channels).reshape(count, channels, 1) * height + start[:, None, None]
    rows = x_NCHW.reshape(-1, x_NCHW.shape[3])
    upper, lower = (
        rows.take(first + at[:, None], axis=0).astype(np.float32, copy=False) for at in (above, below)
    )
    lower -= upper
    lower *= share
    lower += upper
    return lower
