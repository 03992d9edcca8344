"""A file in an archive, and the names it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nablab.errors import UserError, has_control

#: More members than this are refused; MNIST as single pictures has 70,000.
MOST_MEMBERS = 100_000
#: How much more than the archive itself its members may be, all together, past the first `FREE_BYTES`.
#: Photographs reach 1.1, MNIST's images 5, text 20; deflate ends at 1,032, which is what bombs are made of.
MOST_RATIO = 200
FREE_BYTES = 64 * 2**20
#: What is read of a member at once.
CHUNK = 2**18

_LONGEST_NAME = 1024
_LONGEST_PART = 255  # bytes, on all common file systems


@dataclass(frozen=True)
class Member:
    """A regular file in an archive, under a name that is safe to join to a folder.

    Attributes:
        name: relative, parts separated by `/`, none of them `..`.
        size: what the archive says it has; `chunks` delivers as many bytes, or raises.
        chunks: its content, once, in pieces of at most `CHUNK` bytes, before the next member is asked for.
    """

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def most_bytes(archive_bytes: int, limit_bytes: int) -> int:
    """What may be unpacked from an archive of `archive_bytes`.

    >>> most_bytes(1_000, limit_bytes=10**9), most_bytes(10**6, 10**9), most_bytes(10**8, 10**9)
    (67108864, 200000000, 1000000000)
    """
    return min(limit_bytes, max(FREE_BYTES, MOST_RATIO * archive_bytes))


def too_large(path: Path, most: int, limit_bytes: int) -> UserError:
    """The error of an archive that unpacks to more than `most`, which is all of `limit_bytes` or less."""
    if most == limit_bytes:
        return UserError(f"{path}: unpacks to more than the {most:,} bytes that are taken from it")
    return UserError(
        f"{path}: unpacks to more than {most:,} bytes, too many for its own size: a decompression bomb"
    )


def shown(name: str) -> str:
    """A member's name for a message: quoted, on one line, not too long.

    >>> shown("a\\nb"), len(shown("x" * 1000)) < 100
    ("'a\\\\nb'", True)
    """
    return repr(name if len(name) <= 80 else f"{name[:60]}...{name[-15:]}")


class Names:
    """The names met in one archive: each is checked, and none may come twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._met: set[str] = set()
        self._count = 0

    def accept(self, name: str, is_file: bool = True) -> str:
        """`name` without `.` and doubled slashes.

        Raises:
            UserError: a name that leads out of the folder or is no name, the second file of a name, or
                more than `MOST_MEMBERS`.
        """
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise UserError(f"{self._path}: holds more than {MOST_MEMBERS:,} members")
        fault = _fault(name)
        if fault:
            raise UserError(f"{self._path}: member {shown(name)} {fault}; nothing was unpacked from it")
        clean = str(PurePosixPath(name))
        if is_file:
            if clean == "." or name.endswith("/"):
                raise UserError(f"{self._path}: member {shown(name)} is a file without a name")
            if clean in self._met:
                raise UserError(f"{self._path}: member {shown(name)} is there twice")
            self._met.add(clean)
        return clean


def _fault(name: str) -> str:
    """What is wrong with a name; empty where nothing is."""
    if not name or "\0" in name:
        return "is empty or has a NUL in its name"
    if name.startswith("/"):
        return "has an absolute name"
    if "\\" in name or (name[1:2] == ":" and name[0].isalpha()):
        return "has a backslash or a drive letter in its name"
    if ".." in name.split("/"):
        return "leads out of its folder by '..'"
    if has_control(name):
        return "has a control character or broken UTF-8 in its name"
    encoded = name.encode()
    if len(encoded) > _LONGEST_NAME or max(map(len, encoded.split(b"/"))) > _LONGEST_PART:
        return "has too long a name"
    return ""
