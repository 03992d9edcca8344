"""`load`: the data set that a name or a path means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources import SOURCES
from nablab.data.sources.arrays import load_npy_pair, load_npz, npy_pair
from nablab.data.sources.csv_list import load_csv
from nablab.data.sources.pictures import load_pictures
from nablab.data.sources.prepared import is_prepared, load_prepared
from nablab.errors import UserError, did_you_mean

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".rar", ".7z")


def load(
    name: str | Path | Dataset,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """A data set by name, from files, or as it is.

    Args:
        name: one of `nablab.data.sources.SOURCES`, a folder of class folders, a `.csv` that lists pictures,
            what `prepare` made of either, a folder with `X.npy` and `Y.npy` (or one of the two files), a
            `.npz` file, or a `Dataset`, which is returned.
        size: for pictures: height and width they are brought to.
        color: for pictures: `grey` or `rgb`; None is grey where all are grey.
        group: for pictures: a regular expression searched for in file names; pictures for which its
            first group (or its whole match) is the same stay on one side of every split.
        progress: told how many pictures are decoded, where that takes longer than a second.

    >>> load("digits").x_train.shape
    (1439, 1, 8, 8)

    Raises:
        UserError: no such data set or path, or one that cannot be read; options that it does not take.
    """
    if isinstance(name, Dataset):
        _refuse_picture_options(name.name, size, color, group)
        return name
    known = str(name).lower()
    if isinstance(name, str) and known in SOURCES:
        _refuse_picture_options(known, size, color, group)
        return SOURCES[known].load()
    path = located(name)
    with _named(path):
        if path.suffix.lower() == ".csv" and path.is_file():
            return load_csv(path, size=size, color=color, group=group, progress=progress)
        if path.is_dir() and not is_prepared(path) and npy_pair(path) is None:
            return load_pictures(path, size=size, color=color, group=group, progress=progress)
        _refuse_picture_options(str(name), size, color, group)
        return _load_arrays(path)


def located(name: str | Path) -> Path:
    """The file or folder that a path means.

    Raises:
        UserError: there is none, or it may not be looked at.
    """
    try:
        path = Path(name).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError, RuntimeError) as error:  # the last of ~nobody
        raise UserError(_not_found(str(name))) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return path


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Data that does not fit together knows its name, and not always where it is."""
    try:
        yield
    except UserError as error:
        if path.name in str(error):
            raise
        raise UserError(f"{path}: {error}") from error


def _load_arrays(path: Path) -> Dataset:
    if path.suffix.lower() == ".npz":
        return load_npz(path)
    if path.is_file() and path.name.lower().endswith(_ARCHIVES):
        raise UserError(f"{path}: an archive; unpack it, and give the folder")
    if not path.is_dir() and path.suffix.lower() != ".npy":
        raise UserError(f"{path}: not a folder of pictures, a .csv, a .npz file or an X.npy with its Y.npy")
    folder = path if path.is_dir() else path.parent
    if is_prepared(folder):
        return load_prepared(folder)
    pair = npy_pair(folder)
    if pair is None:
        raise UserError(f"{path}: needs both X.npy and Y.npy in its folder")
    return load_npy_pair(*pair)


def _refuse_picture_options(name: str, size: int | None, color: str | None, group: str | None) -> None:
    given = [
        option for option, value in (("size", size), ("color", color), ("group", group)) if value is not None
    ]
    if given:
        raise UserError(
            f"{name} takes no {' or '.join(given)}: only folders of pictures and lists of them (.csv) do; "
            "arrays stay as they are, so leave it out, or prepare the pictures anew"
        )


def _not_found(name: str) -> str:
    if Path(name).suffix or "/" in name or "\\" in name:
        return f"no such file or folder: {name}"
    return f"no data set or folder {name!r}{did_you_mean(name, SOURCES)}"
