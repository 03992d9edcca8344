"""Kaggle's Dogs vs. Cats, which a person has to download: from its pictures, or from arrays made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.archive import unpack
from nablab.data.cache import cache_folder
from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.prepare import UNFINISHED, prepare_listing
from nablab.data.sources.brought import brought_pair, storage_of, write_brought
from nablab.data.sources.labels import check_labels, read_labels
from nablab.data.sources.listing import Listing
from nablab.data.sources.npy import open_npy
from nablab.data.sources.prepared import Prepared, is_prepared, load_prepared, read_note
from nablab.data.sources.source import Source, not_here
from nablab.errors import UserError

NAME = "dogs-vs-cats"
LICENCE = "the rules of the Kaggle competition Dogs vs. Cats (2013); pictures from Asirra, Microsoft Research"
#: As Kaggle numbers them.
CLASSES = ("cat", "dog")
WANTED = (
    "train.zip from https://www.kaggle.com/c/dogs-vs-cats/data, then `nablab data prepare "
    f"{NAME} train.zip --size 64 --color grey`; or, with arrays made of it, `nablab data import {NAME} X.npy "
    "Y.npy`"
)
SIZE, COLOR = 64, "grey"  #: what the courses train on

_PICTURE = re.compile(r"(cat|dog)\.(\d+)\.jpe?g", re.IGNORECASE)
_COLLECTION = "Kaggle's Dogs vs. Cats"
_DEEPEST = 8  # folders and archives within each other; Kaggle's pictures are in the fifth
_MOST_UNPACKED = 4 * 2**30  # train.zip comes to 600 MB


def load() -> Dataset:
    """What was prepared or imported last, memory-mapped from the cache; a stratified fifth is the test set.

    J. Elson, J. R. Douceur, J. Howell and J. Saul, "Asirra: a CAPTCHA that exploits interest-aligned manual
    image categorization", CCS 2007; 25,000 of its pictures, of all sizes, make Kaggle's training set.

    Raises:
        UserError: nothing is here yet; which file to get, and how.
    """
    if not is_prepared(_folder()):
        raise not_here(NAME, f"get {WANTED}")
    return load_prepared(_folder())


def available() -> str:
    """What is here, in one line."""
    if not is_prepared(_folder()):
        return f"not here: `nablab data prepare {NAME} train.zip`, of Kaggle's archive"
    try:
        count, channels, height, width = read_note(_folder()).shape
    except UserError:  # that of one must not keep others from being listed
        return f"damaged, or of another version: `nablab data prepare {NAME} train.zip` makes it anew"
    return f"{count:,} images of {width}x{height}, {'grey' if channels == 1 else 'rgb'}, in the cache"


def prepare(
    place: Path,
    *,
    size: int | None = None,
    color: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Decode Kaggle's pictures into the cache, in place of what was there; see `data.prepare`.

    Args:
        place: `train.zip`, the archive around it, or a folder that holds `cat.0.jpg`, `dog.0.jpg`...,
            or `train` with them, or `train.zip`. Classes go by the names of files.
        size: height and width, 64 unless given.
        color: `grey`, unless given, or `rgb`.

    Raises:
        UserError: no such pictures there; otherwise as `data.prepare`.
        CannotWrite: the cache cannot be written to; what was done is kept.
    """
    listing = list_kaggle(_pictures(place, progress), place)
    return prepare_listing(
        listing,
        _folder(),
        size=SIZE if size is None else size,
        color=COLOR if color is None else color,
        strict=strict,
        licence=LICENCE,
        progress=progress,
    )


def list_kaggle(folder: Path, place: Path) -> Listing:
    """The pictures `cat.0.jpg`, `dog.0.jpg`... in a folder, cats first, each by number.

    Args:
        place: what the user named; for errors.

    Raises:
        UserError: there are none.
    """
    found = []
    for path in folder.iterdir():
        match = _PICTURE.fullmatch(path.name)
        if match:
            found.append((CLASSES.index(match[1].lower()), int(match[2]), path))
    if not found:
        raise UserError(
            f"{place}: holds no cat.0.jpg, dog.0.jpg...; get train.zip from Kaggle, or prepare folders of "
            "classes with `nablab data prepare FOLDER --size 64 --out OTHER`"
        )
    found.sort()
    return Listing(
        name=NAME,
        place=folder,
        kind="folder",
        files=tuple(path for _, _, path in found),
        labels=np.array([label for label, _, _ in found], dtype=np.int64),
        classes=CLASSES,
        collection=_COLLECTION,
    )


def take_in(files: Sequence[Path], progress: Progress | None = None) -> str:
    """Import arrays: `X.npy` of images, grey or RGB, and `Y.npy` of 0 (cat) and 1 (dog) or one-hot rows.

    Raises:
        UserError: other files, shapes, values or labels.
        CannotWrite: the cache cannot be written to.
    """
    with brought_pair(files, _folder(), WANTED, progress) as (x_path, y_path):
        x, (labels, names) = (
            _channels_first(open_npy(x_path), x_path),
            read_labels(open_npy(y_path), str(y_path)),
        )
        if len(x) != len(labels):
            raise UserError(f"{x_path} has {len(x):,} images, {y_path.name} {len(labels):,} labels")
        if names and names != CLASSES:
            raise UserError(f"{y_path}: labels are {', '.join(names[:3])}; expected cat and dog")
        check_labels(labels, labels[:0], CLASSES, str(y_path))
        source = f"{_COLLECTION}: {len(x):,} images, imported as arrays"
        write_brought(_folder(), NAME, source, LICENCE, CLASSES, x, labels, storage_of(x, str(x_path)))
    return available()


def _channels_first(x: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """A view of images with channels first, however they come."""
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[3] in (1, 3):
        return x.transpose(0, 3, 1, 2)
    if x.ndim == 4 and x.shape[1] in (1, 3):
        return x
    raise UserError(f"{path}: shape {x.shape}; expected images (N, 64, 64), or with 1 or 3 channels")


def _pictures(place: Path, progress: Progress | None, depth: int = 0) -> Path:
    """The folder of pictures, unpacked where it has to be; archives lie within archives."""
    if depth > _DEEPEST:
        raise UserError(f"{place}: lies too deep in archives; there are some that contain themselves")
    if not place.exists():
        raise UserError(f"no such file or folder: {place}")
    if place.is_dir():
        inner = [entry for entry in (place / "train", place / "train.zip") if entry.exists()]
        has_pictures = any(_PICTURE.fullmatch(entry.name) for entry in place.iterdir())
        return place if has_pictures or not inner else _pictures(inner[0], progress, depth + 1)
    status = place.stat()
    # Named after the archive, so that work that was interrupted finds it unpacked.
    folder = _folder() / UNFINISHED / f"{place.stem}-{status.st_size}-{status.st_mtime_ns}"
    if not folder.is_dir():
        unpack(place, folder, limit_bytes=_MOST_UNPACKED, progress=progress)
    return _pictures(folder, progress, depth + 1)


def _folder() -> Path:
    return cache_folder() / NAME


SOURCE = Source(
    name=NAME,
    title="Dogs vs. Cats",
    description="25,000 pictures of 2 classes; from Kaggle, by yourself, brought to one size",
    licence=LICENCE,
    load=load,
    available=available,
    wanted=WANTED,
    importer=take_in,
    preparer=prepare,
)
