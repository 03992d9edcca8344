"""Windows of images enlarged to the size of the image, each its own: random resized crops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nablab.data.bilinear import bilinear
from nablab.data.dataset import Array

#: How much a window may be wider or narrower than its image (Szegedy et al. 2015, "Going deeper").
_WIDEST = 4 / 3

Whole = NDArray[np.intp]


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
    `torch.nn.functional.interpolate(..., align_corners=False)`.

    Args:
        x_NCHW: uint8 (results are rounded) or float32.

    Returns:
        As `x_NCHW`, of its type.
    """
    height, width = x_NCHW.shape[2:]
    down = _places(windows.top, windows.height, height)
    right = _places(windows.left, windows.width, width)
    by_row, by_column = np.stack([down, np.zeros_like(down)]), np.stack([np.zeros_like(right), right])
    return bilinear(x_NCHW, by_row, by_column, outside=None)


def _places(start: Whole, window: Whole, length: int) -> NDArray[np.float64]:
    """Where in a window the values of a row or column come from, as offsets from the centre: (N, length)."""
    within = (np.arange(length) + 0.5) * (window / length)[:, None] - 0.5
    return np.clip(within, 0, window[:, None] - 1) + start[:, None] - (length - 1) / 2
