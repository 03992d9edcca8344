"""Archives that mean harm: each is refused in one line, and nothing is written outside, or at all."""

import bz2
import gzip
import lzma
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from nablab.data.archive import read_members, unpack
from nablab.errors import UserError

MIB = 2**20
Make = Callable[[Path], None]


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> Make:
    """A tar written block by block, so that headers may say what no library would write."""

    def make(path: Path) -> None:
        blocks = [
            made.tobuf(form) + content + bytes(-len(content) % 512)
            for made, content in [(header("first.txt", size=1), b"1"), *members]
        ]
        path.write_bytes(b"".join(blocks) + bytes(1024))

    return make


def links(name: str, kind: bytes, target: str) -> Make:
    """A link, and a file written through it."""
    return tar(
        (header(name, kind, link=target), b""),
        (header(f"{name}/through" if kind == tarfile.SYMTYPE else name, size=4), b"evil"),
    )


def zipped(name: str, mode: int = 0, flags: int = 0, method: int = zipfile.ZIP_STORED) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("first.txt", "1")
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            member.compress_type = method
            archive.writestr(member, "evil")
        if flags:
            content = bytearray(path.read_bytes())
            for start, signature in ((6, b"PK\3\4"), (8, b"PK\1\2")):
                content[content.rindex(signature) + start] |= flags
            path.write_bytes(content)

    return make


def renamed_zip(name: bytes) -> Make:
    """`zipfile` would clean the name: it is written over another of the same length."""

    def make(path: Path) -> None:
        placeholder = "x" * len(name)
        zipped(placeholder)(path)
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), name))

    return make


def written_twice(path: Path) -> None:
    zipped("a.txt")(path)
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"b.txt"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c.txt", "other")
    path.write_bytes(path.read_bytes().replace(b"c.txt", b"b.txt"))


DANGERS: dict[str, tuple[Make, str]] = {
    "symbolic link, then a file through it": (links("out", tarfile.SYMTYPE, "/tmp"), "a symbolic link"),
    "symbolic link up": (links("out", tarfile.SYMTYPE, "../.."), "a symbolic link"),
    "hard link outside": (links("out", tarfile.LNKTYPE, "/etc/passwd"), "a hard link"),
    "device": (tar((header("disk", tarfile.BLKTYPE), b"")), "a device"),
    "terminal": (tar((header("tty", tarfile.CHRTYPE), b"")), "a device"),
    "pipe": (tar((header("pipe", tarfile.FIFOTYPE), b"")), "a named pipe"),
    "contiguous": (tar((header("odd", tarfile.CONTTYPE), b"")), "of a kind that is not known"),
    "absolute": (tar((header("/etc/evil", size=4), b"evil")), "an absolute name"),
    "absolute folder": (tar((header("/etc/evil", tarfile.DIRTYPE), b"")), "an absolute name"),
    "up": (tar((header("a/../../evil", size=4), b"evil")), "'..'"),
    "up, a folder": (tar((header("../evil", tarfile.DIRTYPE), b"")), "'..'"),
    "up, by a long name": (
        tar(
            (header("././@LongLink", tarfile.GNUTYPE_LONGNAME, 8), b"../evil\0"),
            (header("good", size=4), b"evil"),
        ),
        "'..'",
    ),
    "up, by a pax header": (
        tar((header("pax", tarfile.XHDTYPE, 16), b"16 path=../evil\n"), (header("good", size=4), b"evil")),
        "'..'",
    ),
    "NUL": (
        tar((header("pax", tarfile.XHDTYPE, 17), b"17 path=good\0/..\n"), (header("good"), b"")),
        "a NUL in its name",
    ),
    "drive": (tar((header("C:evil", size=4), b"evil")), "a drive letter"),
    "backslash": (tar((header("..\\evil", size=4), b"evil")), "a backslash"),
    "newline": (tar((header("a\nb", size=4), b"evil")), "a control character or broken UTF-8"),
    "too long": (tar((header("x" * 2000, size=4), b"evil")), "too long a name"),
    "not UTF-8": (tar((header("caf\udce9", size=4), b"evil")), "broken UTF-8"),
    "no name": (tar((header("", size=4), b"evil")), "empty"),
    "only a dot": (tar((header("./.", size=4), b"evil")), "without a name"),
    "twice": (tar((header("./first.txt", size=4), b"evil")), "there twice"),
    "a file for a folder": (tar((header("first.txt/b", size=4), b"evil")), "name of another file"),
    "negative size": (tar((header("a", size=-512), b"")), "no valid size"),
    "negative size in pax": (
        tar((header("pax", tarfile.XHDTYPE, 13), b"13 size=-512\n"), (header("a"), b"")),
        "no valid size",
    ),
    "long name of 8 GiB": (tar((header("n", tarfile.GNUTYPE_LONGNAME, 2**33), b"")), "at most 65,536"),
    "pax header of 2^80 bytes": (tar((header("n", tarfile.XHDTYPE, 2**80), b"")), "at most 65,536"),
    "pax records that lie": (tar((header("n", tarfile.XHDTYPE, 12), b"99 path=good\n"[:12])), "pax header"),
    "file of 8 EiB": (tar((header("a", size=2**63), b"")), "unpacks to more than"),
    "sparse file of 8 EiB": (tar((header("a", tarfile.GNUTYPE_SPARSE, 2**63), b"")), "a sparse file"),
    "sparse file by pax": (
        tar((header("pax", tarfile.XHDTYPE, 22), b"22 GNU.sparse.major=1\n"), (header("a"), b"")),
        "a sparse file",
    ),
    "zip: symbolic link": (zipped("out", stat.S_IFLNK | 0o777), "a symbolic link"),
    "zip: device": (zipped("disk", stat.S_IFBLK | 0o666), "a device or a pipe"),
    "zip: absolute": (zipped("/etc/evil"), "an absolute name"),
    "zip: up": (zipped("a/../../evil"), "'..'"),
    "zip: drive": (renamed_zip(b"C:/evil"), "a drive letter"),
    "zip: backslash": (renamed_zip(b"..\\evil"), "a backslash"),
    "zip: NUL": (renamed_zip(b"a\0/../evil"), "a NUL in its name"),
    "zip: no name": (zipped(""), "empty"),
    "zip: encrypted": (zipped("secret", flags=1), "encrypted"),
    "zip: twice": (written_twice, "there twice"),
    "zip: bzip2": (zipped("a", method=zipfile.ZIP_BZIP2), "packed by method 12"),
    "zip: LZMA": (zipped("a", method=zipfile.ZIP_LZMA), "packed by method 14"),
    "zip: a file for a folder": (zipped("first.txt/b"), "name of another file"),
}


@pytest.mark.parametrize("danger", DANGERS)
def test_a_danger_is_refused_and_nothing_is_written(tmp_path: Path, danger: str) -> None:
    make, complaint = DANGERS[danger]
    path = tmp_path / "evil.archive"
    make(path)
    with pytest.raises(UserError, match=complaint) as refusal:
        unpack(path, tmp_path / "inside" / "out", limit_bytes=2**30)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert sorted(tmp_path.rglob("*")) == [path, tmp_path / "inside"]
    if "name of another file" not in complaint:  # which is no danger where nothing is written
        with pytest.raises(UserError, match=complaint):
            list(read_members(path, lambda _: True, limit_bytes=2**30))


def gzip_bomb(path: Path) -> None:
    """10 GiB of zeros in 10 MB: 64 MiB of them, 160 times over, as gzip allows."""
    made = header("zeros", size=10 * 2**30).tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(made) + gzip.compress(bytes(64 * MIB), 6) * 160)


def long_name_bomb(path: Path) -> None:
    made = header("n", tarfile.GNUTYPE_LONGNAME, 2**30).tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(bz2.compress(made) + bz2.compress(bytes(64 * MIB)) * 16)


def xz_dictionary(path: Path) -> None:
    """A stream whose header asks for a dictionary of 1.5 GiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**20}]
    content = bytearray(lzma.compress(header("a").tobuf(tarfile.GNU_FORMAT) + bytes(1024), filters=filters))
    start, size = 12, (content[12] + 1) * 4
    content[content.index(b"\x21\x01", start) + 2] = 37  # 3 * 2**29 bytes
    content[start + size - 4 : start + size] = struct.pack(
        "<I", zlib.crc32(content[start : start + size - 4])
    )
    path.write_bytes(content)


def empty_members(path: Path) -> None:
    """A million of them, folders so that they may be alike, in a gzip file of 2 MB."""
    thousand = header("d", tarfile.DIRTYPE).tobuf(tarfile.GNU_FORMAT) * 1000
    path.write_bytes(gzip.compress(thousand) * 1000)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.bin", bytes(64 * MIB))


def overlapping_zip(path: Path, members: int = 10_000) -> None:
    """A bomb that no ratio of a member shows: all members are the same 8 MiB (after D. Fifield, 2019)."""
    content = zlib.compress(bytes(8 * MIB), 9)[2:-4]
    facts = struct.pack("<HHHHHIII", 20, 0, 8, 0, 33, zlib.crc32(bytes(8 * MIB)), len(content), 8 * MIB)
    local = b"PK\3\4" + facts + struct.pack("<HH", 1, 0) + b"a" + content
    names = [f"{number}" for number in range(members)]
    listed = b"".join(
        b"PK\1\2\x14\0" + facts + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name.encode()
        for name in names
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, members, members, len(listed), len(local), 0)
    path.write_bytes(local + listed + end)


def zip_of_members(path: Path) -> None:
    """A million members that are only listed, in a zip of 50 MB."""
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 5) + bytes(16)
    listed = b"".join(entry + b"%05d" % (number % 10**5) for number in range(10**6))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, len(listed), 4, 0)
    path.write_bytes(b"PK\3\4" + listed + end)


def zip_that_lies(path: Path) -> None:
    """A member of a few bytes that is listed as 60 MiB."""
    zipped("a")(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\1\2") + 24, 60 * MIB)
    path.write_bytes(content)


BOMBS: dict[str, tuple[Make, str]] = {
    "10 GiB of zeros": (gzip_bomb, "a decompression bomb"),
    "a long name of 1 GiB": (long_name_bomb, "at most 65,536"),
    "an xz dictionary of 1.5 GiB": (xz_dictionary, "cannot be read (Memory usage limit"),
    "a million folders": (empty_members, "holds more than 100,000 members"),
    "zip of zeros": (zip_bomb, "a decompression bomb"),
    "overlapping zip": (overlapping_zip, "a decompression bomb"),
    "a zip of a million members": (zip_of_members, "holds too many"),
    "a zip that lies": (zip_that_lies, "cannot be read"),
}

READ = """
import resource, sys, time
from pathlib import Path
from nablab.data.archive import read_members
from nablab.errors import UserError

before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    print(len(list(read_members(Path(sys.argv[1]), lambda _: True, limit_bytes=2**34))), "members")
except UserError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - start)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_little_memory_and_time(tmp_path: Path, bomb: str) -> None:
    make, complaint = BOMBS[bomb]
    path = tmp_path / "bomb.archive"
    make(path)
    read = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    said, used = read.stdout.splitlines()
    kib, seconds = used.split()
    assert complaint in said
    assert int(kib) < 200 * 1024
    assert float(seconds) < 5
