"""A CSV file that lists pictures: `path,label`, and optionally `split` and `group`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources.decoding import check_options, read_all
from nablab.data.sources.labels import refuse_control
from nablab.data.sources.listing import Listing, Rows, groups_by_name, in_order, numbered
from nablab.errors import UserError

if TYPE_CHECKING:
    from _csv import Reader

_COLUMNS = ("path", "label", "split", "group")
_IS_TEST = {"train": False, "val": False, "valid": False, "validation": False, "test": True}
_MOST_BYTES = 2**28  # some million rows; what is larger is hardly a list of pictures
_MOST_SHOWN = 80  # characters of a field that an error repeats


def load_csv(
    path: Path,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The pictures that a CSV lists; see `list_csv`.

    Args:
        size: height and width the pictures are brought to; needed where they differ in size.
        color: `grey` or `rgb`; None is grey where all pictures are.
        group: as `list_csv`.
        progress: told how many pictures are decoded, where that takes longer than a second.

    Raises:
        UserError: as `list_csv` and `decoding.read_all`; a group in both train and test.
    """
    check_options(size, color)
    listing = list_csv(path, group=group)
    return listing.dataset(
        lambda rows: read_all(listing.files, path, size=size, color=color, rows=rows, progress=progress)
    )


def list_csv(path: Path, *, group: str | None = None) -> Listing:
    """The pictures in a CSV with a header, whose columns may be in any order and case.

    `path` is relative to the CSV's folder; `label` is any text. `split` is `train`, `test` or `validation`
    (`valid`, `val`), of which the last counts as training: nablab cuts its own validation from that. Without
    it, a stratified fifth is the test set. Pictures of the same `group` stay on one side of every split; one
    with none stands alone. Commas, semicolons and tabs may separate columns. Empty lines are left out.

    Args:
        group: in place of a column `group`, a regular expression for file names, as for folders.

    Raises:
        UserError: the line, and what is wrong with it.
    """
    rows = list(_read(path))
    if not rows:
        raise UserError(f"{path}: lists no picture below its header")
    _refuse_twice(path, rows)
    classes = in_order(sorted({row.label for row in rows}))
    if len(classes) < 2:
        raise UserError(f"{path}: all pictures have the label {_shown(classes[0])}; a classifier needs two")
    number = {name: place for place, name in enumerate(classes)}
    files = tuple(row.file for row in rows)
    return Listing(
        name=path.stem,
        place=path,
        kind="file",
        files=files,
        labels=np.array([number[row.label] for row in rows], dtype=np.int64),
        classes=tuple(classes),
        in_test=_in_test(path, rows),
        groups=_groups(path, rows, files, group),
    )


@dataclass(frozen=True)
class _Row:
    """One picture; `split` and `group` are None where there is no such column."""

    line: int
    file: Path
    label: str
    split: str | None
    group: str | None


def _read(path: Path) -> Iterator[_Row]:
    """The rows of a file, each of them checked."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(
                f"{path}: has more than {_MOST_BYTES // 2**20} MiB; a list of pictures is expected"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline(_MOST_SHOWN * 100)
            file.seek(0)
            yield from _rows(path, csv.reader(file, delimiter=_delimiter(header), strict=True))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text in UTF-8; save it as CSV UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _rows(path: Path, reader: Reader) -> Iterator[_Row]:
    try:
        columns = _columns(path, next(reader, []))
        for fields in reader:
            if any(field.strip() for field in fields):
                yield _row(path, reader.line_num, columns, fields)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _columns(path: Path, header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    wanted = "expected path,label and optionally split,group"
    for name in columns:
        if not name:
            raise UserError(f"{path}, line 1: a column without a name; leave it out (in pandas: index=False)")
        if name not in _COLUMNS:
            raise UserError(f"{path}, line 1: unknown column {_shown(name)}; {wanted}")
        if columns.count(name) > 1:
            raise UserError(f"{path}, line 1: column {name!r} is there twice")
    missing = [name for name in _COLUMNS[:2] if name not in columns]
    if missing:
        raise UserError(f"{path}, line 1: no column {' and no column '.join(missing)}; {wanted}")
    return columns


def _row(path: Path, line: int, columns: list[str], fields: list[str]) -> _Row:
    where = f"{path}, line {line}"
    if len(fields) != len(columns):
        raise UserError(
            f"{where}: {len(fields)} fields under {len(columns)} columns; quote what holds a comma"
        )
    values = {name: field.strip() for name, field in zip(columns, fields, strict=True)}
    for name in _COLUMNS[:2]:
        if not values[name]:
            raise UserError(f"{where}: empty {name}")
    split = values.get("split")
    if split is not None and split.lower() not in _IS_TEST:
        raise UserError(f"{where}: split {_shown(split)} is not train, validation or test")
    file = _file(path.parent, values["path"])
    if file is None:
        raise UserError(f"{where}: no file {_shown(values['path'])} in the folder of {path.name}")
    label = " ".join(values["label"].split())
    refuse_control([label], where)
    return _Row(line, file, label, split and split.lower(), values.get("group"))


def _file(folder: Path, name: str) -> Path | None:
    """The file of a name, whose parts a list from Windows separates by backslashes."""
    for way in (name, name.replace("\\", "/")):
        if os.path.isfile(folder / way):  # Path.is_file raises for names that are too long
            return folder / way
    return None


def _in_test(path: Path, rows: Sequence[_Row]) -> NDArray[np.bool_] | None:
    """Whether each row (N,) tests; None where there is no column for it."""
    if rows[0].split is None:
        return None
    in_test = np.array([_IS_TEST[row.split or ""] for row in rows])
    if not in_test.any():
        raise UserError(f"{path}: its column split has no row for test; mark some, or leave the column out")
    return in_test


def _groups(path: Path, rows: Sequence[_Row], files: Sequence[Path], pattern: str | None) -> Rows | None:
    if rows[0].group is None:
        return None if pattern is None else groups_by_name(files, pattern)
    if pattern is not None:
        raise UserError(f"{path}: has a column group; leave --group out")
    return numbered([row.group or None for row in rows])


def _refuse_twice(path: Path, rows: Sequence[_Row]) -> None:
    lines: dict[str, int] = {}
    for row in rows:
        name = os.path.normpath(row.file)
        if name in lines:
            raise UserError(
                f"{path}, line {row.line}: {_shown(row.file.name)} is listed before, in line {lines[name]}; "
                "list each picture once"
            )
        lines[name] = row.line


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "...")
