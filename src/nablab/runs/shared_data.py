"""One copy of a data set in memory for all processes that train on it.

The arrays lie in a file without a name, which every process maps; it vanishes with the last of them, however
they end. Nothing is pickled, and pictures are decoded once. Samples that lie in a file of the user's are not
copied: every process maps that file, and finds it unchanged by its stamp.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.mapped import MappedArray
from nablab.data.samples import LazyRows, Samples, blocks
from nablab.errors import CannotWrite

_ARRAYS = ("x_train", "y_train", "x_test", "y_test", "train_ids", "test_ids", "groups")
_ALIGNMENT = 64


@dataclass(frozen=True)
class SharedArray:
    """Where an array lies in the file."""

    offset: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SharedRows:
    """Where `LazyRows` lie: values in a file of the user's, the rest in ours."""

    file: MappedArray
    dtype: str
    rows: SharedArray
    spans: SharedArray | None


@dataclass(frozen=True)
class SharedData:
    """What another process needs, beside the file, to see the data set. Plain data, for JSON."""

    arrays: dict[str, SharedArray]
    lazy: dict[str, SharedRows]
    rest: dict[str, Any]  #: the fields that are not arrays
    fingerprint: str  #: that need not be computed again; empty where all values are in our file

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> SharedData:
        rest = dict(values["rest"])
        rest |= {name: tuple(rest[name]) for name in ("classes", "value_range")}
        return SharedData(
            arrays={name: _array(place) for name, place in values["arrays"].items()},
            lazy={name: _rows(place) for name, place in values["lazy"].items()},
            rest=rest,
            fingerprint=values["fingerprint"],
        )


@contextmanager
def shared(dataset: Dataset, folder: Path) -> Iterator[tuple[int, SharedData]]:
    """The descriptor of the file, and what lies in it.

    Args:
        folder: on whose disk the file takes its room.

    Raises:
        CannotWrite: there is no room.
    """
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
    rest = {name: value for name, value in vars(dataset).items() if name not in _ARRAYS}
    rest.pop("fingerprint", None)  # cached by the property of that name
    lazy = {name: a for name, a in arrays.items() if isinstance(a, LazyRows) and a.file}
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            places = {name: _put(file, a) for name, a in arrays.items() if a is not None and name not in lazy}
            rows = {name: _put_rows(file, a) for name, a in lazy.items()}
            file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot share the data in {folder}: {error.strerror or error}") from error
        fingerprint = dataset.fingerprint if lazy else ""
        yield file.fileno(), SharedData(places, rows, rest, fingerprint)


def opened(descriptor: int, data: SharedData) -> Dataset:
    """The data set that another process shares; its arrays are read-only views of files.

    Raises:
        UserError: a file of the user's has changed since the other process read it.
    """
    with open(descriptor, "rb") as file:
        fields: dict[str, Any] = {name: _view(file, place) for name, place in data.arrays.items()}
        fields |= {name: _view_rows(file, place) for name, place in data.lazy.items()}
    dataset = Dataset(**fields, **data.rest)
    return dataset.trusting(data.fingerprint) if data.fingerprint else dataset


def _put(file: IO[bytes], array: Samples) -> SharedArray:
    file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
    offset = file.tell()
    for block in blocks(array):
        file.write(np.ascontiguousarray(block).data)
    return SharedArray(offset, array.dtype.str, array.shape)


def _put_rows(file: IO[bytes], lazy: LazyRows) -> SharedRows:
    assert lazy.file is not None
    spans = None if lazy.spans is None else _put(file, lazy.spans)
    return SharedRows(lazy.file, lazy.dtype.str, _put(file, lazy.rows), spans)


def _view(file: IO[bytes], place: SharedArray) -> NDArray[Any]:
    mapped = np.memmap(file, dtype=place.dtype, mode="r", offset=place.offset, shape=place.shape)
    return mapped.view(np.ndarray)


def _view_rows(file: IO[bytes], place: SharedRows) -> LazyRows:
    return LazyRows(
        values=place.file.open(),
        rows=_view(file, place.rows),
        dtype=np.dtype(place.dtype),
        spans=None if place.spans is None else _view(file, place.spans),
        file=place.file,
    )


def _array(values: dict[str, Any]) -> SharedArray:
    return SharedArray(values["offset"], values["dtype"], tuple(values["shape"]))


def _rows(values: dict[str, Any]) -> SharedRows:
    spans = None if values["spans"] is None else _array(values["spans"])
    return SharedRows(MappedArray.from_dict(values["file"]), values["dtype"], _array(values["rows"]), spans)
