"""Data that was brought and made ready: a folder of arrays, memory-mapped, that loads at once.

`X.npy` holds the samples, those that train before those that test; `Y.npy` the numbers of their classes;
`groups.npy`, where there are groups, a number for each sample. `prepared.json` says what they are. It is
removed first and written last, so that a folder with it is whole; other programs need only X and Y.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.data.dataset import Array, Dataset, make_dataset
from nablab.data.samples import READ_BYTES, LazyRows, Samples, spans
from nablab.data.sources.labels import check_labels
from nablab.data.sources.npy import locate, open_npy
from nablab.errors import CannotWrite, UserError, has_control

NOTE = "prepared.json"
#: All that a prepared folder holds.
FILES = frozenset({"X.npy", "Y.npy", "groups.npy", NOTE})

#: Samples (K, ...) with the rows (K,) of X where they belong.
Block = tuple[NDArray[np.int64], Array]

_VERSION = 1


@dataclass(frozen=True)
class Prepared:
    """What is in a prepared folder.

    Attributes:
        name: of the data set.
        source: where it came from, in one line.
        licence: of the data, empty when not known.
        classes: their names.
        value_range: the smallest and largest value a sample may hold.
        train: the first so many samples train, the others test.
        shape: of X, (N, C, H, W).
        dtype: of X: `uint8` or `float32`.
        grouped: whether there is a `groups.npy`.
        left_out: the files that could not be read, each with the reason.
    """

    name: str
    source: str
    licence: str
    classes: tuple[str, ...]
    value_range: tuple[float, float]
    train: int
    shape: tuple[int, ...]
    dtype: str
    grouped: bool = False
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def test(self) -> int:
        """The samples that test."""
        return self.shape[0] - self.train


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds prepared data; quick, and no proof that it is undamaged."""
    return (folder / NOTE).is_file()


def load_prepared(folder: Path) -> Dataset:
    """The data set in a folder that `write_prepared` made; its images stay on the disk until they are used.

    Raises:
        UserError: there is none, or it is damaged.
    """
    note = read_note(folder)
    x_train, x_test = _samples(folder / "X.npy", note)
    y = _mapped(folder / "Y.npy", note.shape[:1], "int64")
    check_labels(y[: note.train], y[note.train :], note.classes, str(folder / "Y.npy"))
    groups = _mapped(folder / "groups.npy", note.shape[:1], "int64")[: note.train] if note.grouped else None
    return make_dataset(
        note.name,
        x_train,
        y[: note.train],
        x_test,
        y[note.train :],
        note.classes,
        source=note.source,
        value_range=note.value_range,
        groups=groups,
        licence=note.licence,
    )


def read_note(folder: Path) -> Prepared:
    """What a prepared folder says of itself.

    Raises:
        UserError: there is no note, or it is damaged.
    """
    path = folder / NOTE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("version") != _VERSION:
            raise UserError(f"{path}: written by another version of nablab; prepare the data again")
        return _checked(Prepared(**stored))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read; prepare the data again") from error


def write_prepared(
    folder: Path,
    note: Prepared,
    blocks: Iterable[Block],
    y: NDArray[np.int64],
    groups: NDArray[np.int64] | None = None,
) -> None:
    """Write a prepared folder, in place of what was prepared there before.

    Args:
        blocks: the samples, in any order, a part at a time: X need not fit into memory.
        y: (N,) in the order of the samples, those that train first.
        groups: (N,), as `y`.

    Raises:
        CannotWrite: the disk is full or the folder cannot be written to.
    """
    forget(folder)
    atomic.write_with(folder / "X.npy", partial(_write_blocks, note=note, blocks=blocks))
    for name, numbers in (("Y.npy", y), ("groups.npy", groups)):
        if numbers is not None:
            content = partial(np.save, arr=numbers.astype(np.int64), allow_pickle=False)
            atomic.write_with(folder / name, content)
    text = json.dumps({"version": _VERSION, **asdict(note)}, indent=1, ensure_ascii=False)
    atomic.write_text(folder / NOTE, text)


def forget(folder: Path) -> None:
    """Take the note away, so that what follows is not taken for what it says.

    Raises:
        CannotWrite: the folder cannot be written to.
    """
    try:
        (folder / NOTE).unlink(missing_ok=True)
        (folder / "groups.npy").unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot write in {folder}: {error.strerror or error}") from error


def _write_blocks(path: Path, note: Prepared, blocks: Iterable[Block]) -> None:
    """Through the file and not through a memory map, where a full disk ends the process without a word."""
    dtype = np.dtype(note.dtype)
    header = {"descr": dtype.str, "fortran_order": False, "shape": note.shape}
    stride = dtype.itemsize * math.prod(note.shape[1:])
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        begin = file.tell()
        for rows, samples in blocks:
            for row, sample in zip(rows.tolist(), samples, strict=True):
                file.seek(begin + row * stride)
                file.write(np.ascontiguousarray(sample, dtype=dtype).data)


def _samples(path: Path, note: Prepared) -> tuple[Samples, Samples]:
    """Those that train and those that test, mapped; large ones by their place, for other processes too."""
    x = _mapped(path, note.shape, note.dtype)
    if x.nbytes <= READ_BYTES:
        return x[: note.train], x[note.train :]
    file, rows = locate(path), np.arange(len(x))
    lazy = LazyRows(file.open(), rows, x.dtype, None if x.dtype == np.uint8 else spans(x), file)
    return lazy.select(rows[: note.train]), lazy.select(rows[note.train :])


def _mapped(path: Path, shape: tuple[int, ...], dtype: str) -> Array:
    try:
        array: Array = open_npy(path)
    except UserError as error:
        raise UserError(f"{error}; prepare the data again") from error
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise UserError(f"{path}: not what {NOTE} says; prepare the data again")
    return array


def _checked(note: Prepared) -> Prepared:
    """The note with lists as tuples; TypeError or ValueError for values of another kind."""
    values: dict[str, Any] = {field.name: getattr(note, field.name) for field in fields(note)}
    texts = (note.name, note.source, note.licence, *note.classes)
    if not all(isinstance(text, str) and not has_control(text) for text in texts):
        raise ValueError("name")
    values["classes"] = tuple(note.classes)
    values["shape"] = tuple(int(length) for length in note.shape)
    low, high = (float(value) for value in note.value_range)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError("value_range")
    if note.dtype == "uint8" and (low, high) != (0, 255):
        raise ValueError("value_range")
    values["value_range"] = (low, high)
    values["left_out"] = tuple((str(file), str(why)) for file, why in note.left_out)
    if not (isinstance(note.train, int) and values["shape"] and 0 < note.train < values["shape"][0]):
        raise ValueError("train")
    if note.dtype not in ("uint8", "float32"):
        raise ValueError("dtype")
    return Prepared(**values)
