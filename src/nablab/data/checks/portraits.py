"""A few numbers about each image, read in one pass over a data set that may be larger than memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array, Dataset
from nablab.data.fetch import Progress
from nablab.data.samples import blocks

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Portraits:
    """Numbers about each image. Rows count through both parts: the training rows, then the test rows.

    Attributes:
        mean: (T, C) of each channel.
        deviation: (T, C) standard deviation over the pixels of each channel.
        darkest: (T,) share of the values that are the smallest of the value range.
        brightest: (T,) share of the values that are the largest of it.
        flat_top: (T,) share of the height, from above, that has the colour of the top left pixel throughout.
        flat_bottom: (T,) share of the height, from below, that has the colour of the bottom right one.
    """

    mean: Numbers
    deviation: Numbers
    darkest: Numbers
    brightest: Numbers
    flat_top: Numbers
    flat_bottom: Numbers


def portray(dataset: Dataset, progress: Progress | None = None) -> Portraits:
    """The portraits of all images of a data set of images."""
    total = len(dataset.x_train) + len(dataset.x_test)
    found: list[list[Numbers]] = []
    done = 0
    for part in (dataset.x_train, dataset.x_test):
        for block in blocks(part):
            found.append(_of(block, *dataset.value_range))
            done += len(block)
            if progress:
                progress("looking at each image", done, total)
    return Portraits(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _of(x_NCHW: Array, low: float, high: float) -> list[Numbers]:
    values = x_NCHW.astype(np.float32)
    axes = (1, 2, 3)
    mean = values.mean(axis=(2, 3), dtype=np.float64)
    square = np.square(values - mean[:, :, None, None].astype(np.float32)).mean(axis=(2, 3), dtype=np.float64)
    return [
        mean,
        np.sqrt(square),
        (values <= low).mean(axis=axes),
        (values >= high).mean(axis=axes),
        _flat(x_NCHW, x_NCHW[:, :, :1, :1]),
        _flat(x_NCHW[:, :, ::-1], x_NCHW[:, :, -1:, -1:]),
    ]


def _flat(x_NCHW: Array, color: Array) -> Numbers:
    """The share of the rows of pixels, from the first, that are of this colour throughout."""
    other_NH = (x_NCHW != color).any(axis=(1, 3))
    height = x_NCHW.shape[2]
    return np.asarray(np.where(other_NH.any(axis=1), other_NH.argmax(axis=1), height) / height)
