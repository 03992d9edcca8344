"""Tar archives as a stream: each header is a claim, and costs 512 bytes whatever it says.

The blocks are parsed by `tarfile.TarInfo.frombuf`; `tarfile.TarFile` itself reads what long names and pax
headers announce at once, follows them recursively, and goes backwards where a size is negative
(CVE-2025-8194). Formats: POSIX.1-2017, "pax", and the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from nablab.data.archive.member import CHUNK, Member, Names, most_bytes, shown, too_large
from nablab.errors import UserError

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(_BLOCK)
_MOST_HEADER = 2**16  # of a long name or a pax header
_XZ_MEMORY = 2**27  # `xz -9` needs half of it
_FILE_OR_FOLDER = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def tar_members(path: Path, raw: BinaryIO, limit_bytes: int) -> Iterator[Member]:
    """The files of a tar archive, plain or packed by gzip, bzip2 or xz, in their order.

    All that comes out of the archive counts against the limit, also what nobody wants.

    Raises:
        UserError: a member that is refused, or more than may be unpacked.
        OSError, EOFError, zlib.error, LZMAError, TarError: a damaged archive.
    """
    stream = _Stream(path, _decompressed(raw), limit_bytes)
    names = Names(path)
    while (header := _next_header(path, stream)) is not None:
        name = names.accept(header.name, is_file=not header.isdir())
        if header.isdir():
            continue
        end = stream.end_of(header.size)
        yield Member(name, header.size, partial(stream.chunks, end))
        stream.skip(end + -header.size % _BLOCK)
    while stream.read(CHUNK):
        pass  # only then has the checksum at the end of the compressed file been compared


def is_tar(raw: BinaryIO) -> bool:
    """Whether a file, unpacked where it is packed, begins with a tar header.

    Raises:
        OSError, EOFError, zlib.error, LZMAError: it is packed, and damaged.
    """
    try:
        start = _decompressed(raw).read(_BLOCK)
        if start != _END:  # which is all of an empty archive
            tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    finally:
        raw.seek(0)
    return True


class _Stream:
    """What comes out of an archive: forwards only, counted, and in pieces of a size that we choose."""

    def __init__(self, path: Path, file: IO[bytes], limit_bytes: int) -> None:
        self.position = 0
        self._path = path
        self._file = file
        self._limit = limit_bytes
        self._most = most_bytes(path.stat().st_size, limit_bytes)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        content = self._file.read(size)
        self.position = self.end_of(len(content))
        return content

    def end_of(self, size: int) -> int:
        """The position `size` bytes on; refused beyond the limit, before any of them is unpacked."""
        if self.position + size > self._most:
            raise too_large(self._path, self._most, self._limit)
        return self.position + size

    def exactly(self, size: int) -> bytes:
        """`size` bytes, which is little."""
        content = self.read(size)
        if len(content) < size:
            raise EOFError("it is cut short")
        return content

    def chunks(self, end: int) -> Iterator[bytes]:
        """What lies between here and the position `end`."""
        while self.position < end:
            yield self.exactly(min(CHUNK, end - self.position))

    def skip(self, end: int) -> None:
        for _ in self.chunks(end):
            pass


def _next_header(path: Path, stream: _Stream) -> tarfile.TarInfo | None:
    """The header of the next file or folder, with its long name and size; None at the end mark."""
    changes: dict[str, str] = {}
    while True:
        block = stream.exactly(_BLOCK)
        if block == _END:
            return None
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            name = _extension(path, header, stream)
            if header.type == tarfile.GNUTYPE_LONGNAME:
                changes["path"] = name.removesuffix(b"\0").decode("utf-8", "surrogateescape")
        elif header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            changes |= _pax_records(path, _extension(path, header, stream))
        elif header.type == tarfile.XGLTYPE:
            _extension(path, header, stream)  # for all members, so neither name nor size: git's commit
        else:
            return _changed(path, header, changes)


def _extension(path: Path, header: tarfile.TarInfo, stream: _Stream) -> bytes:
    """The content of a header that only adds to the next one."""
    if not 0 <= header.size <= _MOST_HEADER:
        raise UserError(f"{path}: has a header of {header.size:,} bytes; at most {_MOST_HEADER:,} are read")
    content = stream.exactly(header.size)
    stream.exactly(-header.size % _BLOCK)
    return content


def _changed(path: Path, header: tarfile.TarInfo, changes: dict[str, str]) -> tarfile.TarInfo:
    """A header with what came before it; refused unless it is a file or a folder."""
    header.name = changes.get("path", header.name)
    if header.type not in _FILE_OR_FOLDER or any(key.startswith("GNU.sparse.") for key in changes):
        kind = _KINDS.get(header.type, "of a kind that is not known")
        kind = _KINDS[tarfile.GNUTYPE_SPARSE] if header.type in _FILE_OR_FOLDER else kind
        raise UserError(f"{path}: member {shown(header.name)} is {kind}; only files and folders are taken")
    if "size" in changes:
        header.size = int(changes["size"]) if changes["size"].isdecimal() else -1
    if header.size < 0:
        raise UserError(f"{path}: member {shown(header.name)} has no valid size")
    return header


def _pax_records(path: Path, content: bytes) -> dict[str, str]:
    """The records of a pax header, `length keyword=value newline`, of which each length counts itself."""
    records = {}
    position = 0
    while position < len(content):
        digits, space, _ = content[position : position + 20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        keyword, equals, value = content[position + len(digits) + 1 : position + length].partition(b"=")
        if not (equals and value.endswith(b"\n") and position + length <= len(content)):
            raise UserError(f"{path}: has a pax header that cannot be read at byte {position} of it")
        records[keyword.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        position += length
    return records


def _decompressed(raw: BinaryIO) -> IO[bytes]:
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if start == b"\xfd7zXZ\0":
        return io.BufferedReader(_Xz(raw))
    return raw


class _Xz(io.RawIOBase):
    """`lzma.LZMAFile` with a limit to the memory that the file's header may ask for."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        content = b""
        while not content and not self._decompressor.eof:
            packed = self._raw.read(CHUNK) if self._decompressor.needs_input else b""
            if not packed and self._decompressor.needs_input:
                raise EOFError("it is cut short")
            content = self._decompressor.decompress(packed, len(buffer))
        buffer[: len(content)] = content
        return len(content)
