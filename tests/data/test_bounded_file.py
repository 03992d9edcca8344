"""Files of which no more is read than there is, and pictures that announce more."""

import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from nablab.data.sources.bounded_file import BoundedFile
from nablab.data.sources.picture import read_header, read_picture
from nablab.errors import UserError


def test_a_file_is_read_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(content := bytes(range(256)) * 1000)
    with BoundedFile(path) as file:
        assert file.read(10) == content[:10]
        assert file.seek(100_000) == 100_000
        assert file.read(100_000) == content[100_000:200_000]
        assert file.read(2**40) == content[200_000:]
        assert file.read(2**40) == b""
        file.seek(300_000)
        assert file.read(2**40) == b""
        file.seek(5)
        assert file.read() == content[5:]
        file.seek(7)
        assert file.read(None) == content[7:]


@pytest.mark.parametrize("read", [read_header, lambda path: read_picture(path, None, "rgb")])
@pytest.mark.parametrize(
    ("suffix", "place", "lie"),
    [
        ("png", 33, struct.pack(">I", 0xFF00011D)),  # the length of the chunk of pixels
        ("jp2", 32, struct.pack(">I", 0xEF422D00)),  # the length of the box of headers
    ],
)
def test_a_picture_that_announces_gigabytes_costs_nothing(
    tmp_path: Path, suffix: str, place: int, lie: bytes, read: Callable[[Path], object]
) -> None:
    path = tmp_path / f"lying.{suffix}"
    Image.new("RGB", (12, 12), "red").save(path)
    content = path.read_bytes()
    path.write_bytes(content[:place] + lie + content[place + 4 :])
    tracemalloc.start()
    with suppress(UserError):  # Pillow reads the size of a PNG, and its pixels, without that length
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24
