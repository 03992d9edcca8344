"""The IDX reader: files as they should be, and files that lie."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nablab.data.sources.idx import read_idx
from nablab.errors import UserError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(shape: tuple[int, ...], values: bytes, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "images"
    path.write_bytes(pack(idx((2, 3, 4), VALUES.tobytes())))
    np.testing.assert_array_equal(read_idx(path), VALUES)


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (idx((24,), VALUES.tobytes(), kind=0x0D), "not an IDX file of unsigned bytes"),
        (idx((), b""), "announces 0 axes"),
        (idx((1,) * 5, b"x"), "announces 5 axes"),
        (idx((2, 3, 4), b"")[:10], "ends within its IDX header"),
        (idx((2, 3, 4), VALUES.tobytes()[:-1]), r"announces 24 bytes \(2, 3, 4\), it holds 23"),
        (idx((2, 3, 4), VALUES.tobytes() + b"x"), "it holds more"),
        (idx((2**32 - 1,) * 4, b"x"), "at most 268,435,456 are read"),
        (gzip.compress(idx((24,), VALUES.tobytes()), mtime=0)[:-9], "cannot be read"),
        (gzip.compress(idx((24,), VALUES.tobytes()), mtime=0)[:-8] + b"\0" * 8, "cannot be read"),
        (b"\x1f\x8b junk", "cannot be read"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, contents: bytes, complaint: str) -> None:
    path = tmp_path / "images"
    path.write_bytes(contents)
    with pytest.raises(UserError, match=complaint):
        read_idx(path)


def test_a_bomb_is_not_unpacked_beyond_what_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(idx((10,), b""))
        for _ in range(64):
            file.write(bytes(2**20))
    with pytest.raises(UserError, match="announces 10 bytes"):
        read_idx(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_header_that_announces_much_takes_no_memory(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "images"
    path.write_bytes(pack(idx((2**28,), b"few")))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="it holds 3"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gone"):
        read_idx(tmp_path / "gone")
