"""One copy of a data set in memory for all processes that train on it.

The arrays lie in a file without a name, which every process maps; it vanishes with the last of them, however
they end. Nothing is pickled, and pictures are decoded once.
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
class SharedData:
    """What another process needs, beside the file, to see the data set. Plain data, for JSON."""

    arrays: dict[str, SharedArray]
    rest: dict[str, Any]  #: the fields that are not arrays

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> SharedData:
        arrays = {
            name: SharedArray(a["offset"], a["dtype"], tuple(a["shape"]))
            for name, a in values["arrays"].items()
        }
        rest = dict(values["rest"])
        rest |= {name: tuple(rest[name]) for name in ("classes", "value_range")}
        return SharedData(arrays, rest)


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
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            places = {name: _put(file, a) for name, a in arrays.items() if a is not None}
            file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot share the data in {folder}: {error.strerror or error}") from error
        yield file.fileno(), SharedData(places, rest)


def opened(descriptor: int, data: SharedData) -> Dataset:
    """The data set that another process shares; its arrays are read-only views of the file."""
    with open(descriptor, "rb") as file:
        fields: dict[str, Any] = {name: _view(file, place) for name, place in data.arrays.items()}
    return Dataset(**fields, **data.rest)


def _put(file: IO[bytes], array: NDArray[Any]) -> SharedArray:
    file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
    offset = file.tell()
    file.write(np.ascontiguousarray(array).data)
    return SharedArray(offset, array.dtype.str, array.shape)


def _view(file: IO[bytes], place: SharedArray) -> NDArray[Any]:
    mapped = np.memmap(file, dtype=place.dtype, mode="r", offset=place.offset, shape=place.shape)
    return mapped.view(np.ndarray)
