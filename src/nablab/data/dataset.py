"""What every source delivers and everything after it reads: a frozen set of labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nablab.data.samples import Array, LazyRows, Samples, blocks, first_not_finite, limits
from nablab.errors import UserError, has_control

__all__ = ["Array", "Dataset", "LazyRows", "Samples", "make_dataset"]

#: Fingerprints of files that this process has hashed, by `Dataset._place`.
_FINGERPRINTS: dict[Hashable, str] = {}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, or features, with their test set.

    Attributes:
        name: short name, e.g. `fashion-mnist`.
        x_train: uint8 or float32 images (N, C, H, W), or float32 features (N, D): an array, or `LazyRows`
            of one that is too large for memory. Index its rows; go over all with `samples.blocks`.
        y_train: int64 labels (N,), each in `range(len(classes))`.
        x_test: as `x_train`, (M, ...).
        y_test: as `y_train`, (M,).
        classes: the names of the classes, at least two.
        value_range: the smallest and largest value an image may hold; (0, 255) for uint8.
        source: where it came from, in one line, as records and reports print it.
        train_total: rows of the *full* training set; larger than N when only a slice is here.
        test_total: the same for the test set.
        train_ids: (N,) the position of each row in the full training set.
        test_ids: (M,) the same for the test set.
        ordered_by: None when rows are in their original order; else the `split_seed` whose
            stratified order the rows are already in (the slice that ships: 0).
        groups: (N,) int64, rows that must stay on one side of a split share a number; or None.
        hint: what is here and how to get the rest, when it is not all; empty otherwise.
        licence: the licence the data came under, empty when not known.
    """

    name: str
    x_train: Samples
    y_train: NDArray[np.int64]
    x_test: Samples
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    value_range: tuple[float, float]
    source: str
    train_total: int
    test_total: int
    train_ids: NDArray[np.int64]
    test_ids: NDArray[np.int64]
    ordered_by: int | None = None
    groups: NDArray[np.int64] | None = None
    hint: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        _check_names(self.name, self.classes)
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            _check_part(f"{self.name} ({part})", x, y, len(self.classes))
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise UserError(
                f"{self.name}: training images are {self.x_train.shape[1:]}, "
                f"test images {self.x_test.shape[1:]}; bring them to one size (--size)"
            )
        if self.groups is not None and self.groups.shape != self.y_train.shape:
            raise UserError(
                f"{self.name}: {len(self.y_train)} training samples, but groups {self.groups.shape}"
            )
        if len(np.unique(self.y_train)) < 2:
            raise UserError(f"{self.name}: all training labels are one class; a classifier needs two")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) for images, (D,) for features."""
        return tuple(int(n) for n in self.x_train.shape[1:])

    @property
    def is_images(self) -> bool:
        """Whether samples are images, and not features."""
        return self.x_train.ndim == 4

    @property
    def is_slice(self) -> bool:
        """Whether only a part of the full training set is here."""
        return len(self.x_train) < self.train_total

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shapes, types, images, labels and class names, as 64 hexadecimal digits.

        What a process has hashed it does not hash again, as long as the files are unchanged by their stamps.
        """
        place = self._place()
        if place is None:
            return self._hash()
        if place not in _FINGERPRINTS:
            _FINGERPRINTS[place] = self._hash()
        return _FINGERPRINTS[place]

    def with_name(self, name: str) -> Dataset:
        """The same data under another name."""
        return replace(self, name=name)

    def trusting(self, fingerprint: str) -> Dataset:
        """This data set, which will not hash its files: another process has, and this is its fingerprint."""
        self.__dict__["fingerprint"] = fingerprint  # where `cached_property` looks
        return self

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for block in blocks(array):
                digest.update(np.ascontiguousarray(block).data)
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()

    def _place(self) -> Hashable | None:
        """Which rows of which unchanged files the images are, and what they are called; None in memory."""
        parts: list[Hashable] = [self.classes]
        for x, y in ((self.x_train, self.y_train), (self.x_test, self.y_test)):
            if not isinstance(x, LazyRows) or x.file is None:
                return None
            parts += [x.file, x.dtype, *(hashlib.sha256(rows.tobytes()).digest() for rows in (x.rows, y))]
        return tuple(parts)


def make_dataset(
    name: str,
    x_train: Samples | ArrayLike,
    y_train: ArrayLike,
    x_test: Samples | ArrayLike,
    y_test: ArrayLike,
    classes: Iterable[object],
    *,
    source: str,
    value_range: tuple[float, float] | None = None,
    groups: NDArray[np.int64] | None = None,
    licence: str = "",
) -> Dataset:
    """A `Dataset` of everything there is, in its original order.

    Args:
        x_train: uint8 or float32, images (N, C, H, W), channels first, or features (N, D).
        y_train: (N,) whole numbers from 0, the positions in `classes`.
        x_test: as `x_train`, (M, ...).
        y_test: as `y_train`, (M,).
        classes: the names of the classes, in the order of the labels.
        source: where it came from, in one line.
        value_range: the smallest and largest value a sample may hold; by default (0, 255) for uint8, and the
            smallest and largest training value otherwise.
        groups: (N,) training rows that stay on one side of a split share a number.

    Raises:
        UserError: lengths, shapes or labels that do not fit, channels last, training values that are not
            finite or outside of `value_range`, one class only.
    """
    x_train, x_test = (x if isinstance(x, LazyRows) else np.asarray(x) for x in (x_train, x_test))
    _refuse_channels_last(name, x_train)
    if value_range is None:
        is_bytes = x_train.dtype == np.uint8
        value_range = (0.0, 255.0) if is_bytes else limits(x_train)
    dataset = Dataset(
        name=name,
        x_train=x_train,
        y_train=_labels(f"{name} (train)", y_train),
        x_test=x_test,
        y_test=_labels(f"{name} (test)", y_test),
        classes=tuple(map(str, classes)),
        value_range=value_range,
        source=source,
        train_total=len(x_train),
        test_total=len(x_test),
        train_ids=np.arange(len(x_train), dtype=np.int64),
        test_ids=np.arange(len(x_test), dtype=np.int64),
        groups=groups,
        licence=licence,
    )
    _check_range(dataset)
    return dataset


def _labels(where: str, labels: ArrayLike) -> NDArray[np.int64]:
    y = np.asarray(labels)
    if y.ndim != 1:
        way = "y.ravel()" if y.ndim == 2 and y.shape[1] == 1 else "of one-hot rows, y.argmax(axis=1)"
        raise UserError(f"{where}: labels of shape {y.shape}; expected a whole number a sample, (N,): {way}")
    if y.dtype.kind not in "biuf" or (y != np.rint(y)).any():
        raise UserError(f"{where}: labels of {y.dtype} are no whole numbers; number the classes from 0")
    return y.astype(np.int64)


def _refuse_channels_last(name: str, x: Samples) -> None:
    """That images are not as TensorFlow has them: they would be taken for 3 wide, with 32 channels."""
    if x.ndim != 4:
        return
    first, second, last = x.shape[1:]
    square = first == second
    if min(first, second) > 4 and (last in (3, 4) or (last == 1 and square)):
        raise UserError(
            f"{name}: images of shape {x.shape[1:]} have their channels last; expected (N, C, H, W): "
            "x.transpose(0, 3, 1, 2)"
        )


def _check_range(dataset: Dataset) -> None:
    """That values, which are scaled by their range, lie within it. Bytes in a file are not looked at."""
    name, x, (low, high) = dataset.name, dataset.x_train, dataset.value_range
    if not low <= high:
        raise UserError(f"{name}: value_range {low:g} to {high:g} is none; give the smallest and the largest")
    may_be_any_byte = x.dtype == np.uint8 and (low, high) == (0, 255)
    if may_be_any_byte or (isinstance(x, LazyRows) and x.spans is None):
        return
    lowest, highest = limits(x)
    if lowest < np.float32(low) or highest > np.float32(high):
        raise UserError(
            f"{name}: training values go from {lowest:g} to {highest:g}, outside of value_range {low:g} to "
            f"{high:g}; leave it out, or give the range that values may have"
        )


def _check_names(name: str, classes: tuple[str, ...]) -> None:
    """That names can be stored and shown: files may bring control characters and what is not UTF-8."""
    for what, text in (("the data set", name), *(("class", text) for text in classes)):
        if has_control(text):
            raise UserError(f"{name}: {what} {text[:80]!r} has control characters or broken UTF-8; rename it")
    unnamed = [position for position, text in enumerate(classes) if not text.strip()]
    if unnamed:
        raise UserError(f"{name}: class {unnamed[0]} has no name to show; give it one")
    if len(set(classes)) < len(classes):
        raise UserError(f"{name}: two classes have the same name; give each its own")


def _check_part(where: str, x: Samples, y: NDArray[np.int64], classes: int) -> None:
    if x.ndim not in (2, 4):
        raise UserError(
            f"{where}: samples of shape {x.shape[1:]} are neither images (C, H, W) nor features (D,)"
        )
    if x.dtype not in (np.uint8, np.float32):
        raise UserError(f"{where}: values are {x.dtype}; expected uint8 or float32")
    if len(x) != len(y):
        raise UserError(f"{where}: {len(x)} samples but {len(y)} labels")
    if len(x) == 0:
        raise UserError(f"{where}: no samples")
    if y.min() < 0 or y.max() >= classes:
        position = int(np.flatnonzero((y < 0) | (y >= classes))[0])
        raise UserError(f"{where}: label {y[position]} at position {position} is outside 0..{classes - 1}")
    bad = first_not_finite(x)
    if bad is not None:
        raise UserError(f"{where}: sample {bad} holds NaN or infinity; clean it or leave it out")
