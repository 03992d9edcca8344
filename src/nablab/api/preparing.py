"""Data that a person brings: made ready once, or taken into the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nablab.api.paths import as_name, as_path
from nablab.api.sheet import Sheet
from nablab.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from nablab.data.sources import Source
    from nablab.data.sources.prepared import Prepared

_SHOWN = 5  # files left out that are named; prepared.json names all


def prepare(
    what: str | Path,
    place: str | Path | None = None,
    *,
    out: str | Path | None = None,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    strict: bool = False,
    progress: bool = True,
) -> Sheet:
    """Decode pictures once, into arrays that later load at once; interrupted, the same call goes on.

    Either a folder of class folders or a CSV that lists pictures, into `out`, which `load` then takes:
    `nablab.prepare("photos", out="photos-64", size=64)`. Or what Kaggle offers of a known set, into the
    cache: `nablab.prepare("dogs-vs-cats", "train.zip")`.

    Args:
        what: a folder, a `.csv`, or the name of a known set.
        place: of a known set: the folder or archive of its pictures.
        out: of a folder or CSV: the folder to write to.
        size: brings pictures to so many pixels a side.
        color: `grey` or `rgb`; None is grey where all pictures are, and in dogs-vs-cats.
        group: a regular expression; pictures whose names match it alike stay on one side of a split.
        strict: a picture that cannot be read is an error; otherwise it is left out and named in the result.
        progress: shows a bar.

    Raises:
        UserError: what cannot be prepared, and why.
    """
    from nablab.api.progress import work_bars
    from nablab.data.cache import cache_folder
    from nablab.data.prepare import prepare as prepare_pictures
    from nablab.data.sources import SOURCES

    what = what if isinstance(what, str) else as_path(what, "a folder, a .csv or a known set,")
    source = SOURCES.get(what.lower()) if isinstance(what, str) else None
    with work_bars(show=progress) as tell:
        if source is None:
            folder = _folder_to_write(what, place, out)
            done = prepare_pictures(
                as_path(what, "a folder or a .csv"),
                folder,
                size=size,
                color=color,
                group=group,
                strict=strict,
                progress=tell,
            )
            return _sheet(done, folder, str(folder))
        pictures = _pictures_of(source, place, out, group)
        assert source.preparer is not None
        done = source.preparer(pictures, size=size, color=color, strict=strict, progress=tell)
        return _sheet(done, cache_folder() / source.name, source.name)


def import_data(name: str, *files: str | Path, progress: bool = True) -> str:
    """Take files of a known set, which only a person can download, into the cache; says what is here then.

    `nablab.import_data("sign-digits", "X.npy", "Y.npy")`; then `nablab.load("sign-digits")`.

    Args:
        files: the files, or the folder or archive that holds them.

    Raises:
        UserError: no such set, one that takes no files, or files that are not what it takes.
    """
    from nablab.api.progress import work_bars
    from nablab.data.sources import SOURCES

    if as_name(name, "the name of a data set").lower() not in SOURCES:
        raise UserError(f"no data set {name!r}{did_you_mean(name, SOURCES)}")
    source = SOURCES[name.lower()]
    if not files and source.importer is not None:
        wanted = source.wanted or f"those that `nablab data fetch {source.name}` would download"
        raise UserError(f"{source.name}: name the files to import: {wanted}")
    with work_bars(show=progress) as tell:
        return source.take_in([as_path(file, "a file to import") for file in files], tell)


def _folder_to_write(what: str | Path, place: str | Path | None, out: str | Path | None) -> Path:
    """The folder for what is prepared of a person's own pictures."""
    from nablab.data.sources import SOURCES

    path = Path(what).expanduser()
    if not path.exists():
        known = {name: source for name, source in SOURCES.items() if source.preparer is not None}
        hint = did_you_mean(str(what), known)
        raise UserError(f"no folder or .csv {str(what)!r}, nor a set to prepare{hint}")
    if path.is_file() and path.suffix.lower() != ".csv":
        raise UserError(f"{path}: expected a folder of class folders, or a .csv that lists pictures")
    if place is not None:
        raise UserError(f"{path} is all that is prepared; leave {place} out, or say --out {place}")
    if out is None:
        raise UserError(f"say where to write what is prepared, e.g. --out {path.stem}-prepared")
    return as_path(out, "out, the folder to write to,")


def _pictures_of(source: Source, place: str | Path | None, out: str | Path | None, group: str | None) -> Path:
    """Where the pictures of a known set are."""
    if source.preparer is None:
        raise UserError(f"{source.name} needs no preparing: {source.available()}")
    if place is None:
        raise UserError(f"{source.name}: say where its pictures are; get {source.wanted}")
    for name, value in (("out", out), ("group", group)):
        if value is not None:
            raise UserError(f"{source.name} takes no {name}: it is kept in the cache, and has no groups")
    return as_path(place, "the folder or archive of its pictures")


def _sheet(done: Prepared, folder: Path, data: str) -> Sheet:
    count, channels, height, width = done.shape
    rows = [
        ("images", f"{count:,} of {channels} x {height} x {width}, {done.dtype}"),
        ("train + test", f"{done.train:,} + {done.test:,}"),
        ("classes", f"{len(done.classes)}: {', '.join(done.classes)}"),
        ("in", str(folder)),
        ("use it", f"--data {data}"),
    ]
    notes: tuple[str, ...] = ()
    if done.left_out:
        rows.insert(1, ("left out", f"{len(done.left_out):,} that cannot be read"))
        notes = tuple(f"left out: {file}: {why}" for file, why in done.left_out[:_SHOWN])
        more = len(done.left_out) - len(notes)
        notes += (f"and {more:,} more, all of them in {folder / 'prepared.json'}",) if more else ()
    return Sheet(("", f"prepared: {done.name}"), tuple(rows), notes=notes)
