"""The members of an archive of any kind, and what can go wrong with it in one line."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from nablab.data.archive.member import Member, shown
from nablab.data.archive.tar import is_tar, tar_members
from nablab.data.archive.zip import is_zip, zip_members
from nablab.errors import UserError

#: Larger members are not read into memory.
MOST_MEMBER_BYTES = 2**27

_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


def read_members(
    path: Path, wanted: Callable[[str], bool], *, limit_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """The names and contents of the wanted files of a `.tar`, `.tar.gz`, `.tar.bz2`, `.tar.xz` or `.zip`.

    Nothing is written, and no more memory is used than two of the largest member, whatever the archive
    says of itself. An archive is refused as a whole, though perhaps after its first members, for a link, a
    device, a pipe, a sparse file, a name that leads out of a folder or comes twice, or for being a bomb
    (see `member.most_bytes`), also where such a member is not wanted.

    Args:
        wanted: asked with each file's name: relative, its parts separated by `/`.
        limit_bytes: what may be unpacked altogether. A tar is unpacked as a whole to get at its members, a
            zip only where it is wanted.

    Raises:
        UserError: not such an archive, damaged, or refused; a member of more than `MOST_MEMBER_BYTES`.
    """
    with opened(path) as raw:
        for member in members_of(path, raw, wanted, limit_bytes):
            if not wanted(member.name):
                continue
            if member.size > MOST_MEMBER_BYTES:
                raise UserError(
                    f"{path}: member {shown(member.name)} has {member.size:,} bytes; at most "
                    f"{MOST_MEMBER_BYTES:,} are read into memory"
                )
            yield member.name, b"".join(member.chunks())


def members_of(
    path: Path, raw: BinaryIO, wanted: Callable[[str], bool], limit_bytes: int
) -> Iterator[Member]:
    """The files of an opened archive; a zip leaves out what is not wanted.

    Raises:
        UserError: as `read_members`, also from the members' `chunks`.
    """
    with _explained(path):
        if is_zip(raw):
            members = zip_members(path, raw, wanted, limit_bytes)
        elif is_tar(raw):
            members = tar_members(path, raw, limit_bytes)
        else:
            raise UserError(f"{path}: neither a zip nor a tar archive (plain, gzip, bzip2 or xz)")
        for member in members:
            yield replace(member, chunks=partial(_chunks, path, member))


def opened(path: Path) -> BinaryIO:
    """The archive, opened to be read.

    Raises:
        UserError: there is none, or no regular file: a named pipe would keep us waiting.
    """
    with _explained(path):
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: not a file")
        return path.open("rb")


def _chunks(path: Path, member: Member) -> Iterator[bytes]:
    with _explained(path, member.name):
        left = member.size
        for content in member.chunks():
            yield content
            left -= len(content)
        if left:  # a zip whose list says another size than the member itself
            raise EOFError(f"it ends {left:,} bytes too early")


@contextmanager
def _explained(path: Path, name: str = "") -> Iterator[None]:
    """Turn what is raised for a damaged archive into one line."""
    try:
        yield
    except _DAMAGED as error:
        where = f"member {shown(name)}" if name else "the archive"
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{path}: {where} cannot be read ({reason}); get the file again") from error
