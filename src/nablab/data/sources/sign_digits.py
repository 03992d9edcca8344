"""The sign-language digits of Kaggle, which a person has to download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.cache import cache_folder
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.fetch import Progress
from nablab.data.sources.brought import brought_pair, storage_of, write_brought
from nablab.data.sources.labels import read_labels
from nablab.data.sources.npy import open_npy
from nablab.data.sources.prepared import is_prepared, load_prepared
from nablab.data.sources.source import Source, not_here
from nablab.errors import UserError

NAME = "sign-digits"
LICENCE = "Apache 2.0, copyright 2017 Arda Mavi"
CLASSES = tuple(str(digit) for digit in range(10))
#: The digit that each column of `Y.npy` stands for.
COLUMNS = (9, 0, 7, 6, 1, 8, 4, 3, 2, 5)
WANTED = (
    "X.npy and Y.npy from https://www.kaggle.com/datasets/ardamavi/sign-language-digits-dataset, then "
    f"`nablab data import {NAME} X.npy Y.npy` (or the downloaded zip)"
)

_SHAPE = (2062, 64, 64)
# Images by digit: by them a file whose columns are in another order is found out.
_IMAGES = (205, 206, 206, 206, 207, 207, 207, 206, 208, 204)


def load() -> Dataset:
    """2,062 grey images of 64x64, class k being the sign for digit k; a stratified fifth is the test set.

    A. Mavi, "A new dataset and proposed convolutional neural network architecture for classification of
    American Sign Language digits", arXiv:2011.08927, 2020. Memory-mapped from the cache.

    Raises:
        UserError: it was not imported yet; which files to get, and how.
    """
    if not is_prepared(_folder()):
        raise not_here(NAME, f"get {WANTED}")
    return load_prepared(_folder())


def load_zero_one() -> Dataset:
    """The signs for zero and one alone, on the same sides of the split as in the whole.

    Raises:
        UserError: as `load`.
    """
    if not is_prepared(_folder()):
        raise not_here(f"{NAME}-01", f"get {WANTED}")
    whole = load()
    train, test = np.flatnonzero(whole.y_train < 2), np.flatnonzero(whole.y_test < 2)
    return make_dataset(
        f"{NAME}-01",
        whole.x_train[train],
        whole.y_train[train],
        whole.x_test[test],
        whole.y_test[test],
        CLASSES[:2],
        source=f"{whole.source}: zero and one",
        value_range=whole.value_range,
        licence=LICENCE,
    )


def available() -> str:
    """Whether it is here, in one line."""
    return (
        "all of it, in the cache"
        if is_prepared(_folder())
        else f"not here: `nablab data import {NAME} X.npy Y.npy`, of Kaggle's files"
    )


def take_in(files: Sequence[Path], progress: Progress | None = None) -> str:
    """Import `X.npy` and `Y.npy`, or the zip or folder that holds them.

    Raises:
        UserError: other files, shapes, values or labels than those of the data set.
        CannotWrite: the cache cannot be written to.
    """
    with brought_pair(files, _folder(), WANTED, progress) as (x_path, y_path):
        x, digits = open_npy(x_path), _digits(open_npy(y_path), y_path)
        if x.shape not in (_SHAPE, (*_SHAPE, 1)):
            raise UserError(f"{x_path}: shape {x.shape}; the sign-language digits are {_SHAPE}")
        storage = storage_of(x, str(x_path))
        low, high = storage.value_range
        if (low, high) not in ((0, 1), (0, 255)):
            raise UserError(
                f"{x_path}: values from {low:g} to {high:g}; the sign-language digits have 0 to 1"
            )
        source = f"sign-language digits (Kaggle, Arda Mavi), stored as {storage.dtype}"
        x_NCHW = x.reshape(len(x), 1, 64, 64)
        write_brought(_folder(), NAME, source, LICENCE, CLASSES, x_NCHW, digits, storage)
    return available()


def _digits(y: NDArray[np.generic], path: Path) -> NDArray[np.int64]:
    """The digit of each image, whichever of two ways the columns are ordered.

    Kaggle's file has them as `COLUMNS` says. The makers' own program, run anew, puts them in the order of
    the digits. The numbers of images tell the two apart.

    Raises:
        UserError: other shapes, rows that are not one-hot, other numbers of images.
    """
    if y.shape != (_SHAPE[0], 10):
        raise UserError(f"{path}: shape {y.shape}; the labels of the sign-language digits are (2062, 10)")
    columns, _ = read_labels(y, str(path))
    found = tuple(np.bincount(columns, minlength=10).tolist())
    for order in (COLUMNS, tuple(range(10))):
        if found == tuple(_IMAGES[digit] for digit in order):
            return np.array(order, dtype=np.int64)[columns]
    raise UserError(
        f"{path}: has {', '.join(map(str, found))} images by column, which are not the sign-language digits "
        f"of Kaggle; get {WANTED}"
    )


def _folder() -> Path:
    return cache_folder() / NAME


SOURCE = Source(
    name=NAME,
    title="Sign-language digits",
    description="grey images of hands, 64x64, 10 classes, 2,062 in all; from Kaggle, by yourself",
    licence=LICENCE,
    load=load,
    available=available,
    wanted=WANTED,
    importer=take_in,
)

ZERO_ONE = Source(
    name=f"{NAME}-01",
    title="Sign-language digits, zero and one",
    description="the signs for zero and one of sign-digits, 64x64, 411 in all",
    licence=LICENCE,
    load=load_zero_one,
    available=available,
    wanted=WANTED,
    importer=take_in,
)
