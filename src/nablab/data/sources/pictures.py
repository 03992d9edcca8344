"""A folder of class folders of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.sources.picture import Color, Header, is_picture_name, read_header, read_picture
from nablab.data.split import cut_off_test
from nablab.errors import UserError, did_you_mean

_MOST_BYTES = 8 * 2**30  # decoded, all pictures together


def load_pictures(
    folder: Path, *, size: int | None = None, color: str | None = None, group: str | None = None
) -> Dataset:
    """The pictures in a folder whose subfolders are the classes, in any format that Pillow reads.

    With subfolders `train` and `test`, those hold the class folders; otherwise a stratified fifth is the
    test set, the same each time. Pictures may lie deeper in a class folder; hidden files and files that are
    no pictures by their suffix are left out. EXIF orientation is applied.

    Args:
        size: height and width the pictures are brought to; needed where they differ in size.
        color: `grey` or `rgb`; None is grey where all pictures are.
        group: a regular expression searched for in file names: pictures for which its first group (or its
            whole match) is the same stay on one side of every split; one that does not match stands alone.

    Raises:
        UserError: no class folders, fewer than two classes, no picture in one of them, a picture that
            cannot be read or is enormous, different sizes without `size`, a group in both train and test.
    """
    _check_options(folder, size, color)
    train_folder, test_folder = _parts(folder)
    train = _scan(train_folder)
    test = _scan(test_folder, classes=train.classes) if test_folder else None
    files = [*train.files, *(test.files if test else ())]
    headers = [read_header(file) for file in files]
    chosen = _color(color, headers)
    _check_sizes(headers, size, chosen, folder)
    pixels = _read_all(files, size, chosen)
    labels = np.concatenate([train.labels, test.labels]) if test else train.labels
    groups = None if group is None else _groups(files, group)
    if test is None:
        train_rows, test_rows = cut_off_test(labels, groups)
    else:
        train_rows, test_rows = np.split(np.arange(len(files)), [len(train.files)])
        _refuse_shared_groups(groups, train_rows, test_rows, files)
    return make_dataset(
        folder.resolve().name or "pictures",
        pixels[train_rows],
        labels[train_rows],
        pixels[test_rows],
        labels[test_rows],
        train.classes,
        source=f"{len(files):,} pictures in folder {folder.resolve().name}",
        groups=None if groups is None else groups[train_rows],
    )


@dataclass(frozen=True, eq=False)
class _Scan:
    """The picture files below a folder, with their labels (N,)."""

    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: NDArray[np.int64]


def _check_options(folder: Path, size: int | None, color: str | None) -> None:
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 4096):
        raise UserError(f"size must be a whole number of pixels from 1 to 4096, not {size!r}")
    if color is not None and color not in get_args(Color):
        raise UserError(f"color {color!r} is neither grey nor rgb{did_you_mean(color, get_args(Color))}")
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")


def _subfolders(folder: Path) -> list[Path]:
    """Not hidden, by name; by number where all names are numbers, so that 10 comes after 9."""
    try:
        found = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
    numbered = all(entry.name.isdecimal() for entry in found)
    return sorted(found, key=lambda entry: (int(entry.name) if numbered else 0, entry.name))


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


def _color(color: str | None, headers: Sequence[Header]) -> Color:
    if color is not None:
        return "grey" if color == "grey" else "rgb"
    return "grey" if all(header.is_grey for header in headers) else "rgb"


def _check_sizes(headers: Sequence[Header], size: int | None, color: Color, folder: Path) -> None:
    """That the pictures are of one size, or get one, and that they fit into memory together."""
    first = headers[0]
    height, width = (first.height, first.width) if size is None else (size, size)
    for other in headers:
        if size is None and (other.height, other.width) != (height, width):
            raise UserError(
                f"{folder}: pictures differ in size ({first.width}x{first.height} in {first.path.name}, "
                f"{other.width}x{other.height} in {other.path.name}); give them one, e.g. --size 64"
            )
    needed = len(headers) * height * width * (1 if color == "grey" else 3)
    if needed > _MOST_BYTES:
        raise UserError(
            f"{folder}: {len(headers):,} pictures of {width}x{height} are {needed / 2**30:.0f} GiB; "
            "make them smaller, e.g. --size 64"
        )


def _read_all(files: Sequence[Path], size: int | None, color: Color) -> NDArray[np.uint8]:
    """All pictures (N, C, H, W); they are of one size by now."""
    first = read_picture(files[0], size, color)
    pixels = np.empty((len(files), *first.shape), dtype=np.uint8)
    for row, file in enumerate(files):
        pixels[row] = read_picture(file, size, color)
    return pixels


def _groups(files: Sequence[Path], pattern: str) -> NDArray[np.int64]:
    """A number a picture (N,), the same for what the pattern finds to be the same."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"group {pattern!r} is not a regular expression: {error}") from error
    matches = [expression.search(file.name) for file in files]
    if not any(matches):
        raise UserError(f"group {pattern!r} matches no file name, such as {files[0].name}")
    keys = [
        ("group", match.group(1 if expression.groups else 0) or "") if match else ("alone", str(file))
        for file, match in zip(files, matches, strict=True)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def _refuse_shared_groups(
    groups: NDArray[np.int64] | None,
    train_rows: NDArray[np.int64],
    test_rows: NDArray[np.int64],
    files: Sequence[Path],
) -> None:
    if groups is None:
        return
    shared = np.intersect1d(groups[train_rows], groups[test_rows])
    if len(shared):
        sides = [files[rows[groups[rows] == shared[0]][0]].name for rows in (train_rows, test_rows)]
        raise UserError(
            f"{len(shared)} groups are in both train and test, e.g. {sides[0]} and {sides[1]}; "
            "move each to one side, or leave group out"
        )
