"""Zip archives, of which only what is wanted is unpacked (PKWARE, ".ZIP File Format Specification")."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from nablab.data.archive.member import CHUNK, Member, Names, most_bytes, shown, too_large
from nablab.errors import UserError

_MOST_DIRECTORY = 2**24  # bytes of the list of members: 100,000 with names of 120 characters
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_members(
    path: Path, raw: BinaryIO, wanted: Callable[[str], bool], limit_bytes: int
) -> Iterator[Member]:
    """The wanted files of a zip archive, in the order of its list; names are checked for all of them.

    Raises:
        UserError: a member that is refused, or more than may be unpacked.
        OSError, EOFError, ValueError, zlib.error, BadZipFile, NotImplementedError, struct.error: a
            damaged archive.
    """
    with zipfile.ZipFile(_Guarded(path, raw)) as archive:
        names = Names(path)
        chosen = [
            (name, info)
            for info in archive.infolist()
            if (name := _accepted(path, info, names)) is not None and wanted(name)
        ]
        most = most_bytes(path.stat().st_size, limit_bytes)
        if sum(info.file_size for _, info in chosen) > most:  # `zipfile` delivers no more than it says here
            raise too_large(path, most, limit_bytes)
        for name, info in chosen:
            _refuse_method(path, info)
            yield Member(name, info.file_size, partial(_chunks, archive, info))


def is_zip(raw: BinaryIO) -> bool:
    """Whether a file begins with a zip's first member, or is an empty zip."""
    start = raw.read(4)
    raw.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06")


class _Guarded:
    """A file of which nobody reads more at once than a list of members should be long."""

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        self._path = path
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        if size > _MOST_DIRECTORY:
            raise UserError(f"{self._path}: has a list of members of {size:,} bytes; it holds too many")
        return self._raw.read(_MOST_DIRECTORY if size < 0 else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def seekable(self) -> bool:
        return True


def _accepted(path: Path, info: zipfile.ZipInfo, names: Names) -> str | None:
    """The name of a file; None for a folder."""
    if "\0" in info.orig_filename:  # of which `filename` is what comes before
        raise UserError(f"{path}: member {shown(info.orig_filename)} has a NUL in its name")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a device or a pipe"
        raise UserError(f"{path}: member {shown(info.filename)} is {what}; only files and folders are taken")
    is_folder = info.filename.endswith("/") or kind == stat.S_IFDIR
    name = names.accept(info.filename, is_file=not is_folder)
    return None if is_folder else name


def _refuse_method(path: Path, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise UserError(f"{path}: member {shown(info.filename)} is encrypted; unpack it and give the files")
    if info.compress_type not in _METHODS:  # of the others `zipfile` unpacks all at once, a bomb too
        raise UserError(
            f"{path}: member {shown(info.filename)} is packed by method {info.compress_type}; only "
            "stored and deflated members are read"
        )


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while content := file.read(CHUNK):
            yield content
