"""Files of others: only regular ones, inside the folder they belong to, and none larger than it may be."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

from nablab.errors import UserError

#: By the name of a run's file, the most bytes that are read of it; archives also count unpacked.
LIMITS = {
    "run.json": 32 * 2**20,
    "metrics.jsonl": 32 * 2**20,
    "predictions.npz": 2**30,
    "examples.npz": 2**30,
    "deciding.npz": 2**30,
    "neighbours.npz": 2**30,
    "estimator.skops": 2**31,
    "features.json": 2**16,
    "weights.safetensors": 2**31,
}

#: A folder of comparisons holds a comparison, that holds `runs`, that holds the folder of a run.
_DEEPEST = 4


def read_limited(path: Path, largest: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        UserError: there is none, it is not a regular file (a pipe would wait for ever), or it is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{path} is not a file")
            if status.st_size > largest:
                raise UserError(f"{path} is {status.st_size:,} bytes; at most {largest:,} are read")
            return file.read(largest)
    except FileNotFoundError:
        raise UserError(f"no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def inside(folder: Path, named: str) -> Path:
    """The folder `named` relative to `folder`, both resolved.

    Raises:
        UserError: it is absolute, leads out of `folder` (by `..` or by links), or is not there.
    """
    home = folder.resolve()
    try:
        if "\\" in named and not (home / named).exists():
            named = named.replace("\\", "/")  # written on Windows
        path = (home / named).resolve()
        present = path.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{named[:200]!r} is not the name of a folder: {error}") from error
    if Path(named).is_absolute() or not path.is_relative_to(home):
        raise UserError(
            f"the notebook reads results in {named[:200]!r}, outside of its folder; "
            "a delivery brings its records with it (or say where they are: --runs FOLDER)"
        )
    if not present:
        raise UserError(
            f"the notebook reads results in {named[:200]!r}, and they are not beside it; "
            "say where they are: --runs FOLDER"
        )
    return path


def check_tree(folder: Path, limit: int = 20_000) -> None:
    """Refuse a folder of results that could lead elsewhere, or that is too much to read.

    Hidden folders, and what lies deeper than runs do, are not read and not looked at.

    Raises:
        UserError: a link, a pipe or a device in it, a file above `LIMITS`, or more than `limit` entries.
    """
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if len(Path(place).relative_to(folder).parts) >= _DEEPEST:
            folders.clear()
        for name in (*folders, *files):
            path = Path(place) / name
            seen += 1
            if seen > limit:
                raise UserError(f"{folder} holds more than {limit:,} files and folders")
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise UserError(f"{path} is a link; a delivery holds its files themselves")
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise UserError(f"{path} is neither a file nor a folder")
            if stat.S_ISREG(mode) and name in LIMITS:
                _check_size(path, LIMITS[name])


def _check_size(path: Path, largest: int) -> None:
    size = path.stat().st_size
    if path.suffix in (".npz", ".skops"):
        try:
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(entry.file_size for entry in archive.infolist()))
        except (zipfile.BadZipFile, OSError, ValueError):
            return  # whoever reads it will say that it is damaged
    if size > largest:
        raise UserError(f"{path} is {size:,} bytes; at most {largest:,} are read")
