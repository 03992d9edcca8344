"""Files that are either the old one or the new one, never half of one."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from nablab.errors import CannotWrite


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


#: Permissions that new files do not get. Asked once: to ask is to set it for a moment, for all threads.
UMASK = _umask()


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` through a temporary file, fsync and rename.

    Raises:
        CannotWrite: the folder cannot be written to or the disk is full; `path` is as it was.
    """
    write_with(path, lambda temporary: _write(temporary, content))


def write_text(path: Path | str, content: str) -> None:
    """Like `write_bytes`, for text in UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def write_with(path: Path | str, writer: Callable[[Path], object]) -> None:
    """Let `writer` fill a temporary file beside `path`, then put it in place.

    For libraries that insist on writing files themselves (safetensors, NumPy archives).
    The temporary file keeps the suffix of `path`, since some of them go by it. A link stays, and what it
    leads to is written; `/dev/stdout`, `/dev/null` and other things that are no files are written into.

    Raises:
        CannotWrite: as `write_bytes`.
    """
    path = Path(path)
    if _is_stream(path):
        _write_into(path, writer)
        return
    path = Path(os.path.realpath(path)) if os.path.islink(path) else path
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        writer(temporary)
        _sync(temporary)
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
        temporary = None
        with suppress(OSError):  # the file is in place; some network file systems cannot sync a folder
            _sync(path.parent)
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror or error}; what was there is unchanged"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def is_unfinished(name: str, of: Iterable[str]) -> bool:
    """Whether a file called `name` is what `write_with` fills before it becomes one of the files `of`.

    Another process may be about to rename it; one that was killed leaves it behind.

    >>> is_unfinished(".run.k3x_9f2a.json", ["run.json"])
    True
    """
    return any(
        name.startswith(f".{path.stem}.") and name.endswith(path.suffix) and name != f".{path.name}"
        for path in map(Path, of)
    )


def _is_stream(path: Path) -> bool:
    """Whether it is a device, a pipe or a socket, which renaming a file to it would replace."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_into(path: Path, writer: Callable[[Path], object]) -> None:
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / f"whole{path.suffix}"
            writer(whole)
            with path.open("wb") as stream:
                stream.write(whole.read_bytes())
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
