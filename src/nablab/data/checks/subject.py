"""From a name or a path to its examination."""

from __future__ import annotations

from pathlib import Path

from nablab.data.checks.examine import Examination, examine, examine_files
from nablab.data.checks.twins import SIMILARITY
from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.loading import load, located
from nablab.data.sources import SOURCES
from nablab.data.sources.arrays import npy_pair
from nablab.data.sources.csv_list import list_csv
from nablab.data.sources.listing import Listing
from nablab.data.sources.pictures import list_pictures
from nablab.data.sources.prepared import is_prepared


def check(
    data: str | Path | Dataset,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    similarity: float = SIMILARITY,
    progress: Progress | None = None,
) -> Examination:
    """Examine whatever `load` takes; of picture files also what they were before they are read.

    Args:
        size: for pictures: what they are brought to; by default their own size, or 64 where they differ.
        color: for pictures: `grey` or `rgb`.
        group: for pictures: as in `load`.
        similarity: the correlation from which two images are nearly the same.
        progress: told what is being done, and how far it is.

    Raises:
        UserError: no such data, data that cannot be used at all, or options that do not fit.
    """
    listing = _listing(data, group)
    if listing is None:
        dataset = load(data, size=size, color=color, group=group, progress=progress)
        return examine(dataset, similarity=similarity, progress=progress)
    return examine_files(listing, size=size, color=color, similarity=similarity, progress=progress)


def _listing(data: str | Path | Dataset, group: str | None) -> Listing | None:
    """The picture files that are meant; None where data is no folder and no list of pictures."""
    if isinstance(data, Dataset) or (isinstance(data, str) and data.lower() in SOURCES):
        return None
    path = located(data)
    if path.suffix.lower() == ".csv" and path.is_file():
        return list_csv(path, group=group)
    if path.is_dir() and not is_prepared(path) and npy_pair(path) is None:
        return list_pictures(path, group=group)
    return None
