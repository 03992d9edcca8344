"""Arrays that stay in their files: where one lies, for any process to map it, and whether it is unchanged."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nablab.errors import UserError


@dataclass(frozen=True)
class MappedArray:
    """A view of bytes in a file as an array. Plain data, for JSON; two that are equal hold the same values.

    Attributes:
        path: of the file, absolute.
        offset: of its first value, in bytes.
        dtype: as NumPy writes it, e.g. `<f8`.
        shape: of the array.
        strides: bytes from one index to the next, by axis.
        stamp: of the file, see `stamp_of`.
    """

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    stamp: tuple[int, ...]

    def open(self) -> NDArray[Any]:
        """The array, read-only: its pages are the file's, and are read when they are looked at.

        Raises:
            UserError: the file is gone, was changed since it was stamped, or cannot be mapped.
        """
        try:
            with open(self.path, "rb") as file:
                if stamp_of(file) != self.stamp:
                    raise UserError(f"{self.path}: has changed since it was first read; start again")
                pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        return np.ndarray(self.shape, self.dtype, pages, self.offset, self.strides)

    def seen_as(self, view: NDArray[Any]) -> MappedArray:
        """The place of a view of `open()` that begins with its first value, such as a transposed one."""
        return replace(self, shape=view.shape, strides=view.strides)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> MappedArray:
        """The place that `to_dict` gave, also after a way through JSON."""
        tuples = {name: tuple(values[name]) for name in ("shape", "strides", "stamp")}
        return MappedArray(values["path"], values["offset"], values["dtype"], **tuples)


def stamp_of(file: BinaryIO) -> tuple[int, ...]:
    """What tells an unchanged file: device, inode, size, and when contents and inode changed, in ns.

    As git tells it. A program can set the time of contents back; that of the inode then moves.
    """
    status = os.fstat(file.fileno())
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def file_size(stamp: tuple[int, ...]) -> int:
    """The size in bytes that a stamp notes."""
    return stamp[2]
