"""CIFAR-10's binary archive: what is read from it and what is refused. Downloads: test_downloads.py."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data.sources import cifar10
from nablab.errors import UserError

StandIn = Any  # of conftest.py


@pytest.fixture(autouse=True)
def stand_in(stand_ins: dict[str, StandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A small CIFAR-10 taken for the genuine one; the cache is empty."""
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    stand_ins["cifar10"].install(monkeypatch, ())
    return stand_ins["cifar10"]


@pytest.fixture
def members(stand_in: StandIn) -> dict[str, bytes]:
    """What is in the archive, read with Python's own tarfile."""
    with tarfile.open(fileobj=io.BytesIO(stand_in.files[cifar10.ARCHIVE])) as archive:
        return {
            entry.name.partition("/")[2]: archive.extractfile(entry).read()  # type: ignore[union-attr]
            for entry in archive.getmembers()
        }


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes an archive of these members that is taken for genuine."""

    def write(members: dict[str, bytes], *, folder: str = "cifar-10-batches-bin/") -> Path:
        path = tmp_path / cifar10.ARCHIVE
        with tarfile.open(path, "w:gz") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(folder + name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(cifar10, "BINARY", replace(cifar10.BINARY, archive=digest))
        return path

    return write


def test_records_are_read_as_the_page_describes_them(stand_in: StandIn, members: dict[str, bytes]) -> None:
    with pytest.raises(UserError, match="cifar10 is not here"):
        cifar10.load()
    folder = cifar10._cache()
    stand_in.write(folder)
    assert cifar10.available() == "all of it, as downloaded into the cache"
    dataset = cifar10.load()
    assert cifar10.available() == "all of it, in the cache"
    assert (dataset.x_train.shape, dataset.x_train.dtype) == ((100, 3, 32, 32), np.uint8)
    record = members["data_batch_2.bin"][3073 * 7 : 3073 * 8]
    label, *red_row = struct.unpack("33B", record[:33])
    assert dataset.y_train[27] == label
    assert dataset.x_train[27, 0, 0].tolist() == red_row
    assert dataset.x_train[27, 1, 2, 3] == record[1 + 1024 + 2 * 32 + 3]
    assert dataset.x_test[-1, 2, 31, 31] == members["test_batch.bin"][-1]
    assert dataset.classes[0] == "airplane"


def test_nothing_is_unpacked_to_disk(stand_in: StandIn, tmp_path: Path) -> None:
    cifar10.take_in(stand_in.write(tmp_path / "mine"), None)
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert kept == {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy", "decoded.json"}


@pytest.mark.parametrize("above", [True, False])
def test_the_unpacked_folder_is_taken_in(
    stand_in: StandIn, members: dict[str, bytes], tmp_path: Path, above: bool
) -> None:
    folder = tmp_path / "mine" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    assert cifar10.take_in([folder.parent if above else folder], None) == "all of it, in the cache"
    np.testing.assert_array_equal(cifar10.load().x_train, stand_in.arrays["x_train"])


@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin", "batches.meta.txt"])
@pytest.mark.parametrize("damage", ["gone", "shorter", "longer", "flipped"])
def test_a_folder_that_is_not_whole_is_refused(
    members: dict[str, bytes], tmp_path: Path, name: str, damage: str
) -> None:
    for member, content in members.items():
        (tmp_path / member).write_bytes(content)
    path, whole = tmp_path / name, members[name]
    path.unlink()
    if damage != "gone":
        changed = {"shorter": whole[:-3], "longer": whole + b"x", "flipped": b"\x03" + whole[1:]}
        path.write_bytes(changed[damage])
    with pytest.raises(UserError, match=name):
        cifar10.take_in([tmp_path], None)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data_batch_4.bin": None}, "holds no data_batch_4.bin"),
        ({"batches.meta.txt": None, "test_batch.bin": None}, "no batches.meta.txt, no test_batch.bin"),
        ({"data_batch_1.bin": bytes(3073 * 19)}, "data_batch_1.bin: has 58,387 bytes; expected 20 records"),
        ({"test_batch.bin": bytes(3073 * 20 + 1)}, "test_batch.bin: has 61,461 bytes"),
        ({"data_batch_5.bin": bytes(3073 * 20)}, r"its labels \(y_train\)"),
        ({"test_batch.bin": b"\x0a" + bytes(3073 * 20 - 1)}, r"its labels \(y_test\)"),
        ({"batches.meta.txt": b"airplane\ncar\n"}, "batches.meta.txt does not name the ten classes"),
        ({"batches.meta.txt": b"\xff" * 99}, "batches.meta.txt does not name the ten classes"),
    ],
)
def test_another_content_is_refused_even_if_the_hash_agreed(
    members: dict[str, bytes], pack: Any, changes: dict[str, bytes | None], complaint: str
) -> None:
    changed = {name: content for name, content in {**members, **changes}.items() if content is not None}
    with pytest.raises(UserError, match=complaint) as caught:
        cifar10.take_in([pack(changed)], None)
    assert "\n" not in str(caught.value)


def test_an_archive_that_leads_out_of_its_folder_is_refused(members: dict[str, bytes], pack: Any) -> None:
    with pytest.raises(UserError, match=r"\.\."):
        cifar10.take_in([pack(members, folder="../")], None)


def test_the_pickled_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(b"whatever is in it")
    with pytest.raises(UserError, match=r"is not the cifar-10-binary\.tar\.gz"):
        cifar10.take_in([path], None)


def test_one_file_is_taken(stand_in: StandIn, tmp_path: Path) -> None:
    (path,) = stand_in.write(tmp_path)
    for files in ([], [path, path]):
        with pytest.raises(UserError, match=r"expected cifar-10-binary\.tar\.gz or the folder"):
            cifar10.take_in(files, None)
    with pytest.raises(UserError, match=r"no such file or folder: .*gone"):
        cifar10.take_in([tmp_path / "gone"], None)
    np.savez(tmp_path / "cifar10.npz", **stand_in.arrays)
    with pytest.raises(UserError, match=r"to use this file as it is, give --data .*cifar10.npz"):
        cifar10.take_in([tmp_path / "cifar10.npz"], None)
