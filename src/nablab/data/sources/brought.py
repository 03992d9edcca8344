"""Arrays that a person downloads: where they are in what was brought, and what their values are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.archive import unpack
from nablab.data.dataset import Array
from nablab.data.fetch import Progress
from nablab.data.samples import blocks
from nablab.data.sources.prepared import Block, Prepared, write_prepared
from nablab.data.split import cut_off_test
from nablab.errors import CannotWrite, UserError

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_MOST_UNPACKED = 16 * 2**30

# What a byte divided by 255 may be off by, as a float32 and also as 1 less another one.
_ROUNDING = 2.0**-23


@contextmanager
def brought_pair(
    files: Sequence[Path], folder: Path, wanted: str, progress: Progress | None
) -> Iterator[tuple[Path, Path]]:
    """`X.npy` and `Y.npy`: given as two files, or somewhere in a folder or an archive.

    Args:
        folder: an archive is unpacked beside it, for as long as the pair is in use.
        wanted: what is expected, for the error.

    Raises:
        UserError: they are not there; an archive that cannot be unpacked.
        CannotWrite: no place to unpack it.
    """
    paths = [Path(file).expanduser() for file in files]
    for path in paths:
        if not path.exists():
            raise UserError(f"no such file or folder: {path}")
    with _temporary(folder) as space:
        found: list[Path] = []
        for number, path in enumerate(paths):
            if path.is_file() and path.name.lower().endswith(_ARCHIVES):
                path = unpack(path, space / str(number), limit_bytes=_MOST_UNPACKED, progress=progress)
            found += sorted(path.rglob("*"), key=lambda p: len(p.parts)) if path.is_dir() else [path]
        yield _pair(found, wanted)


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        space = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise CannotWrite(f"cannot write in {folder.parent}: {error.strerror or error}") from error
    with space as name:
        yield Path(name)


def _pair(found: Sequence[Path], wanted: str) -> tuple[Path, Path]:
    """By their names, wherever they lie; else two `.npy` files with the images first."""
    by_name: dict[str, Path] = {}
    for path in found:
        by_name.setdefault(path.name.lower(), path)
    if "x.npy" in by_name and "y.npy" in by_name:
        return by_name["x.npy"], by_name["y.npy"]
    if len(found) == 2 and all(path.suffix.lower() == ".npy" for path in found):
        return found[0], found[1]
    raise UserError(f"found no X.npy with its Y.npy; expected {wanted}")


@dataclass(frozen=True)
class Storage:
    """How samples are stored.

    Attributes:
        dtype: `uint8` or `float32`.
        value_range: the smallest and largest value one may then hold.
        factor: what values are multiplied by on the way.
    """

    dtype: str
    value_range: tuple[float, float]
    factor: float = 1.0

    def stored(self, values: NDArray[Any]) -> Array:
        """Values as they are stored."""
        if self.dtype == "float32":
            return values.astype(np.float32)
        return values.astype(np.uint8) if self.factor == 1 else np.rint(values * self.factor).astype(np.uint8)


def storage_of(x: NDArray[Any], where: str) -> Storage:
    """Bytes where the values are bytes, or bytes divided by 255 but for rounding; float32 otherwise.

    So nothing is lost, and floats that only ever were bytes take a quarter of the room.

    Args:
        x: samples (N, ...), which may be memory-mapped: a part is looked at at a time.

    Raises:
        UserError: no numbers, or some that are not finite.
    """
    if x.dtype.kind not in "biuf":
        raise UserError(f"{where}: values are {x.dtype}; expected numbers")
    low, high, whole, shares = np.inf, -np.inf, True, True
    for part in blocks(x):
        if not np.isfinite(part).all():
            raise UserError(f"{where}: holds NaN or infinity; clean it or leave those images out")
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        whole = whole and bool((part == np.rint(part)).all())
        scaled = part.astype(np.float64)
        shares = shares and bool((np.abs(scaled - np.rint(scaled * 255) / 255) <= _ROUNDING).all())
    if x.dtype.kind == "f" and shares and low >= 0 and high <= 1:
        return Storage("uint8", (0.0, 255.0), 255.0)
    if whole and low >= 0 and high <= 255:
        return Storage("uint8", (0.0, 255.0))
    return Storage("float32", (0.0, 1.0) if low >= 0 and high <= 1 else (low, high))


def write_brought(
    folder: Path,
    name: str,
    source: str,
    licence: str,
    classes: tuple[str, ...],
    x_NCHW: NDArray[Any],
    labels: NDArray[np.int64],
    storage: Storage,
) -> None:
    """Write what was brought as a prepared folder; a stratified fifth tests.

    Raises:
        UserError: too few samples.
        CannotWrite: the folder cannot be written to.
    """
    train, test = cut_off_test(labels, None, name)
    rows = np.concatenate([train, test])
    note = Prepared(
        name=name,
        source=source,
        licence=licence,
        classes=classes,
        value_range=storage.value_range,
        train=len(train),
        shape=(len(rows), *x_NCHW.shape[1:]),
        dtype=storage.dtype,
    )
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    write_prepared(folder, note, _blocks(x_NCHW, place, storage), labels[rows])


def _blocks(x_NCHW: NDArray[Any], place: NDArray[np.int64], storage: Storage) -> Iterator[Block]:
    done = 0
    for part in blocks(x_NCHW):
        yield place[done : done + len(part)], storage.stored(part)
        done += len(part)
