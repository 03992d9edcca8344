"""Archives as they should be: all formats that `tarfile` and `zipfile` write, read as they were written."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nablab.data.archive import read_members, unpack
from nablab.errors import UserError

CONTENT = {
    "top.txt": b"on top",
    "batches/data_1.bin": np.random.default_rng(0).integers(0, 256, 300_001, np.uint8).tobytes(),
    "batches/empty.bin": b"",
    f"{'deep/' * 30}{'n' * 120}.bin": b"a long name",
    "ünïcode/名.txt": b"x" * 512,
}
GIB = 2**30


def tar(path: Path, mode: str, form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as archive:
        folder = tarfile.TarInfo("./batches/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in CONTENT.items():
            header = tarfile.TarInfo(f"./{name}")
            header.size = len(content)
            header.mtime = 1.5  # a pax header even where the name is short
            archive.addfile(header, io.BytesIO(content))
    return path


def zipped(path: Path, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("batches")
        for name, content in CONTENT.items():
            archive.writestr(name, content)
    return path


ARCHIVES = {
    "tar, pax": lambda folder: tar(folder / "a.tar", "w"),
    "tar, GNU": lambda folder: tar(folder / "a.tar", "w", tarfile.GNU_FORMAT),
    "gzip": lambda folder: tar(folder / "a.tar.gz", "w:gz"),
    "bzip2": lambda folder: tar(folder / "a.tar.bz2", "w:bz2", tarfile.GNU_FORMAT),
    "xz": lambda folder: tar(folder / "a.tar.xz", "w:xz"),
    "zip, stored": lambda folder: zipped(folder / "a.zip", zipfile.ZIP_STORED),
    "zip, deflated": lambda folder: zipped(folder / "a.zip", zipfile.ZIP_DEFLATED),
}
archives = pytest.mark.parametrize("kind", ARCHIVES)


@archives
def test_members_are_read_as_they_were_written(tmp_path: Path, kind: str) -> None:
    path = ARCHIVES[kind](tmp_path)
    assert dict(read_members(path, lambda _: True, limit_bytes=GIB)) == CONTENT
    wanted = dict(read_members(path, lambda name: name.endswith("_1.bin"), limit_bytes=GIB))
    assert list(wanted) == ["batches/data_1.bin"]
    assert list(tmp_path.iterdir()) == [path]


@archives
def test_an_archive_is_unpacked_as_it_was_packed(tmp_path: Path, kind: str) -> None:
    path = ARCHIVES[kind](tmp_path)
    heard: list[tuple[str, int, int]] = []
    folder = unpack(
        path, tmp_path / "new" / "out", limit_bytes=GIB, progress=lambda *said: heard.append(said)
    )
    assert folder == tmp_path / "new" / "out"
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found == CONTENT
    assert [entry.name for entry in folder.parent.iterdir()] == ["out"]
    assert folder.stat().st_mode & 0o777 == (tmp_path / "new").stat().st_mode & 0o777
    assert {name for name, _, _ in heard} == {path.name}
    assert all(0 <= done <= total == path.stat().st_size for _, done, total in heard)


@archives
def test_more_than_the_limit_is_refused(tmp_path: Path, kind: str) -> None:
    path = ARCHIVES[kind](tmp_path)
    with pytest.raises(UserError, match=r"a\.[a-z.0-9]+: unpacks to more than the 300,000 bytes"):
        list(read_members(path, lambda _: True, limit_bytes=300_000))


def test_what_is_not_wanted_of_a_zip_does_not_count(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZIP_DEFLATED)
    assert list(read_members(path, lambda name: name == "top.txt", limit_bytes=10)) == [
        ("top.txt", b"on top")
    ]


@archives
def test_a_damaged_archive_is_refused_wherever_it_is_cut(tmp_path: Path, kind: str) -> None:
    path = ARCHIVES[kind](tmp_path)
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 12_000, 40_000), len(whole) - 11_000, len(whole) - 1]:
        path.write_bytes(whole[:end])
        if kind.startswith("tar") and end == len(whole) - 1:
            continue  # a tar ends in zeros, of which one may be missing
        with pytest.raises(UserError, match=rf"{path.name}: "):
            list(read_members(path, lambda _: True, limit_bytes=GIB))


@archives
def test_an_unpacking_that_fails_leaves_nothing(tmp_path: Path, kind: str) -> None:
    path = ARCHIVES[kind](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10 - 12_000])
    with pytest.raises(UserError, match=path.name):
        unpack(path, tmp_path / "out", limit_bytes=GIB)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZIP_STORED)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UserError, match="out: already there"):
        unpack(path, tmp_path / "out", limit_bytes=GIB)
    assert (tmp_path / "out" / "mine").read_text() == "mine"
    (tmp_path / "out" / "mine").unlink()
    unpack(path, tmp_path / "out", limit_bytes=GIB)
    assert (tmp_path / "out" / "top.txt").read_bytes() == b"on top"


@pytest.mark.parametrize(
    "content", [b"", b"P", b"PK\3\4", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"text" * 300]
)
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "what.bin"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"what\.bin: "):
        list(read_members(path, lambda _: True, limit_bytes=GIB))


def test_a_missing_archive_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.tar", tmp_path):
        with pytest.raises(UserError, match=path.name):
            list(read_members(path, lambda _: True, limit_bytes=GIB))
