"""`unpack`: an archive as a folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from nablab.atomic import UMASK
from nablab.data.archive.member import Member, shown
from nablab.data.archive.reading import members_of, opened
from nablab.data.fetch import Progress
from nablab.errors import CannotWrite, UserError


def unpack(path: Path, folder: Path, *, limit_bytes: int, progress: Progress | None = None) -> Path:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive into the new folder `folder`, which is returned.

    The files are written beside it and put in place together when all are there: nothing half unpacked
    remains, and nothing is written elsewhere. What `read_members` refuses is refused here. Files get the
    user's usual permissions, whatever the archive says; empty folders are left out.

    Args:
        limit_bytes: what may be unpacked altogether.
        progress: told how much of the archive has been read.

    Raises:
        UserError: `folder` is there and not empty; not such an archive, damaged, or refused.
        CannotWrite: the disk is full or the place read-only.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder}: already there; remove it, or unpack {path.name} elsewhere")
    with opened(path) as raw:
        temporary = _beside(folder)
        try:
            _write_all(path, raw, temporary, limit_bytes, progress)
            temporary.chmod(0o777 & ~UMASK)
            temporary.rename(folder)  # refused where another process has put its own there meanwhile
        except OSError as error:
            raise CannotWrite(f"cannot unpack {path} into {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_all(path: Path, raw: BinaryIO, folder: Path, limit_bytes: int, progress: Progress | None) -> None:
    total = path.stat().st_size
    for member in members_of(path, raw, lambda _: True, limit_bytes):
        _write(path, member, folder)
        if progress:
            progress(path.name, min(raw.tell(), total), total)
    os.sync()  # one for all files; then the folder gets its name


def _write(path: Path, member: Member, folder: Path) -> None:
    target = folder / member.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except (FileExistsError, NotADirectoryError) as error:  # also names that differ in case only, on a Mac
        raise UserError(
            f"{path}: member {shown(member.name)} has the name of another file or folder in it"
        ) from error
    with file:
        file.writelines(member.chunks())


def _beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise CannotWrite(f"cannot write to {folder.parent}: {error.strerror or error}") from error
