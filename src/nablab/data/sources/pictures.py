"""A folder of class folders of pictures."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources.decoding import check_options, read_all
from nablab.data.sources.listing import Listing, Rows, groups_by_name, in_order
from nablab.data.sources.picture import is_picture_name
from nablab.errors import UserError

#: Subfolders of these names are parts of the data and no classes.
_TRAIN, _TEST = {"train", "training"}, {"test", "testing"}
_VALIDATION = {"val", "valid", "validation"}
#: What parts are often called, too.
_PART = re.compile("train|test|val|dev|eval", re.IGNORECASE)
#: Folders that systems and servers put beside one's own, with thumbnails and the like.
_OF_THE_SYSTEM = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}


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
    return listing.dataset(
        lambda rows: read_all(listing.files, folder, size=size, color=color, rows=rows, progress=progress)
    )


def list_pictures(folder: Path, *, group: str | None = None) -> Listing:
    """The pictures in a folder whose subfolders are the classes.

    With subfolders `train` and `test` (or `training` and `testing`), those hold the class folders, and so may
    `validation` (`valid`, `val`), which counts as training: nablab cuts its own validation from that.
    Otherwise a stratified fifth is the test set, the same each time. Pictures may lie deeper in a class
    folder, also behind links; left out are hidden files, files that are no pictures by their suffix, and
    folders that systems make, such as `__MACOSX`.

    Args:
        group: a regular expression searched for in file names: pictures for which its first group (or its
            whole match) is the same stay on one side of every split; one that does not match stands alone.

    Raises:
        UserError: no class folders, fewer than two classes, no picture in one of them; parts without one to
            test with; a folder that cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    train_folders, test_folder = _parts(folder)
    first = _scan(train_folders[0])
    train = [first, *(_scan(more, classes=first.classes) for more in train_folders[1:])]
    test = [_scan(test_folder, classes=first.classes)] if test_folder else []
    files = tuple(file for scan in (*train, *test) for file in scan.files)
    in_test = np.arange(len(files)) >= sum(len(scan.files) for scan in train)
    return Listing(
        name=folder.resolve().name or "pictures",
        place=folder,
        kind="folder",
        files=files,
        labels=np.concatenate([scan.labels for scan in (*train, *test)]),
        classes=first.classes,
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
    """A person's own, in the order of classes."""
    try:
        found = {e.name: e for e in folder.iterdir() if e.is_dir() and not _is_hidden(e.name)}
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
    return [found[name] for name in in_order(list(found))]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM


def _parts(folder: Path) -> tuple[list[Path], Path | None]:
    """Where the class folders are: below the parts that train and the one that tests, or in the folder."""
    subfolders = _subfolders(folder)
    train, validation, test = (
        [entry for entry in subfolders if entry.name.lower() in names]
        for names in (_TRAIN, _VALIDATION, _TEST)
    )
    if train and test:
        return [*train, *validation], test[0]
    if train and validation:
        raise UserError(
            f"{folder}: has {train[0].name} and {validation[0].name}, and no test; to test with the latter, "
            "call it test (what validates, nablab cuts from what trains)"
        )
    if len(subfolders) > 1 and all(map(_looks_like_a_part, subfolders)):
        raise UserError(
            f"{folder}: {' and '.join(e.name for e in subfolders)} look like parts of the data, and not like "
            "classes; call what trains train, and what tests test"
        )
    return [folder], None


def _looks_like_a_part(folder: Path) -> bool:
    """Whether it is called like one, and holds folders and no pictures of its own."""
    if not _PART.match(folder.name) or not _subfolders(folder):
        return False
    return not any(is_picture_name(entry) for entry in folder.iterdir())


def _scan(folder: Path, classes: tuple[str, ...] | None = None) -> _Scan:
    subfolders = _subfolders(folder)
    names = tuple(entry.name for entry in subfolders)
    known = names if classes is None else classes
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UserError(f"{folder}: the class {unknown[0]!r} has no folder beside the training pictures")
    if len(known) < 2:
        further = "".join(f"; did you mean {e}?" for e in subfolders if len(_subfolders(e)) > 1)
        raise UserError(
            f"{folder}: expected a folder of pictures for each of two or more classes; "
            f"found {', '.join(names) or 'no folder'}{further}"
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
        raise UserError(
            f"{folder}: holds no picture in a folder of its class, such as {known[0][:80]!r}; a picture "
            "whose class is not known can neither train nor test"
        )
    return _Scan(known, tuple(files), np.array(labels, dtype=np.int64))


def _pictures_below(folder: Path) -> list[Path]:
    found = []
    met = set()
    for root, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        place = os.path.realpath(root)
        if place in met:  # a link leads back
            folders.clear()
            continue
        met.add(place)
        folders[:] = [name for name in folders if not _is_hidden(name)]
        found += [Path(root, name) for name in names]
    return sorted(path for path in found if is_picture_name(path))


def _refuse(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from error
