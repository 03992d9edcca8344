"""Labels as users keep them, brought to whole numbers from 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.samples import blocks
from nablab.errors import UserError, has_control

_MOST_CLASSES = 10_000


def read_labels(labels: NDArray[Any], where: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels (N,) as whole numbers from 0, and the names that came with them (empty where none did).

    Taken are whole numbers (N,) or (N, 1), also stored as floats or truth values; one-hot rows (N, K) for
    K of 2 or more; and texts (N,), whose classes are in alphabetical order.

    Raises:
        UserError: anything else: other shapes, fractions, NaN, negative numbers, rows that are not one-hot.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "U" and labels.ndim == 1:
        names, numbers = np.unique(labels, return_inverse=True)
        return numbers.astype(np.int64), tuple(str(name) for name in names)
    if labels.dtype.kind not in "biuf":
        raise UserError(f"{where}: labels of type {labels.dtype}; expected whole numbers or one-hot rows")
    if labels.ndim == 2:
        return _from_one_hot(labels, where), ()
    if labels.ndim != 1:
        raise UserError(f"{where}: labels of shape {labels.shape}; expected (N,) or one-hot (N, K)")
    _refuse(~_is_whole(labels), labels, where, "is not a whole number")
    _refuse(labels < 0, labels, where, "is negative; number the classes from 0")
    _refuse(
        labels >= _MOST_CLASSES, labels, where, f"is out of range; at most {_MOST_CLASSES:,} classes are read"
    )
    return labels.astype(np.int64), ()


def check_labels(
    y_train: NDArray[np.int64], y_test: NDArray[np.int64], names: tuple[str, ...], where: str
) -> None:
    """That each class has a training sample and a name that can be shown, and no label is without a class.

    Raises:
        UserError: which label or class, and where.
    """
    refuse_control(names, where)
    classes = len(names)
    for part, y in (("training", y_train), ("test", y_test)):
        outside = np.flatnonzero((y < 0) | (y >= classes))
        if len(outside):
            raise UserError(
                f"{where}: {part} label {y[outside[0]]} at position {outside[0]} is out of range; "
                f"there are {classes} classes, 0 to {classes - 1}"
            )
    empty = np.flatnonzero(np.bincount(y_train, minlength=classes) == 0)
    if empty.tolist() == [0] and (y_test != 0).all():
        raise UserError(f"{where}: labels go from 1 to {classes - 1}; number the classes from 0: y - 1")
    if len(empty):
        raise UserError(
            f"{where}: class {names[empty[0]][:80]!r} has no training sample, but labels go to "
            f"{classes - 1}; number the classes from 0 without gaps"
        )


def refuse_control(names: Iterable[str], where: str) -> None:
    """That names of classes can be stored and shown.

    Raises:
        UserError: one has control characters, or bytes that are not UTF-8.
    """
    for name in names:
        if has_control(name):
            raise UserError(f"{where}: class {name[:80]!r} has control characters or broken UTF-8; rename it")


def _from_one_hot(rows: NDArray[Any], where: str) -> NDArray[np.int64]:
    numbers: list[NDArray[np.int64]] = []
    for part, block in enumerate(blocks(rows)):
        wrong = (((block != 0) & (block != 1)).any(axis=1)) | ((block == 1).sum(axis=1) != 1)
        if wrong.any():
            position = part * len(numbers[0] if numbers else block) + int(np.argmax(wrong))
            raise UserError(f"{where}: label row {position} is not one-hot: it must hold one 1, and 0 else")
        numbers.append(block.argmax(axis=1).astype(np.int64))
    return np.concatenate(numbers)


def _is_whole(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind != "f":
        return np.ones(labels.shape, dtype=np.bool_)
    whole: NDArray[np.bool_] = np.isfinite(labels) & (labels == np.round(labels))
    return whole


def _refuse(wrong: NDArray[np.bool_], labels: NDArray[Any], where: str, why: str) -> None:
    if wrong.any():
        position = int(np.flatnonzero(wrong)[0])
        raise UserError(f"{where}: label {labels[position]} at position {position} {why}")
