"""Pictures decoded once into arrays that later load at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.atomic import is_unfinished
from nablab.data.fetch import Progress
from nablab.data.lots import Lots
from nablab.data.sources.csv_list import list_csv
from nablab.data.sources.decoding import check_options, common_color, common_size, in_parallel, read_headers
from nablab.data.sources.listing import Listing
from nablab.data.sources.picture import Header, read_header
from nablab.data.sources.pictures import list_pictures
from nablab.data.sources.prepared import FILES, NOTE, Block, Prepared, write_prepared
from nablab.errors import UserError

#: Where lots wait within the folder of the result; gone when that is done.
UNFINISHED = ".unfinished"


def prepare(
    place: Path,
    out: Path,
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Decode a folder of class folders, or the pictures a CSV lists, into arrays in the folder `out`.

    `load(out)` then gives the data set that `load(place, ...)` gives, without decoding anything.

    Args:
        out: made if it isn't there; empty, or prepared before.
        size, color, group: as for `load`.
        strict: whether a picture that cannot be read is an error. Otherwise it is left out, and named in
            the result: a large collection nearly always has some, and one should not cost all the others.
        progress: told how many pictures are done.

    Raises:
        UserError: nothing to prepare; different sizes without `size`; with `strict`, a picture that cannot
            be read; a class of which no picture can; an `out` that holds something else.
        CannotWrite: the disk is full, or the folder cannot be written to; what was done is kept.
    """
    check_options(size, color)
    listing = list_csv(place, group=group) if place.is_file() else list_pictures(place, group=group)
    _refuse_strangers(out, place)
    return prepare_listing(listing, out, size=size, color=color, strict=strict, progress=progress)


def prepare_listing(
    listing: Listing,
    out: Path,
    *,
    size: int | None,
    color: str | None,
    strict: bool = False,
    licence: str = "",
    progress: Progress | None = None,
) -> Prepared:
    """As `prepare`, of pictures that are listed already."""
    listing.parts()  # what cannot be split says so before the work, not after it
    work = _planned(listing, out, size, color, strict, progress)
    left_out = _decode_all(work, listing, strict, progress)
    kept = np.ones(len(listing.files), dtype=np.bool_)
    kept[list(left_out)] = False
    remaining = listing.only(kept) if left_out else listing
    train, test = remaining.parts()
    rows = np.concatenate([train, test])
    note = Prepared(
        name=listing.name,
        source=remaining.source,
        licence=licence,
        classes=listing.classes,
        value_range=(0.0, 255.0),
        train=len(train),
        shape=(len(rows), *work.shape),
        dtype="uint8",
        grouped=remaining.groups is not None,
        left_out=tuple((_relative(listing.files[row], listing), why) for row, why in left_out.items()),
    )
    groups = None if remaining.groups is None else remaining.groups[rows]
    write_prepared(out, note, _blocks(work, kept, rows), remaining.labels[rows], groups)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    return note


def _planned(
    listing: Listing, out: Path, size: int | None, color: str | None, strict: bool, progress: Progress | None
) -> Lots:
    """What is to be done; pictures are looked at only where size or color go by them."""
    check_options(size, color)
    headers: list[Header] = []
    if size is None or color is None:
        read = partial(_header, strict=strict)
        headers = [h for h in read_headers(listing.files, listing.place, read, progress) if h]
        if not headers:
            raise UserError(f"{listing.place}: none of {len(listing.files):,} pictures can be read")
    chosen = common_color(color, headers)
    shape = (1 if chosen == "grey" else 3, *common_size(headers, size, listing.place))
    return Lots(listing.files, size, chosen, shape, out / UNFINISHED)


def _decode_all(work: Lots, listing: Listing, strict: bool, progress: Progress | None) -> dict[int, str]:
    """See that all lots are there; the rows that cannot be read, and why."""
    name, total = f"pictures in {listing.place.resolve().name}", len(work.files)
    left_out: dict[int, str] = {}
    done = 0
    try:
        with closing(in_parallel(lambda part: work.lot(part).reasons, work.slices)) as lots:
            for reasons in lots:
                bad = {done + row: why for row, why in enumerate(reasons) if why}
                if strict and bad:
                    row, why = next(iter(bad.items()))
                    raise UserError(f"{listing.files[row]}: {why}")
                left_out |= bad
                done += len(reasons)
                if progress:
                    progress(name, done, total)
    except KeyboardInterrupt:
        message = f"interrupted after {done:,} of {total:,} pictures; the same command goes on from there"
        raise KeyboardInterrupt(message) from None
    return left_out


def _blocks(work: Lots, kept: NDArray[np.bool_], rows: NDArray[np.int64]) -> Iterator[Block]:
    """The pictures of all lots with their places: picture `rows[i]` of those kept is for row i."""
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    done = 0
    for part in work.slices:
        pixels = work.lot(part).pixels
        if len(pixels) != kept[part].sum():
            folder = work.files[part.start].parent
            raise UserError(f"{folder}: its pictures change meanwhile; try again when they don't")
        yield place[done : done + len(pixels)], pixels
        done += len(pixels)


def _header(file: Path, strict: bool) -> Header | None:
    try:
        return read_header(file)
    except UserError:
        if strict:
            raise
        return None


def _relative(file: Path, listing: Listing) -> str:
    """A picture's name as it can be stored and shown: bytes that are not UTF-8 as `\\udce9`."""
    base = listing.place if listing.kind == "folder" else listing.place.parent
    name = str(file.relative_to(base)) if file.is_relative_to(base) else str(file)
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _refuse_strangers(out: Path, place: Path) -> None:
    """That what is written does not come among the pictures, or in place of something else.

    Raises:
        UserError: it would.
    """
    if place.is_dir() and out.resolve().is_relative_to(place.resolve()):
        raise UserError(f"{out} lies within {place}, among the pictures; choose another --out")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out")
    found = {entry.name for entry in out.iterdir()} if out.is_dir() else set()
    found -= {name for name in found if is_unfinished(name, {*FILES, NOTE})}
    ours = {NOTE, UNFINISHED, ".lock"}
    if found - FILES - ours or (found & FILES and not found & {NOTE, UNFINISHED}):
        name = sorted(found - ours)[0]
        raise UserError(f"{out} holds something else, such as {name}; choose another --out")
