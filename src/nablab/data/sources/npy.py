"""NumPy's `.npy` format, read strictly: a header is believed only as far as the file bears it out.

A magic number and a version, the length of the header, the header (a Python literal with `descr`,
`fortran_order` and `shape`), the values (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
"""

from __future__ import annotations

import math
import stat
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from nablab.data.mapped import MappedArray, file_size, stamp_of
from nablab.errors import UserError

_MAGIC = b"\x93NUMPY"
_VERSIONS = ((1, 0), (2, 0), (3, 0))
_MOST_HEADER = 10_000  # bytes; those of arrays of numbers have about 120
_MOST_AXES = 32
_MOST_BYTES = 2**62


@dataclass(frozen=True)
class NpyHeader:
    """What a header announces.

    Attributes:
        dtype: of a value: a number, a truth value or a text of fixed length.
        shape: of the array, without a 0.
        fortran: whether the first index moves fastest, and not the last.
        length: of the header in bytes; values begin there.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"shape {self.shape} of {self.dtype}"


def open_npy(path: Path) -> NDArray[Any]:
    """The array in a `.npy` file, memory-mapped and read-only; nothing is read but its header.

    Raises:
        UserError: not such a file; one that holds Python objects or records, or no values; a size that is
            not what its header announces.
    """
    return locate(path).open()


def locate(path: Path) -> MappedArray:
    """Where the array of a `.npy` file lies.

    Raises:
        UserError: as `open_npy`.
    """
    refuse_special_file(path)
    try:
        with path.open("rb") as file:
            header = read_header(file, str(path))
            stamp = stamp_of(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    held = file_size(stamp) - header.length
    if held != header.nbytes:
        raise UserError(
            f"{path}: not a readable NumPy file (its header announces {header}, {header.nbytes:,} bytes; "
            f"it holds {held:,})"
        )
    return MappedArray(
        path=str(path.resolve()),
        offset=header.length,
        dtype=header.dtype.str,
        shape=header.shape,
        strides=_strides(header),
        stamp=stamp,
    )


def read_header(file: BinaryIO, where: str) -> NpyHeader:
    """The header at the beginning of a file, which is then read up to its values.

    Args:
        where: names the file in errors.

    Raises:
        UserError: not a header of this format, or one of an array that is not taken.
    """
    start = file.read(len(_MAGIC) + 2)
    if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + 2:
        raise UserError(f"{where}: not a readable NumPy file (it starts with {start.hex() or 'nothing'})")
    version = (start[-2], start[-1])
    if version not in _VERSIONS:
        raise UserError(f"{where}: not a readable NumPy file (version {version[0]}.{version[1]} is unknown)")
    width = 2 if version == (1, 0) else 4
    announced = file.read(width)
    length = int.from_bytes(announced, "little")
    if length > _MOST_HEADER:
        raise UserError(
            f"{where}: not a readable NumPy file (its header announces {length:,} bytes of itself; "
            f"at most {_MOST_HEADER:,} are read)"
        )
    text = file.read(length)
    if len(announced) < width or len(text) < length:
        raise UserError(f"{where}: not a readable NumPy file (it ends within its header)")
    shape, fortran, dtype = _parse(announced + text, version, where)
    _check(shape, dtype, where)
    return NpyHeader(dtype, shape, fortran, len(start) + width + length)


def refuse_special_file(path: Path) -> None:
    """That a path is a file: opening a pipe would wait for ever.

    Raises:
        UserError: it is something else, or cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: not a file")


def _parse(
    header: bytes, version: tuple[int, int], where: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type by NumPy's own reader, which evaluates literals only."""
    # 3.0 is 2.0 with names of fields in UTF-8, and arrays with fields are refused.
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it; odd escapes in texts
            shape, fortran, dtype = read(BytesIO(header), max_header_size=_MOST_HEADER)
    except Exception as error:  # literals of all kinds reach NumPy's code for types, which raises all kinds
        raise UserError(f"{where}: not a readable NumPy file (its header is damaged)") from error
    return shape, fortran, dtype


def _check(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    if dtype.hasobject:
        raise UserError(
            f"{where}: holds Python objects (pickle), which could run code; save images with a number type, "
            "e.g. np.save(name, np.stack(list_of_images)), and names as names.astype(str)"
        )
    if dtype.fields is not None or dtype.subdtype is not None or dtype.kind == "V":
        raise UserError(f"{where}: holds records; save each of their fields as an array of its own")
    if len(shape) > _MOST_AXES or not all(type(n) is int and 0 <= n < _MOST_BYTES for n in shape):
        raise UserError(f"{where}: not a readable NumPy file (its header announces no possible shape)")
    if 0 in shape or dtype.itemsize == 0:
        raise UserError(f"{where}: shape {shape} of {dtype} holds no values")
    if math.prod(shape) * dtype.itemsize >= _MOST_BYTES:
        raise UserError(f"{where}: not a readable NumPy file (its header announces no possible size)")


def _strides(header: NpyHeader) -> tuple[int, ...]:
    """Bytes from one index to the next, by axis."""
    shape = header.shape if header.fortran else header.shape[::-1]
    steps = [header.dtype.itemsize]
    for n in shape[:-1]:
        steps.append(steps[-1] * n)
    fitting = steps[: len(shape)]
    return tuple(fitting if header.fortran else fitting[::-1])
