"""The IDX format of MNIST and its kin: a magic number, the sizes, then unsigned bytes.

Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a big-endian 32-bit number, the
values in C order (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nablab.data.sources.npy import refuse_special_file
from nablab.errors import UserError

_UNSIGNED_BYTE = 0x08
_MOST_AXES = 4
_MOST_BYTES = 2**28  # five times MNIST's training images
_CHUNK = 2**20


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    No more is read than the header announces and one byte, so that a file which lies about its size, or
    a gzip bomb, costs nothing.

    Raises:
        UserError: not such a file, or one whose contents are not what its header says.
    """
    refuse_special_file(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                return _read(raw, path)
            with gzip.open(raw) as unpacked:
                return _read(unpacked, path)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def idx_header(shape: Sequence[int]) -> bytes:
    """The header of an IDX file of unsigned bytes: magic number and sizes.

    >>> idx_header((60_000,)).hex()
    '000008010000ea60'
    """
    return struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape)


def _read(file: BinaryIO, path: Path) -> NDArray[np.uint8]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != _UNSIGNED_BYTE:
        raise UserError(f"{path}: not an IDX file of unsigned bytes (it starts with {start.hex()})")
    axes = start[3]
    if not 1 <= axes <= _MOST_AXES:
        raise UserError(f"{path}: its IDX header announces {axes} axes; expected 1 to {_MOST_AXES}")
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise UserError(f"{path}: ends within its IDX header")
    shape = struct.unpack(f">{axes}I", sizes)
    count = math.prod(shape)
    if count > _MOST_BYTES:
        raise UserError(f"{path}: its IDX header announces {count:,} bytes; at most {_MOST_BYTES:,} are read")
    values = _read_up_to(file, count + 1)
    if len(values) != count:
        much = "more" if len(values) > count else f"{len(values):,}"
        raise UserError(f"{path}: its IDX header announces {count:,} bytes {shape}, it holds {much}")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _read_up_to(file: BinaryIO, count: int) -> bytearray:
    """At most `count` bytes; memory is taken for those that are there, not for those that were announced."""
    values = bytearray()
    while len(values) < count:
        part = file.read(min(_CHUNK, count - len(values)))
        if not part:
            break
        values += part
    return values
