"""What a data set holds, as plain values: for `nablab data show` and notebooks, which draw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nablab.data.dataset import Array, Dataset
from nablab.data.preprocess import moments


@dataclass(frozen=True)
class ClassCount:
    """The samples of one class that are here."""

    name: str
    train: int
    test: int


@dataclass(frozen=True, eq=False)
class Summary:
    """What `summary` says of a data set.

    Attributes:
        name: short name.
        source: where it came from.
        licence: of the data, empty when not known.
        hint: how to get the rest when only a slice is here, else empty.
        input_shape: (C, H, W) of images, (D,) of features.
        dtype: `uint8` or `float32`.
        value_range: the smallest and largest value an image may hold.
        train: samples here; `train_total` in the full set.
        test: samples here; `test_total` in the full set.
        classes: counts by class.
        mean: of the training samples, by channel (C,) or feature (D,).
        deviation: as `mean`.
        groups: groups of training samples that stay together; None where there are none.
        fingerprint: SHA-256 of what is here.
        grid: (K, E, C, H, W) the first examples of each class, rows of classes; where a class has fewer,
            the smallest value. None for features.
    """

    name: str
    source: str
    licence: str
    hint: str
    input_shape: tuple[int, ...]
    dtype: str
    value_range: tuple[float, float]
    train: int
    train_total: int
    test: int
    test_total: int
    classes: tuple[ClassCount, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    groups: int | None
    fingerprint: str
    grid: Array | None


def summary(dataset: Dataset, *, examples: int = 8) -> Summary:
    """Counts by class, shapes, moments by channel, and `examples` training images of each class.

    >>> from nablab.data import load
    >>> [count.train for count in summary(load("spiral")).classes]
    [100, 100, 100]
    """
    count = len(dataset.classes)
    counts = [np.bincount(y, minlength=count).tolist() for y in (dataset.y_train, dataset.y_test)]
    mean, deviation = moments(dataset.x_train)
    return Summary(
        name=dataset.name,
        source=dataset.source,
        licence=dataset.licence,
        hint=dataset.hint,
        input_shape=dataset.input_shape,
        dtype=str(dataset.x_train.dtype),
        value_range=dataset.value_range,
        train=len(dataset.x_train),
        train_total=dataset.train_total,
        test=len(dataset.x_test),
        test_total=dataset.test_total,
        classes=tuple(ClassCount(*row) for row in zip(dataset.classes, *counts, strict=True)),
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        groups=None if dataset.groups is None else len(np.unique(dataset.groups)),
        fingerprint=dataset.fingerprint,
        grid=example_grid(dataset, examples) if dataset.is_images else None,
    )


def example_grid(dataset: Dataset, examples: int) -> Array:
    """The first `examples` training images of each class, (K, examples, C, H, W)."""
    shape = (len(dataset.classes), examples, *dataset.input_shape)
    grid = np.full(shape, dataset.value_range[0], dtype=dataset.x_train.dtype)
    for label in range(len(dataset.classes)):
        rows = np.flatnonzero(dataset.y_train == label)[:examples]
        grid[label, : len(rows)] = dataset.x_train[rows]
    return grid
