"""Which images train, validate and test: cut from one stratified order, so that all cuts nest.

`split_seed` draws one order of the full training set, in which every beginning holds the classes in their
proportions. A fraction is a beginning of that order: 1 % lies within 10 %, and 10 % within all. Within
each class, every k-th image of the order is for validation whatever the fraction, so that an image that
validates at 1 % never trains at 10 %, and both parts keep the proportions of the classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nablab.data import keyed
from nablab.data.dataset import Dataset
from nablab.errors import UserError

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers into the arrays of a data set, in the order they are cut from.

    Attributes:
        train: rows of `x_train` to train on; those of a smaller fraction are the first of these.
        validation: rows of `x_train` held out, disjoint from `train`; empty where `validation` is 0.
        test: rows of `x_test`.
        fraction: train and validation rows together, as a share of the full training set.
        test_fraction: test rows as a share of the full test set.
    """

    train: Rows
    validation: Rows
    test: Rows
    fraction: float
    test_fraction: float


def split(
    dataset: Dataset,
    *,
    fraction: float | None = None,
    validation: float = 0.1,
    split_seed: int = 0,
    test_fraction: float = 1.0,
) -> Split:
    """Cut a data set.

    Args:
        fraction: share of the *full* training set in (0, 1]; None is all that is here.
        validation: share of that which is held out, 1/k for a whole k from 2; 0 is none.
        split_seed: draws the orders of the training and the test set.
        test_fraction: share of the full test set in (0, 1]; 1 is all that is here, also of a slice.

    Raises:
        UserError: a share outside its range, more images than are here, a class left without a training
            image, or another `split_seed` than the one in whose order a slice ships.
    """
    order = order_of_training(dataset, split_seed)
    wanted = len(order) if fraction is None else _count(dataset, fraction, train=True)
    here = order[:wanted]
    held = np.zeros(len(order), dtype=np.bool_)
    if validation != 0:
        held = hold_out(dataset.y_train, dataset.groups, order, _every(validation), split_seed)
    held = held[here]
    test_wanted = len(dataset.x_test) if test_fraction == 1 else _count(dataset, test_fraction, train=False)
    cut = Split(
        train=here[~held],
        validation=here[held],
        test=order_of_test(dataset, split_seed)[:test_wanted],
        fraction=wanted / dataset.train_total,
        test_fraction=test_wanted / dataset.test_total,
    )
    _check(dataset, cut, validation)
    return cut


def order_of_training(dataset: Dataset, split_seed: int) -> Rows:
    """The rows of `x_train` (N,) in the stratified order that `split_seed` draws.

    Raises:
        UserError: a slice that ships in the order of another `split_seed`.
    """
    return _order(dataset, dataset.y_train, dataset.groups, split_seed, "order of the training set")


def order_of_test(dataset: Dataset, split_seed: int) -> Rows:
    """The rows of `x_test` (M,) in the stratified order that `split_seed` draws.

    Raises:
        UserError: as `order_of_training`.
    """
    return _order(dataset, dataset.y_test, None, split_seed, "order of the test set")


@dataclass(frozen=True, eq=False)
class _Units:
    """What is dealt out as one: a row, or all rows of a group.

    Attributes:
        of_row: (N,) the unit of each row.
        label: (U,) the class of each unit, of a mixed group its most frequent.
        size: (U,) its rows.
    """

    of_row: Rows
    label: Rows
    size: Rows


def _units(labels: Rows, groups: Rows | None) -> _Units:
    if groups is None:
        return _Units(np.arange(len(labels)), labels, np.ones(len(labels), dtype=np.int64))
    _, of_row = np.unique(groups, return_inverse=True)
    counts = np.zeros((of_row.max() + 1, labels.max() + 1), dtype=np.int64)
    np.add.at(counts, (of_row, labels), 1)
    return _Units(of_row.astype(np.int64), counts.argmax(axis=1), counts.sum(axis=1))


def stratified_order(labels: Rows, groups: Rows | None, split_seed: int, purpose: str) -> Rows:
    """An order (N,) of all rows whose every beginning holds the classes closely in proportion.

    Each class is shuffled, and its images are spread evenly over [0, 1), each anywhere in its own interval
    (a jitter, without which classes of equal size would take turns in a fixed pattern); the order is that
    of these places. The rows of a group stay together, and a group counts for its most frequent class.
    """
    units = _units(labels, groups)
    draws = keyed.uniforms(split_seed, purpose, 0, np.arange(len(units.label)), 2)
    shuffled = np.lexsort((draws[:, 0], units.label))
    label, size = units.label[shuffled], units.size[shuffled]
    class_rows = np.bincount(label, weights=size)
    class_starts = np.cumsum(class_rows) - class_rows
    before = np.cumsum(size) - size - class_starts[label]
    place = (before + draws[shuffled, 1] * size) / class_rows[label]
    turn = np.empty(len(shuffled), dtype=np.int64)
    turn[shuffled[np.argsort(place, kind="stable")]] = np.arange(len(shuffled))
    return np.argsort(turn[units.of_row], kind="stable")


def _order(dataset: Dataset, labels: Rows, groups: Rows | None, split_seed: int, purpose: str) -> Rows:
    if dataset.ordered_by is None:
        return stratified_order(labels, groups, split_seed, purpose)
    if dataset.ordered_by != split_seed:
        raise UserError(
            f"{dataset.name}: the slice that ships is in the order of split_seed {dataset.ordered_by}, "
            f"not {split_seed}; {dataset.hint}"
        )
    return np.arange(len(labels), dtype=np.int64)


def hold_out(labels: Rows, groups: Rows | None, order: Rows, k: int, seed: int) -> NDArray[np.bool_]:
    """Whether each row (N,) is held out: every k-th unit (row or group) of its class in the order.

    The classes start staggered, so that a beginning of the order which holds n images holds out about n/k
    of them, however few there are of each class. The first of a class is never held out.
    """
    units = _units(labels, groups)
    _, first_places = np.unique(units.of_row[order], return_index=True)
    in_order = np.argsort(first_places)
    by_class = in_order[np.argsort(units.label[in_order], kind="stable")]
    label = units.label[by_class]
    rank = np.arange(len(label)) - np.searchsorted(label, label)
    classes = int(labels.max()) + 1
    places = np.argsort(keyed.uniforms(seed, "stagger of the classes", 0, np.arange(classes), 1)[:, 0])
    stagger = places * (k - 1) // classes
    held = np.empty(len(label), dtype=np.bool_)
    held[by_class] = (rank + stagger[label]) % k == k - 1
    return held[units.of_row]


def cut_off_test(labels: Rows, groups: Rows | None, where: str = "the data") -> tuple[Rows, Rows]:
    """Training and test rows of data that comes without a test set: a stratified fifth, the same each time.

    No group is on both sides. The rows are in their original order.

    Args:
        where: names the data in the error.

    Raises:
        UserError: too few samples for a fifth of them to be any.
    """
    order = stratified_order(labels, groups, 0, "order before the test set is cut off")
    test = hold_out(labels, groups, order, 5, 0)
    if not test.any():
        units = "samples" if groups is None else "groups"
        raise UserError(
            f"{where}: {len(labels)} samples are too few {units} to cut a test set off; add some or give one"
        )
    return np.flatnonzero(~test), np.flatnonzero(test)


def _every(validation: float) -> int:
    """The k of a share 1/k."""
    k = round(1 / validation) if 0 < validation <= 0.5 else 0
    if k < 2 or not math.isclose(validation * k, 1, rel_tol=1e-6):
        raise UserError(
            f"validation {validation} must be 0 or one k-th "
            "(0.1 holds out every tenth image, 0.2 every fifth)"
        )
    return k


def _count(dataset: Dataset, fraction: float, *, train: bool) -> int:
    """The images that a fraction of the full set is."""
    what, name = ("training", "fraction") if train else ("test", "test fraction")
    total, here = (
        (dataset.train_total, len(dataset.x_train)) if train else (dataset.test_total, len(dataset.x_test))
    )
    if not 0 < fraction <= 1:
        raise UserError(f"{name} {fraction} is outside (0, 1]")
    count = round(fraction * total)
    if count < 1:
        raise UserError(f"{name} {fraction} of {total:,} {what} images is less than one image")
    if count > here:
        raise UserError(
            f"{name} {fraction} of {dataset.name} is {count:,} of {total:,} {what} images, "
            f"and {here:,} are here; {dataset.hint}"
        )
    return count


def _check(dataset: Dataset, cut: Split, validation: float) -> None:
    counts = np.bincount(dataset.y_train[cut.train], minlength=len(dataset.classes))
    missing = [name for name, count in zip(dataset.classes, counts, strict=True) if count == 0]
    images = len(cut.train) + len(cut.validation)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(
            f"{dataset.name}: {images:,} images leave no training image of {', '.join(missing[:3])}{more}; "
            "use a larger fraction or more pictures"
        )
    if validation and len(cut.validation) == 0:
        raise UserError(
            f"{dataset.name}: validation {validation} of {images:,} images is no image; "
            "use a larger fraction, or validation 0.2 or 0"
        )
