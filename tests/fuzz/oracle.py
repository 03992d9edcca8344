"""What may come of a case: data that is sound, or an error of one line that names the file."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case

MOST_BYTES = 2**29  # of memory, beyond what a process has before a case
MOST_SECONDS = 2.0  # of computing
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # Unicode's categories
_LONGEST_LINE = 600  # characters beside the folder


class Finding(Exception):  # noqa: N818
    """Something that bad input must not cause."""


def write_case(case: Case, folder: Path) -> Path:
    """Write the files of a case below `folder`; returns the path that the reader gets."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(content)
    for name, target in case.links.items():
        path = folder / name
        if path.parent.is_dir() and not os.path.lexists(path):
            os.mkfifo(path) if target == "pipe" else path.symlink_to(target)
    return folder / case.entry


def judge(case: Case, folder: Path) -> str:
    """`accepted`, or the line with which the case was refused.

    Raises:
        Finding: anything else.
    """
    from nablab.errors import NablabError

    path = write_case(case, folder)
    before = sorted(_entries(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            READERS[case.reader](path, case)
    except NablabError as error:
        line = str(error)
        _check_line(line, case, folder)
        _refuse_memory_error(error)
        _check_entries(folder, before, case)
        return line.replace(str(folder), ".")
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{type(error).__name__}: {error}") from error
    _check_entries(folder, before, case)
    return "accepted"


def _check_line(line: str, case: Case, folder: Path) -> None:
    rest = line.replace(str(folder), ".")
    if _UNPRINTABLE & set(map(unicodedata.category, rest)):
        raise Finding(f"not one printable line: {rest!r}")
    if len(rest) > _LONGEST_LINE:
        raise Finding(f"a line of {len(rest)} characters: {rest[:200]}...")
    names = {Path(name).name for name in (*case.files, *case.links, case.entry)} - {""}
    if str(folder) not in line and not any(name in line for name in names):
        raise Finding(f"names no file: {rest}")


def _refuse_memory_error(error: BaseException | None) -> None:
    """Under a limit to memory, what asks for too much of it fails; that it is explained is not enough."""
    while error is not None:
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            raise Finding(f"asked for more than {MOST_BYTES >> 20} MiB: {error!r}")
        error = error.__cause__ or error.__context__


def _entries(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        yield from (os.path.join(root, name) for name in (*folders, *names))


def _check_entries(folder: Path, before: list[str], case: Case) -> None:
    """Nothing is left behind; of `unpack`, only regular files in its folder."""
    new = [name for name in sorted(_entries(folder)) if name not in set(before)]
    inside = str(folder / "unpacked")
    outside = [name for name in new if not (name == inside or name.startswith(inside + os.sep))]
    if outside or (new and case.reader != "unpacked") or any(map(os.path.islink, new)):
        raise Finding(f"left behind: {', '.join(new)[:200]}")


def _load(path: Path, case: Case) -> None:
    from nablab.data import load

    data = load(path, size=case.size)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        low, high = data.value_range
        sound = len(x) == len(y) and y.dtype == np.int64 and y.min() >= 0 and y.max() < len(data.classes)
        if not sound or not ((low <= x.min() and x.max() <= high) or x is data.x_test):
            raise Finding(f"accepted, and not sound: {x.shape} in {low} to {high}, {y.shape}")
    "\n".join([data.name, data.source, *data.classes]).encode()
    data.fingerprint  # noqa: B018 (reads every value)


def _read_idx(path: Path, case: Case) -> None:
    from nablab.data.sources.idx import read_idx

    array = read_idx(path)
    if array.dtype != np.uint8 or array.nbytes > MOST_BYTES:
        raise Finding(f"accepted, and not sound: {array.dtype} {array.shape}")


def _read_cifar(path: Path, case: Case) -> None:
    """CIFAR-10's reader for batches of ten records, and without the checksums that would end every case."""
    from nablab.data.sources import cifar10

    genuine = cifar10.BINARY
    is_ours = path.is_file() and not path.is_symlink()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if is_ours else ""
    cifar10.BINARY = replace(genuine, archive=digest, batches={}, images=10)
    try:
        arrays = cifar10.decode_folder(path) if path.is_dir() else cifar10.decode_archive(path)
    finally:
        cifar10.BINARY = genuine
    if arrays["x_train"].shape != (50, 3, 32, 32) or arrays["y_train"].max() > 9:
        raise Finding("accepted, and not sound")


def _read_members(path: Path, case: Case) -> None:
    from nablab.data.archive import read_members

    for name, content in read_members(path, lambda name: not name.endswith(".txt"), limit_bytes=2**27):
        if name.startswith("/") or ".." in name.split("/") or len(content) > 2**27:
            raise Finding(f"delivered {name!r}")


def _unpack(path: Path, case: Case) -> None:
    from nablab.data.archive import unpack

    unpack(path, path.parent / "unpacked", limit_bytes=2**27)


READERS: dict[str, Callable[[Path, Case], Any]] = {
    "load": _load,
    "idx": _read_idx,
    "cifar": _read_cifar,
    "members": _read_members,
    "unpacked": _unpack,
}
