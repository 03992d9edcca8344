"""One process a folder: a lock that the kernel takes back whatever way its holder ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nablab.errors import CannotWrite, UserError
from nablab.runs.system import NOT_ON_WINDOWS

try:
    import fcntl
except ImportError:
    raise UserError(NOT_ON_WINDOWS) from None

LOCK_FILE = ".lock"

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; it is made if it isn't there.

    The lock is flock(2) on a file inside: `kill -9` and crashes release it, so none is ever stale. The file
    stays, since removing it would let two processes hold locks on two files of the same name. Where the file
    system has no locks (Lustre as many clusters mount it), the folder is worked on without.

    Raises:
        UserError: another process holds it.
        CannotWrite: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise CannotWrite(f"cannot write in {folder}: {error.strerror or error}") from error
    try:
        try:
            _flock(descriptor, fcntl.LOCK_EX)
        except BlockingIOError as error:
            raise UserError(
                f"{folder} is in use by another nablab process; wait for it to end, or choose another --out"
            ) from error
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether some process, this one included, holds `folder`."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _flock(descriptor, fcntl.LOCK_SH)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _flock(descriptor: int, how: int) -> None:
    """Lock without waiting, where the file system can.

    Raises:
        BlockingIOError: another process holds it.
    """
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
