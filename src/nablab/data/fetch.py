"""Downloads: checked by SHA-256, from the first mirror that answers, never half written."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from nablab.errors import CannotWrite, NablabError

#: Called while a file comes in: (its name, bytes so far, bytes in all).
Progress = Callable[[str, int, int], None]

#: Errors of this machine's disk, which no other mirror helps with.
_OURS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_TIMEOUT = 30  # seconds without an answer before the next mirror is tried


def download(
    name: str, sha256: str, mirrors: Sequence[str], folder: Path, progress: Progress | None = None
) -> Path:
    """The file `name` in `folder`; it is downloaded unless it is there and right.

    Args:
        sha256: what the file must hash to, 64 hexadecimal digits.
        mirrors: addresses that end in `/`, to which `name` is appended; tried in turn.
        progress: told how far the download is.

    Raises:
        CannotWrite: the disk is full, or the folder cannot be written to.
        NablabError: no mirror gave the right file.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")  # it announces each download on stderr; `progress` does that here
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    failures = []
    for mirror in mirrors:
        bar = _Bar(name, progress) if progress else False
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=_TIMEOUT)
        try:
            pooch.retrieve(mirror + name, f"sha256:{sha256}", fname=name, path=folder, downloader=downloader)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
            if isinstance(error, OSError) and error.errno in _OURS:
                raise _cannot_write(folder, error) from error
            failures.append(f"{urlsplit(mirror).netloc}: {_reason(error)}")
        else:
            return folder / name
    raise NablabError(f"could not download {name}: {'; '.join(failures)}")


def _cannot_write(folder: Path, error: OSError) -> CannotWrite:
    return CannotWrite(f"cannot write to {folder} ({error.strerror}); set NABLAB_CACHE to a folder of yours")


def _reason(error: Exception) -> str:
    """A few words: the messages of HTTP libraries run over several lines."""
    if isinstance(error, ValueError):
        return "what came is not the file (its SHA-256 differs)"
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if type(error).__name__ == "ChunkedEncodingError":  # requests' name for a connection closed too soon
        return "cut short"
    return getattr(error, "strerror", None) or type(error).__name__


class _Bar:
    """What pooch takes for a progress bar."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.total = 0
        self._name = name
        self._done = 0
        self._progress = progress

    def update(self, count: int) -> None:
        self._done = min(self._done + count, self.total or self._done + count)  # pooch counts whole chunks
        self._progress(self._name, self._done, self.total)

    def reset(self) -> None:
        """pooch rewinds its bar at the end to fill it again; here the last update was the end."""
        self._done = 0

    def close(self) -> None:
        """Nothing is held open."""
