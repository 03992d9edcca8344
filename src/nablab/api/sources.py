"""The images to train on: loading, listing and fetching them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nablab.api.paths import as_name
from nablab.api.sheet import Sheet
from nablab.errors import UserError, did_you_mean
from nablab.runs.planned import DataReference

if TYPE_CHECKING:
    from nablab.data.dataset import Dataset

#: How data was loaded, so that a comparison given the data itself can still say how to load it again.
_LOADED: WeakKeyDictionary[Dataset, DataReference] = WeakKeyDictionary()


def load(
    name: str | Path | Dataset,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    progress: bool = True,
) -> Dataset:
    """The data set of this name, or in this place.

    Args:
        name: a known source (`sources()` lists them), or a path: a folder of class folders, an `.npz` file
            with `X` and `y`, a folder with `X.npy` and `Y.npy`, a `.csv` of `path,label`, or what `prepare`
            made.
        size: brings pictures to so many pixels a side.
        color: `grey` or `rgb`, for pictures.
        group: a regular expression; pictures whose names match it alike stay on one side of a split.
        progress: shows a bar while pictures are decoded, where that takes longer than a second.

    >>> load("digits").input_shape
    (1, 8, 8)

    Raises:
        UserError: unknown name, or data that cannot be used; says where and what to do.
    """
    from nablab.api.progress import work_bars
    from nablab.data import Dataset
    from nablab.data import load as load_data

    if not isinstance(name, str | os.PathLike | Dataset):
        raise UserError(
            f"the data is given as {type(name).__name__}; it can be a name, a path, or what "
            "nablab.make_dataset makes of arrays"
        )
    if isinstance(name, str) and not name:  # which as a path is where one stands
        raise UserError("the name of the data is empty; nablab.sources() lists those that there are")
    with work_bars(show=progress) as tell:
        dataset = load_data(name, size=size, color=color, group=group, progress=tell)
    if not isinstance(name, Dataset):
        options = {"size": size, "color": color, "group": group}
        given = {option: value for option, value in options.items() if value is not None}
        _LOADED[dataset] = DataReference(str(name), given)
    return dataset


def as_dataset(given: object) -> Dataset | None:
    """Data that was made in Python, or none.

    Raises:
        UserError: it is something else.
    """
    from nablab.data import Dataset

    if not isinstance(given, Dataset | None):
        raise UserError(
            f"the data is given as {type(given).__name__}; give what nablab.load or nablab.make_dataset made"
        )
    return given


def reference_of(dataset: Dataset) -> DataReference:
    """How `load` gave this data set; an empty reference when it didn't."""
    return _LOADED.get(dataset, DataReference())


def sources() -> Sheet:
    """The known data sets: what they are, and what of them is here."""
    from nablab.data.sources import SOURCES

    rows = tuple((s.name, s.description, s.available()) for s in SOURCES.values())
    return Sheet(("name", "what", "here"), rows)


def fetch(name: str, *, progress: bool = True) -> str:
    """Download the whole of a known data set into the cache; says what is here afterwards.

    Raises:
        UserError: no such source, or one without anything to download.
        NablabError: the download failed, or its checksum is wrong.
    """
    from nablab.data.sources import SOURCES

    if as_name(name, "the name of a data set").lower() not in SOURCES:
        raise UserError(f"no data set {name!r}{did_you_mean(name, SOURCES)}")
    from nablab.api.progress import download_bars

    with download_bars(show=progress) as tell:
        return SOURCES[name.lower()].fetch(tell)
