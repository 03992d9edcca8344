"""What a data set holds, as plain values: for `nablab data show` and notebooks, which draw them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nablab.data import augment
from nablab.data.dataset import Dataset
from nablab.data.preprocess import moments
from nablab.data.samples import Array, blocks

#: Pictures are taken of so many classes; a data set may have thousands.
MOST_CLASSES = 24
#: And of features so many points, from everywhere in the training set.
MOST_POINTS = 1500


@dataclass(frozen=True)
class ClassCount:
    """The samples of one class that are here."""

    name: str
    train: int
    test: int


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images of the first classes, at most `MOST_CLASSES`, in their own values.

    Attributes:
        means: float32 (K, C, H, W), the mean training image of each class; the smallest value where there
            is none.
        examples: (K, E, C, H, W) the first training images of each class; where a class has fewer, the
            smallest value.
        augmented: as `examples`, the same images augmented; None when not asked for.
        augmentation: its canonical text; empty for none.
    """

    means: NDArray[np.float32]
    examples: Array
    augmented: Array | None = None
    augmentation: str = ""


@dataclass(frozen=True, eq=False)
class Points:
    """Some of the training samples of data that are features.

    Attributes:
        x: float32 (n, D).
        y: (n,) labels.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]


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
        seen: the smallest and largest value of the training samples.
        train: samples here; `train_total` in the full set.
        test: samples here; `test_total` in the full set.
        classes: counts by class.
        mean: of the training samples, by channel (C,) or feature (D,).
        deviation: as `mean`.
        groups: groups of training samples that stay together; None where there are none.
        fingerprint: SHA-256 of what is here.
        pictures: of images; None for features.
        points: of features; None for images.
    """

    name: str
    source: str
    licence: str
    hint: str
    input_shape: tuple[int, ...]
    dtype: str
    value_range: tuple[float, float]
    seen: tuple[float, float]
    train: int
    train_total: int
    test: int
    test_total: int
    classes: tuple[ClassCount, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    groups: int | None
    fingerprint: str
    pictures: Pictures | None
    points: Points | None


def summary(dataset: Dataset, *, examples: int = 8, augmentation: str = "", seed: int = 0) -> Summary:
    """Counts by class, shapes, moments by channel, and pictures: the mean and `examples` of each class.

    The whole training set is gone over some rows at a time; it is never copied as a whole.

    Args:
        examples: images of each class.
        augmentation: as `nablab.data.augment.parse` reads it; draws each example a second time.
        seed: of the augmentation.

    >>> from nablab.data import load
    >>> [count.train for count in summary(load("spiral")).classes]
    [100, 100, 100]

    Raises:
        UserError: an augmentation that these samples cannot have.
    """
    count = len(dataset.classes)
    counts = [np.bincount(y, minlength=count).tolist() for y in (dataset.y_train, dataset.y_test)]
    changes = augment.parse(augmentation, dataset.input_shape, dataset.value_range)
    mean, deviation = moments(dataset.x_train)
    means, seen = _class_means(dataset)
    return Summary(
        name=dataset.name,
        source=dataset.source,
        licence=dataset.licence,
        hint=dataset.hint,
        input_shape=dataset.input_shape,
        dtype=str(dataset.x_train.dtype),
        value_range=dataset.value_range,
        seen=seen,
        train=len(dataset.x_train),
        train_total=dataset.train_total,
        test=len(dataset.x_test),
        test_total=dataset.test_total,
        classes=tuple(ClassCount(*row) for row in zip(dataset.classes, *counts, strict=True)),
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        groups=None if dataset.groups is None else len(np.unique(dataset.groups)),
        fingerprint=dataset.fingerprint,
        pictures=_pictures(dataset, means, examples, changes, seed) if dataset.is_images else None,
        points=None if dataset.is_images else sample_points(dataset),
    )


def example_grid(dataset: Dataset, examples: int) -> Array:
    """The first `examples` training images of each of the first classes, (K, examples, C, H, W)."""
    shown = min(len(dataset.classes), MOST_CLASSES)
    shape = (shown, examples, *dataset.input_shape)
    grid = np.full(shape, dataset.value_range[0], dtype=dataset.x_train.dtype)
    for label in range(shown):
        rows = np.flatnonzero(dataset.y_train == label)[:examples]
        grid[label, : len(rows)] = dataset.x_train[rows]
    return grid


def sample_points(dataset: Dataset, most: int = MOST_POINTS) -> Points:
    """At most so many training samples, evenly from the first to the last."""
    count = len(dataset.x_train)
    rows = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
    return Points(np.asarray(dataset.x_train[rows], np.float32), dataset.y_train[rows])


def _pictures(
    dataset: Dataset, means: NDArray[np.float32], examples: int, changes: augment.Augmentation, seed: int
) -> Pictures:
    grid = example_grid(dataset, examples)
    if not changes or not examples:
        return Pictures(means, grid)
    flat = grid.reshape(-1, *dataset.input_shape)
    drawn = changes.apply(flat, seed=seed, epoch=0, positions=np.arange(len(flat)))
    return Pictures(means, grid, drawn.reshape(grid.shape), str(changes))


def _class_means(dataset: Dataset) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """The mean of the samples of each of the first classes, (K, ...), and the smallest and largest value."""
    shown = min(len(dataset.classes), MOST_CLASSES)
    sums = np.zeros((shown, math.prod(dataset.input_shape)))
    low, high, start = np.inf, -np.inf, 0
    for block in blocks(dataset.x_train):
        labels = dataset.y_train[start : start + len(block)]
        start += len(block)
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        is_of = labels == np.arange(shown)[:, None]
        sums += is_of.astype(np.float64) @ block.reshape(len(block), -1).astype(np.float64)
    counts = np.bincount(dataset.y_train, minlength=shown)[:shown, None]
    means = np.where(counts > 0, sums / np.maximum(counts, 1), dataset.value_range[0])
    return means.reshape(shown, *dataset.input_shape).astype(np.float32), (low, high)
