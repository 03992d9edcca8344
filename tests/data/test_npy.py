"""`.npy` and `.npz` files: what NumPy wrote is mapped as it is, and no header is believed for nothing."""

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data.sources.npy import locate, open_npy
from nablab.data.sources.npz import read_npz
from nablab.errors import UserError

ARRAY = np.arange(24, dtype=np.int32).reshape(2, 3, 4)


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode()


def described(shape: Any = (2, 3), descr: Any = "|u1", fortran: Any = False) -> str:
    return repr({"descr": descr, "fortran_order": fortran, "shape": shape}) + "\n"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["|u1", "<f4", ">f8", "|b1", "<U3"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_wrote_is_mapped(tmp_path: Path, version: tuple[int, int], dtype: str, order: Any) -> None:
    array = np.asarray(ARRAY.astype(dtype), order=order)
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version)
    mapped = open_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(mapped, array)
    assert mapped.dtype == array.dtype
    assert mapped.strides == array.strides
    assert not mapped.flags.writeable


def test_a_single_number_and_a_long_axis(tmp_path: Path) -> None:
    for array in (np.float64(3.5), np.arange(1000)):
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(open_npy(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"", "starts with nothing"),
        (b"\x93NUM", "starts with 934e554d"),
        (b"junk and more of it", "starts with 6a756e6b"),
        (header(described(), (4, 0)), "version 4.0 is unknown"),
        (header(described())[:20], "ends within its header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "announces 2,147,483,647 bytes of itself"),
        (header("x" * 20_000, (2, 0)), "announces 20,000 bytes of itself"),
        (header("not a dictionary"), "header is damaged"),
        (header("(" * 5_000), "header is damaged"),
        (header("{" * 300), "header is damaged"),
        (header("'\\d'"), "header is damaged"),
        (header("__import__('os').abort()"), "header is damaged"),
        (header(described(descr=("f4",))), "header is damaged"),
        (header(described(descr=[1, 2])), "header is damaged"),
        (header(described(descr=None, shape=(1,))), "it holds 0|header is damaged"),
        (header(described(shape=[2, 3])), "header is damaged"),
        (header(described(fortran=1)), "header is damaged"),
        (header(described(shape=(-1, 6))), "no possible shape"),
        (header(described(shape=(True, 6))), "no possible shape"),
        (header(described(shape=(1,) * 40)), "no possible shape"),
        (header(described(shape=(2**70,))), "no possible shape"),
        (header(described(shape=(10**4000,))), "no possible shape"),
        (header(described(shape=(2**40, 2**40))), "no possible size"),
        (header(described(shape=(0, 3))), r"shape \(0, 3\) of uint8 holds no values"),
        (header(described(descr="<U0")), "holds no values"),
        (header(described(descr="|O")), r"holds Python objects \(pickle\)"),
        (header(described(descr=[("a", "|O")])), r"holds Python objects \(pickle\)"),
        (header(described(descr=[("a", "<f4"), ("b", "<i4")])), "holds records"),
        (header(described(descr="(2,)f4")), "holds records"),
        (header(described(descr="V8")), "holds records"),
        (header(described()) + b"12345", r"announces shape \(2, 3\) of uint8, 6 bytes; it holds 5\)"),
        (header(described()) + b"1234567", "6 bytes; it holds 7"),
        (header(described(shape=(2**40, 7))), r"7,696,581,394,432 bytes; it holds 0\)"),
    ],
)
def test_faults_are_named_in_one_line(tmp_path: Path, contents: bytes, complaint: str) -> None:
    path = tmp_path / "X.npy"
    path.write_bytes(contents)
    tracemalloc.start()
    with pytest.raises(UserError, match=complaint) as caught:
        open_npy(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert peak < 2**22


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "X.npy")
    for path, complaint in (("X.npy", "not a file"), (".", "not a file"), ("gone.npy", "cannot be read")):
        with pytest.raises(UserError, match=complaint):
            open_npy(tmp_path / path)
        with pytest.raises(UserError, match=complaint):
            read_npz(tmp_path / path, ("x",))


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "X.npy"
    np.save(path, ARRAY)
    place = locate(path)
    np.testing.assert_array_equal(place.open(), ARRAY)
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(200)
        file.write(b"\x07")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the time of its contents set back
    with pytest.raises(UserError, match="has changed since it was first read"):
        place.open()


def packed(path: Path, *members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path / "a.npz", "w", packing) as archive:
        for name, contents in members:
            archive.writestr(name, contents)
    return path / "a.npz"


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_are_unpacked_as_numpy_does(tmp_path: Path, save: Any) -> None:
    arrays = {"X": np.asfortranarray(ARRAY), "y": np.array(["a", "bc"]), "other": np.zeros(3)}
    save(tmp_path / "a.npz", **arrays)
    ours = read_npz(tmp_path / "a.npz", ("x", "Y"), ("absent",))
    assert set(ours) == {"x", "y"}
    np.testing.assert_array_equal(ours["x"], arrays["X"])
    np.testing.assert_array_equal(ours["y"], arrays["y"])


@pytest.mark.parametrize(
    ("members", "packing", "complaint"),
    [
        ([("X.npy", npy(ARRAY)), ("x.npy", npy(ARRAY))], 8, "holds two arrays called 'x'"),
        ([("a.npy", npy(ARRAY)), ("readme.txt", b"")], 8, "holds a, and no X"),
        ([("X.npy", npy(ARRAY))], zipfile.ZIP_LZMA, "X: not a readable NumPy file .packed in a way"),
        ([("X.npy", npy(ARRAY)[:-1])], 8, "96 bytes; the archive 95"),
        ([("X.npy", npy(ARRAY) + b"1")], 8, "96 bytes; the archive 97"),
        ([("X.npy", header(described(shape=(2**40,))))], 8, "1,099,511,627,776 bytes; the archive 0"),
        ([("X.npy", b"")], 8, "X: not a readable NumPy file"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_faulty_members_are_named(
    tmp_path: Path, members: list[tuple[str, bytes]], packing: int, complaint: str
) -> None:
    path = packed(tmp_path, *members, packing=packing)
    with pytest.raises(UserError, match=complaint) as caught:
        read_npz(path, ("X",))
    assert str(caught.value).startswith(str(path))


def lying(path: Path, announced: int) -> Path:
    """An archive whose header and directory agree on so many bytes, of which there are a thousand."""
    contents = header(described(shape=(announced,))) + bytes(1000)
    path = packed(path, ("X.npy", contents))
    old, new = (struct.pack("<I", size) for size in (len(contents), len(contents) - 1000 + announced))
    raw = path.read_bytes()
    assert raw.count(old) == 2  # the member's own header, and the directory
    path.write_bytes(raw.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("announced", "complaint"),
    [
        (2**31, "2.0 GiB; archives are unpacked up to 1 GiB. Save larger ones as X.npy"),
        (2**29, "announces 536,870,912 bytes, it ends after 1,000"),
    ],
)
def test_what_an_archive_announces_is_not_taken(tmp_path: Path, announced: int, complaint: str) -> None:
    path = lying(tmp_path, announced)
    tracemalloc.start()
    with pytest.raises(UserError, match=complaint):
        read_npz(path, ("X",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24
