"""What a path may lead to beside a file: nothing waits for ever, whoever reads it."""

import os
import struct
import zlib
from pathlib import Path

import pytest

from . import originals
from .cases import Case
from .pool import Worker

PICTURES = {
    f"photos/{name}/{number}.png": originals.picture("png", 0) for name in "ab" for number in range(5)
}
LABELS = {"set/Y.npy": originals.labels()["numbers"]}

PLACES: dict[str, tuple[dict[str, bytes], str, str, str]] = {
    "IDX": ({}, "a.idx", "a.idx", "idx"),
    "npz": ({}, "a.npz", "a.npz", "load"),
    "npy": (LABELS, "set/X.npy", "set", "load"),
    "labels": ({"set/X.npy": originals.samples()["bytes"]}, "set/Y.npy", "set", "load"),
    "picture": (PICTURES, "photos/a/odd.png", "photos", "load"),
    "list": ({}, "list.csv", "list.csv", "load"),
    "listed": ({"list.csv": b"path,label\nodd.png,cat\n"}, "odd.png", "list.csv", "load"),
    "archive": ({}, "a.tar", "a.tar", "members"),
    "archive, unpacked": ({}, "a.zip", "a.zip", "unpacked"),
    "CIFAR's archive": ({}, "cifar.tar.gz", "cifar.tar.gz", "cifar"),
    "CIFAR's batch": ({"cifar/readme.html": b""}, "cifar/data_batch_1.bin", "cifar", "cifar"),
    "note": (LABELS | {"set/X.npy": originals.samples()["bytes"]}, "set/prepared.json", "set", "load"),
}


@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "nowhere", ".", "/proc/self/mem"])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_is_refused(worker: Worker, place: str, target: str) -> None:
    files, link, entry, reader = PLACES[place]
    result = worker.run_files(place, Case(files, entry, reader, links={link: target}))
    assert not result.failed, result.outcome
    if place != "note" and (place, target) != ("picture", "."):  # without which the folder is a usual one
        assert result.outcome != "accepted"


def large_png(width: int, height: int, colours: int) -> bytes:
    """A picture of one colour, of which a small file is enough."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colours]
    packer = zlib.compressobj(1)
    row = bytes(1 + width * channels)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(inside)) + name + inside + struct.pack(">I", zlib.crc32(name + inside))
        for name, inside in chunks
    )


def test_pictures_of_the_most_pixels_fit_into_memory_together(worker: Worker) -> None:
    large = large_png(8000, 6000, 6)
    files = PICTURES | {f"photos/{name}/0.png": large for name in "ab"}
    result = worker.run_files("large", Case(files, "photos", size=8))
    assert result.kib < 2**19
    assert result.outcome == "accepted" or "took" in result.outcome  # too long on a slow machine


def test_a_picture_beyond_the_limit_is_refused_by_its_header(worker: Worker) -> None:
    for width, height in ((8000, 7000), (2**31 - 1, 2**31 - 1), (100_000, 10_000)):
        header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
        content = bytearray(large_png(1, 1, 6))
        content[16:29] = header
        content[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
        case = Case(PICTURES | {"photos/a/large.png": bytes(content)}, "photos", size=8)
        result = worker.run_files("large", case)
        assert not result.failed
        assert "large.png: has" in result.outcome
        assert "more than the 50,000,000 that are read" in result.outcome
        assert result.seconds < 0.5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("set.npz", b"PK\3\4 cut"),
        ("list.csv", b"path,label\n../../etc/passwd\n"),
        ("photos/a/1.png", b"\x89PNG\r\n\x1a\n"),
        ("set/X.npy", originals.samples()["objects"]),
    ],
)
def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    from nablab.cli import main

    for path, whole in (PICTURES | LABELS | {name: content}).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(whole)
    entry = tmp_path / (name if os.sep not in name else Path(name).parts[0])
    assert main(["data", "show", str(entry)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert Path(name).name in said.err
