"""Pictures decoded once into arrays that later load at once.

Pictures are taken in lots. What a lot comes to is one small file beside the result, put in place whole and
named after all that it depends on (the files, their sizes and times, what is done to them). So whatever
ends the work, `kill -9` included, the same command goes on with the lots that are missing, and a picture
that changed meanwhile is decoded again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.data.fetch import Progress
from nablab.data.prepared import FILES, NOTE, Block, Prepared, write_prepared
from nablab.data.sources.csv_list import list_csv
from nablab.data.sources.decoding import check_options, common_color, common_size, in_parallel
from nablab.data.sources.listing import Listing
from nablab.data.sources.picture import Color, Header, read_header, read_picture
from nablab.data.sources.pictures import list_pictures
from nablab.errors import UserError

#: Where lots wait within the folder of the result; gone when that is done.
UNFINISHED = ".unfinished"

_LOT = 64  # pictures; a few tenths of a second
_MEANING = 1  # to be raised when the same picture comes to other pixels


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
    check_options(size, color)
    if size is None or color is None:
        headers = [h for h in in_parallel(partial(_header, strict=strict), listing.files) if h]
        if not headers:
            raise UserError(f"{listing.place}: none of {len(listing.files):,} pictures can be read")
        color, (height, width) = common_color(color, headers), common_size(headers, size, listing.place)
    else:
        height, width = size, size
    shape = (1 if color == "grey" else 3, height, width)
    work = _Work(listing.files, size, "grey" if color == "grey" else "rgb", shape, out / UNFINISHED)
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
        shape=(len(rows), *shape),
        dtype="uint8",
        grouped=remaining.groups is not None,
        left_out=tuple((_relative(listing.files[row], listing), why) for row, why in left_out.items()),
    )
    groups = None if remaining.groups is None else remaining.groups[rows]
    write_prepared(out, note, _blocks(work, kept, rows), remaining.labels[rows], groups)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    return note


@dataclass(frozen=True, eq=False)
class _Lot:
    """Some pictures decoded: those that can be read (K, C, H, W), and why the others can't (N,)."""

    pixels: NDArray[np.uint8]
    reasons: tuple[str, ...]  #: empty for what was read


@dataclass(frozen=True)
class _Work:
    """What is to be decoded, to what, and where lots wait."""

    files: tuple[Path, ...]
    size: int | None
    color: Color
    shape: tuple[int, int, int]
    folder: Path

    @property
    def starts(self) -> range:
        return range(0, len(self.files), _LOT)

    def lot(self, start: int) -> _Lot:
        """The lot that begins with a file: what is waiting of it, else decoded now and put there."""
        files = self.files[start : start + _LOT]
        path = self.folder / f"{self._key(files)}.npz"
        waiting = self._waiting(path, len(files))
        if waiting is not None:
            return waiting
        lot = self._decoded(files)
        content = partial(np.savez, pixels=lot.pixels, reasons=np.array(lot.reasons, dtype=np.str_))
        atomic.write_with(path, content)
        return lot

    def _key(self, files: Sequence[Path]) -> str:
        about = [_MEANING, self.size, self.color, self.shape, [_state(file) for file in files]]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]

    def _waiting(self, path: Path, count: int) -> _Lot | None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                pixels, reasons = stored["pixels"], tuple(stored["reasons"].tolist())
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None
        fits = len(reasons) == count and pixels.shape == (reasons.count(""), *self.shape)
        return _Lot(pixels, reasons) if fits and pixels.dtype == np.uint8 else None

    def _decoded(self, files: Sequence[Path]) -> _Lot:
        pixels = np.empty((len(files), *self.shape), dtype=np.uint8)
        reasons: list[str] = []
        for file in files:
            try:
                pixels[reasons.count("")] = self._picture(file)
                reasons.append("")
            except UserError as error:
                reasons.append(" ".join(str(error).split()))
        return _Lot(pixels[: reasons.count("")], tuple(reasons))

    def _picture(self, file: Path) -> NDArray[np.uint8]:
        picture = read_picture(file, self.size, self.color)
        if picture.shape != self.shape:  # it changed since its header was read
            raise UserError(f"{file}: is now {picture.shape[2]}x{picture.shape[1]}")
        return picture


def _decode_all(work: _Work, listing: Listing, strict: bool, progress: Progress | None) -> dict[int, str]:
    """See that all lots are there; the rows that cannot be read, and why."""
    name, total = f"pictures in {listing.place.resolve().name}", len(work.files)
    left_out: dict[int, str] = {}
    done = 0
    try:
        for reasons in in_parallel(lambda start: work.lot(start).reasons, work.starts):
            bad = {done + row: why for row, why in enumerate(reasons) if why}
            if strict and bad:
                raise UserError(next(iter(bad.values())))
            left_out |= bad
            done += len(reasons)
            if progress:
                progress(name, done, total)
    except KeyboardInterrupt:
        message = f"interrupted after {done:,} of {total:,} pictures; the same command goes on from there"
        raise KeyboardInterrupt(message) from None
    return left_out


def _blocks(work: _Work, kept: NDArray[np.bool_], rows: NDArray[np.int64]) -> Iterator[Block]:
    """The pictures of all lots with their places: picture `rows[i]` of those kept is for row i."""
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    done = 0
    for start in work.starts:
        pixels = work.lot(start).pixels
        if len(pixels) != kept[start : start + _LOT].sum():
            raise UserError(f"{work.files[start].parent}: its pictures change; try again when they don't")
        yield place[done : done + len(pixels)], pixels
        done += len(pixels)


def _header(file: Path, strict: bool) -> Header | None:
    try:
        return read_header(file)
    except UserError:
        if strict:
            raise
        return None


def _state(file: Path) -> tuple[str, int, int]:
    """What tells a picture from another, or from what it was before."""
    try:
        status = file.stat()
    except OSError:
        return str(file.absolute()), -1, -1
    return str(file.absolute()), status.st_size, status.st_mtime_ns


def _relative(file: Path, listing: Listing) -> str:
    base = listing.place if listing.kind == "folder" else listing.place.parent
    return str(file.relative_to(base)) if file.is_relative_to(base) else str(file)


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
    ours = {NOTE, UNFINISHED, ".lock"}
    if found - FILES - ours or (found & FILES and not found & {NOTE, UNFINISHED}):
        name = sorted(found - ours)[0]
        raise UserError(f"{out} holds something else, such as {name}; choose another --out")
