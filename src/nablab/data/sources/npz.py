"""NumPy's `.npz` format: a ZIP archive of `.npy` files, which are unpacked into memory.

Only what is asked for is unpacked, never more than a member's header announces, and memory is taken as values
come: an archive that lies about its sizes costs what it really holds.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.sources.npy import NpyHeader, read_header, refuse_special_file
from nablab.errors import UserError

#: All that is asked for of an archive together, unpacked. What is larger is read in place, from `X.npy`.
MOST_BYTES = 2**30

_PIECE = 2**20
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes
#: What the libraries raise for archives that are broken in one way or another.
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def names_in_npz(path: Path) -> tuple[str, ...]:
    """What the arrays of an archive are called, as it spells them.

    Raises:
        UserError: not such an archive, or one with two arrays of one name.
    """
    with _archive(path) as archive:
        return tuple(member.filename[: -len(".npy")] for member in _members(archive, path).values())


def read_npz(path: Path, needed: Collection[str], optional: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """These arrays of an archive, by their names in lower case; the case of names is ignored.

    Raises:
        UserError: not such an archive, one without a needed array or with two of one name, or arrays that
            `npy.read_header` refuses, are not what their headers announce, or larger than 1 GiB together.
    """
    with _archive(path) as archive:
        members = _members(archive, path)
        _require(members, needed, path)
        wanted = {n: members[n] for n in map(str.lower, (*needed, *optional)) if n in members}
        _refuse_large(archive, wanted, path)
        return {name: _unpack(archive, member, _place(path, member)) for name, member in wanted.items()}


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, opened; whatever is wrong with it as one line that names it."""
    refuse_special_file(path)
    with _named_errors(path), path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise UserError(f"{path}: not a .npz archive but one array; call it X.npy, with Y.npy beside it")
        with zipfile.ZipFile(file) as archive:
            yield archive


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The arrays of the archive by their names in lower case."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        if not member.filename.lower().endswith(".npy"):
            continue
        name = member.filename[: -len(".npy")].lower()
        if name in found:
            raise UserError(f"{path}: holds two arrays called {name[:40]!r}")
        found[name] = member
    return found


def _require(members: Collection[str], needed: Collection[str], path: Path) -> None:
    missing = [name for name in needed if name.lower() not in members]
    if missing:
        held = ", ".join(name[:40] for name in list(members)[:8]) or "nothing"
        raise UserError(f"{path}: holds {held}, and no {' and no '.join(missing)}")


def _refuse_large(archive: zipfile.ZipFile, wanted: dict[str, zipfile.ZipInfo], path: Path) -> None:
    """That all headers agree with the sizes in the archive's directory, and are small enough together."""
    total = 0
    for member in wanted.values():
        with _opened(archive, member, _place(path, member)) as (_, header):
            total += header.nbytes
    if total > MOST_BYTES:
        raise UserError(
            f"{path}: its arrays are {total / 2**30:.1f} GiB; archives are unpacked up to "
            f"{MOST_BYTES / 2**30:g} GiB. Save larger ones as X.npy and Y.npy, which stay on the disk"
        )


def _place(path: Path, member: zipfile.ZipInfo) -> str:
    """`file: member`, for errors."""
    return f"{path}: {member.filename[: -len('.npy')][:40]}"


@contextmanager
def _opened(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str
) -> Iterator[tuple[IO[bytes], NpyHeader]]:
    """A member read up to its values."""
    if member.compress_type not in _PACKINGS:
        raise UserError(f"{where}: not a readable NumPy file (packed in a way that NumPy does not use)")
    with archive.open(member) as file:
        header = read_header(file, where)  # type: ignore[arg-type]
        held = member.file_size - header.length
        if held != header.nbytes:
            raise UserError(
                f"{where}: not a readable NumPy file (its header announces {header}, {header.nbytes:,} "
                f"bytes; the archive {held:,})"
            )
        yield file, header


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> NDArray[Any]:
    """The array of a member; its checksum is checked at its end."""
    with _opened(archive, member, where) as (file, header):
        values = bytearray()
        while piece := file.read(_PIECE):
            values += piece
    if len(values) != header.nbytes:
        raise UserError(
            f"{where}: not a readable NumPy file (its header announces {header.nbytes:,} bytes, it ends "
            f"after {len(values):,})"
        )
    order = "F" if header.fortran else "C"
    return np.frombuffer(values, header.dtype).reshape(header.shape, order=order)  # type: ignore[call-overload, no-any-return]


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Whatever is wrong with an archive as one line that names it."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{path}: holds more values than fit into memory") from error
    except _BROKEN as error:
        reason = str(error).split("\n")[0][:120] or type(error).__name__
        raise UserError(f"{path}: not a readable NumPy file ({reason})") from error
