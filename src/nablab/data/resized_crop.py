"""Windows of images enlarged to the size of the image, each its own: random resized crops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array
from nablab.data.scratch import Scratch

# Values that are worked on at a time: their temporaries stay in the processor's second-level cache.
_CHUNK = 2**17

#: How much a window may be wider or narrower than its image (Szegedy et al. 2015, "Going deeper").
_WIDEST = 4 / 3

_scratch = Scratch()

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
    """Windows drawn by uniform numbers in [0, 1), (N, 4): proportion, area, top, left.

    The law is that of torchvision's RandomResizedCrop: a share of the area, uniform from `smallest` to 1, and
    the logarithm of width to height (here: relative to the image's own), uniform from that of 3/4 to that
    of 4/3, among those pairs whose window, in whole pixels, fits into the image. Where torchvision draws
    again until it does, here the proportion is drawn by how many areas fit with it, and then the area.
    """
    proportions, largest, chances = _fitting(smallest, height, width)
    proportion = np.interp(draws[:, 0], chances, proportions)
    area = smallest + (np.interp(proportion, proportions, largest) - smallest) * draws[:, 1]
    heights = np.clip(np.rint(height * np.sqrt(area / np.exp(proportion))), 1, height)
    widths = np.clip(np.rint(width * np.sqrt(area * np.exp(proportion))), 1, width)
    top, left = np.floor(draws[:, 2] * (height - heights + 1)), np.floor(draws[:, 3] * (width - widths + 1))
    return Windows(*(part.astype(np.intp) for part in (top, left, heights, widths)))


@lru_cache(maxsize=64)
def _fitting(smallest: float, height: int, width: int) -> tuple[NDArray[np.float64], ...]:
    """For many proportions (their logarithms): the largest area that fits, and the chance of lower ones."""
    proportions = np.linspace(-np.log(_WIDEST), np.log(_WIDEST), 2**12 + 1)
    length = np.where(proportions > 0, width, height)
    # A side that is rounded may be up to half a pixel longer before.
    largest = np.clip((1 + 0.5 / length) ** 2 * np.exp(-np.abs(proportions)), smallest, 1)
    each = np.diff(proportions) * ((largest[1:] + largest[:-1]) / 2 - smallest)
    chances = np.concatenate([[0], np.cumsum(each)])
    return proportions, largest, chances / chances[-1]


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
        turned = _scratch.array("turned", tall.swapaxes(2, 3).shape, np.float32)
        turned[...] = tall.swapaxes(2, 3)
        values = _stretched(turned, windows.left[part], windows.width[part])
        if out.dtype == np.uint8:
            np.rint(values, out=values)
        out[part] = values.swapaxes(2, 3)
    return out


def _stretched(x_NCHW: Array, start: Whole, length: Whole) -> Single:
    """The rows from `start`, `length` of them (N,), as many as the image has; in memory kept for it."""
    count, channels, height, _ = x_NCHW.shape
    places = (np.arange(height) + 0.5) * (length / height)[:, None] - 0.5
    np.clip(places, 0, length[:, None] - 1, out=places)
    above = np.floor(places).astype(np.intp)
    share = (places - above).astype(np.float32)[:, None, :, None]
    below = np.minimum(above + 1, length[:, None] - 1)
    first = np.arange(count * channels).reshape(count, channels, 1) * height + start[:, None, None]
    rows = x_NCHW.reshape(-1, x_NCHW.shape[3])
    upper, lower = (_scratch.array(name, x_NCHW.shape, np.float32) for name in ("upper", "lower"))
    upper[...] = rows.take(first + above[:, None], axis=0)
    lower[...] = rows.take(first + below[:, None], axis=0)
    lower -= upper
    lower *= share
    lower += upper
    stretched: Single = lower
    return stretched
