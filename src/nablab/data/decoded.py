"""Decoded copies of data sets in the cache: arrays of bytes, memory-mapped, checked each time they are read.

A folder holds one `.npy` file an array and `decoded.json`, which notes the size and SHA-256 of each and is
written last. So a copy that a crash cut short has no note of itself, and one that was damaged later does not
agree with it; both are made anew. Files are put in place whole, and whoever writes a folder writes the same,
so that any number of processes may read and write it at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.errors import CannotWrite

Arrays = dict[str, NDArray[np.uint8]]
Notes = dict[str, dict[str, Any]]

_NOTE = "decoded.json"


@dataclass(frozen=True)
class Expected:
    """What an array of bytes must look like: its shape, None where an axis may be of any length."""

    shape: tuple[int | None, ...]

    def fits(self, array: NDArray[Any]) -> bool:
        """Whether an array is of this shape, and of bytes."""
        return (
            array.dtype == np.uint8
            and array.ndim == len(self.shape)
            and all(want in (None, have) for want, have in zip(self.shape, array.shape, strict=True))
        )


def read_decoded(folder: Path, parts: Mapping[str, Expected]) -> Arrays | None:
    """The arrays of a folder, memory-mapped and read-only.

    All bytes are hashed: some 50 ms for Fashion-MNIST's 55 MB.

    Returns:
        None where one is absent, cut short, changed since it was written, or not what `parts` say.
    """
    notes = _notes(folder)
    if not _sizes_agree(folder, parts, notes):
        return None
    arrays = {}
    for name, expected in parts.items():
        path = _file(folder, name)
        try:
            if _sha256(path) != notes[name]["sha256"]:
                return None
            array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError):  # removed meanwhile; a size that does not fit the header
            return None
        if not expected.fits(array):
            return None
        arrays[name] = array
    return arrays


def has_decoded(folder: Path, parts: Mapping[str, Expected]) -> bool:
    """Whether a folder holds these arrays, going by the sizes of its files: quick, and no proof."""
    return _sizes_agree(folder, parts, _notes(folder))


def write_decoded(folder: Path, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write arrays for `read_decoded`; each file appears whole, and the note of them last.

    Raises:
        CannotWrite: the disk is full or the folder cannot be written to.
    """
    notes: Notes = {}
    for name, array in arrays.items():
        path = _file(folder, name)
        atomic.write_with(path, partial(_save, array, name, notes))
    atomic.write_text(folder / _NOTE, json.dumps(notes, indent=1))


def read_or_decode(
    folder: Path, parts: Mapping[str, Expected], decode: Callable[[], Arrays | None]
) -> Arrays | None:
    """The decoded copy in a folder; where there is none, what `decode` gives, of which one is kept.

    A cache that cannot be written only costs the next load the time to decode.

    Returns:
        None where there is no copy and `decode` has nothing either.
    """
    arrays = read_decoded(folder, parts)
    if arrays is not None:
        return arrays
    arrays = decode()
    if arrays is None:
        return None
    with suppress(CannotWrite):
        write_decoded(folder, arrays)
    return read_decoded(folder, parts) or arrays  # mapped: what was decoded need not stay in memory


def _save(array: NDArray[np.uint8], name: str, notes: Notes, path: Path) -> None:
    """Write one array, and note what is in the file before another process can replace it."""
    np.save(path, array, allow_pickle=False)
    notes[name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _sizes_agree(folder: Path, parts: Mapping[str, Expected], notes: Notes) -> bool:
    try:
        return all(_file(folder, name).stat().st_size == notes[name]["bytes"] for name in parts)
    except (OSError, KeyError):
        return False


def _notes(folder: Path) -> Notes:
    """By array, the size and SHA-256 of its file; nothing where the note is absent or damaged."""
    try:
        notes = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        return {name: {"bytes": int(note["bytes"]), "sha256": note["sha256"]} for name, note in notes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
