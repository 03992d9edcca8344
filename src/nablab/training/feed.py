"""The images of a run: which rows train, validate and test, and the batches of an epoch.

All of it is NumPy; an engine takes the arrays over at its own border. Order and augmentation are keyed by
(seed, purpose, epoch, position), so any batch of any epoch can be had without the ones before it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from nablab.data import augment, keyed, preprocess
from nablab.data.augment import Augmentation
from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.data.samples import LazyRows, Samples
from nablab.data.split import Split
from nablab.errors import UserError
from nablab.training import tta
from nablab.training.recipe import Recipe
from nablab.training.trainable import Batch

Places = NDArray[np.int64]

#: Preprocessed images are kept in memory up to this many bytes in all; beyond, they are made batch by batch.
KEEP_BYTES = 2 * 2**30
#: The same for images that lie in a file because they are many, so that several runs at a time stay small.
KEEP_BYTES_OF_FILES = 2**28
#: When images are made, no more than this many bytes at a time.
PIECE_BYTES = 2**26
#: Small batches are augmented several at a time, up to so many numbers, which is a few MiB.
AUGMENTED_NUMBERS = 2**20

_FITTED: WeakKeyDictionary[Dataset, dict[tuple[str, bytes], Preprocessing]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a data set with their labels, preprocessed when asked for.

    Attributes:
        source: raw images or features (N, ...), of which `rows` belong to this part; perhaps in a file.
        rows: int64 (n,).
        y: int64 (n,) labels.
        preprocessing: what turns raw into float32.
        ready: float32 (n, ...) all of it preprocessed, where that is kept in memory.
    """

    source: Samples
    rows: NDArray[np.int64]
    y: NDArray[np.int64]
    preprocessing: Preprocessing
    ready: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.rows)

    def raw(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Raw samples at these places of the part, (B, ...)."""
        raw: NDArray[Any] = self.source[self.rows[places]]
        return raw

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Preprocessed samples at these places of the part, float32 (B, ...)."""
        if self.ready is not None:
            return self.ready[places]
        return self.preprocessing.apply(self.raw(places))

    def first(self, count: int) -> Part:
        """The part of its first `count` samples."""
        ready = None if self.ready is None else self.ready[:count]
        return Part(self.source, self.rows[:count], self.y[:count], self.preprocessing, ready)

    def pieces(self, size: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """All samples in their order, `size` at a time, fewer of large ones: float32 (B, ...), int64 (B,)."""
        size = min(size, self._in_a_piece)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            if self.ready is not None:
                yield self.ready[start:stop], self.y[start:stop]
            else:
                yield self.take(np.arange(start, stop)), self.y[start:stop]

    def all(self) -> NDArray[np.float32]:
        """All samples, preprocessed, float32 (n, ...)."""
        return self.ready if self.ready is not None else self._made()

    def kept(self) -> Part:
        """The part with all its samples preprocessed and in memory."""
        return replace(self, ready=self.all())

    def _made(self) -> NDArray[np.float32]:
        """All samples, a piece at a time: the raw ones never are in memory together."""
        made = np.empty((len(self), *self.source.shape[1:]), np.float32)
        for start in range(0, len(self), self._in_a_piece):
            places = np.arange(start, min(start + self._in_a_piece, len(self)))
            made[places] = self.take(places)
        return made

    @property
    def _in_a_piece(self) -> int:
        return max(1, PIECE_BYTES // (4 * math.prod(self.source.shape[1:])))


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a run trains on and is measured on.

    Attributes:
        train: the training images.
        train_sample: the fixed sample of them that is measured on frozen weights.
        validation: held out to choose by; None when the recipe holds nothing out.
        test: never chosen by.
        classes: how many classes there are.
        input_shape: of one sample, (C, H, W) or (D,).
        preprocessing: fitted on `train`.
        augmentation: of the training images; None where the recipe has none.
    """

    train: Part
    train_sample: Part
    validation: Part | None
    test: Part
    classes: int
    input_shape: tuple[int, ...]
    preprocessing: Preprocessing
    augmentation: Augmentation | None

    def class_counts(self) -> NDArray[np.int64]:
        """How many training images each class has, int64 (K,)."""
        return np.bincount(self.train.y, minlength=self.classes)


def prepare(
    dataset: Dataset, split: Split, recipe: Recipe, fitted: Preprocessing | None = None
) -> TrainingData:
    """The data of a run: rows chosen by `split`, preprocessing fitted on the training rows.

    Args:
        fitted: what to preprocess with where the recipe's preprocessing is `init`: another run's.

    Raises:
        UserError: an augmentation, in training or tests, that these samples cannot have, or no training rows.
    """
    if len(split.train) == 0:
        raise UserError(f"{dataset.name}: this fraction leaves no training image; take a larger one")
    if recipe.preprocessing == "init":
        if fitted is None:
            raise UserError("preprocessing init is that of the run a network starts from, and there is none")
        preprocessing = fitted
    else:
        preprocessing = _fitted(dataset, split.train, recipe.preprocessing)
    augmentation = augment.parse(recipe.augmentation, dataset.input_shape, dataset.value_range) or None
    tta.check(recipe.tta, dataset.input_shape)
    keep = kept_bytes(dataset, split) > 0

    def part(x: Samples, y: NDArray[np.int64], rows: NDArray[np.int64], kept: bool) -> Part:
        made = Part(x, rows, y[rows], preprocessing, None)
        return made.kept() if kept else made

    train = part(dataset.x_train, dataset.y_train, split.train, keep and augmentation is None)
    validation = part(dataset.x_train, dataset.y_train, split.validation, keep)
    sample = train.first(recipe.train_sample)
    if sample.ready is None and keep:
        sample = sample.kept()
    return TrainingData(
        train=train,
        train_sample=sample,
        validation=validation if len(validation) else None,
        test=part(dataset.x_test, dataset.y_test, split.test, keep),
        classes=len(dataset.classes),
        input_shape=dataset.input_shape,
        preprocessing=preprocessing,
        augmentation=augmentation,
    )


def kept_bytes(dataset: Dataset, split: Split) -> int:
    """What the preprocessed images of a run take in memory; 0 where they are made batch by batch."""
    return kept_of(dataset, len(split.train) + len(split.validation) + len(split.test))


def kept_of(dataset: Dataset, images: int) -> int:
    """The same for so many images, of whatever part."""
    lazy = any(isinstance(x, LazyRows) for x in (dataset.x_train, dataset.x_test))
    needed = 4 * images * math.prod(dataset.input_shape)
    return needed if needed <= (KEEP_BYTES_OF_FILES if lazy else KEEP_BYTES) else 0


def fitted_bytes(dataset: Dataset, split: Split) -> int:
    """What an estimator is fitted on: all training images as float32, in memory at once."""
    return 4 * len(split.train) * math.prod(dataset.input_shape)


def _fitted(dataset: Dataset, rows: NDArray[np.int64], kind: str) -> Preprocessing:
    """The preprocessing of these training rows; the runs of a comparison that share them fit it once."""
    known = _FITTED.setdefault(dataset, {})
    key = (kind, hashlib.sha256(rows.tobytes()).digest())
    if key not in known:
        known[key] = preprocess.fit(kind, dataset.x_train, dataset.value_range, rows)
    return known[key]


def steps_per_epoch(data: TrainingData, recipe: Recipe) -> int:
    """How many batches the training images make; the last may be smaller."""
    return len(_starts(len(data.train), recipe.batch_size))


def batches(data: TrainingData, recipe: Recipe, epoch: int, start_step: int = 0) -> Iterator[Batch]:
    """The batches of an epoch (from 0), from `start_step` on.

    The order is a permutation keyed by (seed, epoch); each image's augmentation is keyed by (seed, epoch,
    its place in that order). The last batch holds what is left; a single image that would be left joins the
    batch before, since batch normalisation has no variance of one.
    """
    order = keyed.generator(recipe.seed, "order", epoch).permutation(len(data.train))
    edges = [*_starts(len(order), recipe.batch_size), len(order)][start_step:]
    together = _together(data, recipe)
    for first in range(0, len(edges) - 1, together):
        cuts = edges[first : first + together + 1]
        positions = np.arange(cuts[0], cuts[-1])
        places = order[cuts[0] : cuts[-1]]
        x, y = _fed(data, recipe, epoch, places, positions), data.train.y[places]
        for start, stop in pairwise(cuts):
            part = slice(start - cuts[0], stop - cuts[0])
            yield Batch(x[part], y[part], epoch, positions[part])


def _together(data: TrainingData, recipe: Recipe) -> int:
    """How many batches are made at once: small ones that are augmented gain from it, and stay the same."""
    if data.augmentation is None:
        return 1
    return max(1, AUGMENTED_NUMBERS // (recipe.batch_size * math.prod(data.input_shape)))


def _starts(images: int, batch_size: int) -> list[int]:
    """Where each batch of an epoch begins."""
    starts = list(range(0, images, batch_size))
    return starts[:-1] if len(starts) > 1 and images - starts[-1] == 1 < batch_size else starts


def _fed(
    data: TrainingData, recipe: Recipe, epoch: int, places: Places, positions: Places
) -> NDArray[np.float32]:
    """The images at these places of the training part, augmented and preprocessed."""
    if data.augmentation is None:
        return data.train.take(places)
    raw = data.train.raw(places)
    augmented = data.augmentation.apply(raw, seed=recipe.seed, epoch=epoch, positions=positions)
    return data.preprocessing.apply(augmented)
