"""A folder of class folders of pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources.decoding import check_options, read_all
from nablab.data.sources.listing import Listing, Rows, groups_by_name, in_order
from nablab.data.sources.picture import is_picture_name
from nablab.errors import UserError


def load_pictures(
    folder: Path,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The pictures in a folder whose subfolders are the classes, in any format that Pillow reads.

    EXIF orientation is applied, and of a picture that moves the first frame is taken.

    Args:
        size: height and width the pictures are brought to; needed where they differ in size.
        color: `grey` or `rgb`; None is grey where all pictures are.
        group: see `list_pictures`.
        progress: told how many pictures are decoded, where that takes longer than a second.

    Raises:
        UserError: as `list_pictures` and `decoding.read_all`; a group in both train and test.
    """
    check_options(size, color)
    listing = list_pictures(folder, group=group)
    return listing.dataset(read_all(listing.files, folder, size=size, color=color, progress=progress))


def list_pictures(folder: Path, *, group: str | None = None) -> Listing:
    """The pictures in a folder whose subfolders are the classes.

    With subfolders `train` and `test`, those hold the class folders; otherwise a stratified fifth is the
    test set, the same each time. Pictures may lie deeper in a class folder; hidden files and files that are
    no pictures by their suffix are left out.

    Args:
        group: a regular expression searched for in file names: pictures for which its first group (or its
            whole match) is the same stay on one side of every split; one that does not match stands alone.

    Raises:
        UserError: no class folders, fewer than two classes, no picture in one of them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    train_folder, test_folder = _parts(folder)
    train = _scan(train_folder)
    test = _scan(test_folder, classes=train.classes) if test_folder else None
    files = (*train.files, *(test.files if test else ()))
    in_test = np.arange(len(files)) >= len(train.files)
    return Listing(
        name=folder.resolve().name or "pictures",
        place=folder,
        kind="folder",
        files=files,
        labels=np.concatenate([train.labels, test.labels]) if test else train.labels,
        classes=train.classes,
        in_test=in_test if test else None,
        groups=None if group is None else groups_by_name(files, group),
    )


@dataclass(frozen=True, eq=False)
class _Scan:
    """The picture files below a folder, with their labels (N,)."""

    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: Rows


def _subfolders(folder: Path) -> list[Path]:
    """Not hidden, in the order of classes."""
    try:
        found = {e.name: e for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")}
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
    return [found[name] for name in in_order(list(found))]


def _parts(folder: Path) -> tuple[Path, Path | None]:
    """Where the class folders are: below `train` and `test`, or in the folder itself."""
    by_name = {entry.name.lower(): entry for entry in _subfolders(folder)}
    if "train" in by_name and "test" in by_name:
        return by_name["train"], by_name["test"]
    return folder, None


def _scan(folder: Path, classes: tuple[str, ...] | None = None) -> _Scan:
    subfolders = _subfolders(folder)
    names = tuple(entry.name for entry in subfolders)
    known = names if classes is None else classes
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UserError(f"{folder}: the class {unknown[0]!r} has no folder beside the training pictures")
    if len(known) < 2:
        raise UserError(
            f"{folder}: expected a folder of pictures for each of two or more classes; "
            f"found {', '.join(names) or 'no folder'}"
        )
    files: list[Path] = []
    labels: list[int] = []
    for entry in subfolders:
        pictures = _pictures_below(entry)
        if not pictures and classes is None:
            raise UserError(f"{entry}: holds no picture; fill or remove this class folder")
        files += pictures
        labels += [known.index(entry.name)] * len(pictures)
    if not files:
        raise UserError(f"{folder}: holds no picture")
    return _Scan(known, tuple(files), np.array(labels, dtype=np.int64))


def _pictures_below(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names]
    return sorted(path for path in found if is_picture_name(path))
