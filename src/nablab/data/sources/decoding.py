"""Many pictures decoded at once.

By threads and not processes: Pillow decodes and resizes outside Python's global lock, so that two threads are
as fast as two processes, start at once, need no copies, and work in notebooks and unguarded scripts.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from nablab.data.fetch import Progress
from nablab.data.sources.picture import Color, Header, read_header, read_picture
from nablab.errors import UserError, did_you_mean
from nablab.machine import memory_bytes, usable_cores

MOST_SIDE = 4096

_MOST_BYTES = 8 * 2**30  # decoded, all pictures together, however much memory there is
_MOST_THREADS = 8  # each holds one picture in full, which may be 200 MB
_AHEAD = 4  # pictures a thread that may be done and not yet taken
_PATIENCE = 1.0  # seconds before progress is worth showing

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_all(
    files: Sequence[Path],
    place: Path,
    *,
    size: int | None,
    color: str | None,
    rows: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """All pictures (N, C, H, W), the first that cannot be read is an error.

    Args:
        place: where they are from; errors that are of no single file begin with it.
        size: height and width they are brought to; needed where they differ in size.
        color: `grey` or `rgb`; None is grey where all pictures are.
        rows: (N,) where each goes; None leaves them in their order.
        progress: told how many are looked at and then decoded, once that takes longer than a second.

    Raises:
        UserError: an option that does not fit; a picture that cannot be read or is enormous; different sizes
            without `size`; more than fits into memory.
    """
    check_options(size, color)
    headers = [] if size and color else read_headers(files, place, read_header, progress)
    shown = _Patient(progress, f"pictures in {place.resolve().name}", len(files))
    chosen = common_color(color, headers)
    height, width = common_size(headers, size, place)
    shape = (len(files), 1 if chosen == "grey" else 3, height, width)
    pixels = _room_for(shape, place)
    with closing(in_parallel(lambda file: read_picture(file, size, chosen), files)) as pictures:
        for number, picture in enumerate(pictures):
            pixels[number if rows is None else rows[number]] = picture
            shown.tell(number + 1)
    return pixels


def read_headers(
    files: Sequence[Path], place: Path, read: Callable[[Path], Result], progress: Progress | None
) -> list[Result]:
    """What `read` gives for each file; progress is told as for `read_all`."""
    shown = _Patient(progress, f"headers in {place.resolve().name}", len(files))
    found: list[Result] = []
    for header in in_parallel(read, files):
        found.append(header)
        shown.tell(len(found))
    return found


def fits(pictures: int, height: int, width: int) -> bool:
    """Whether so many pictures in colour are few enough for `read_all`."""
    return pictures * 3 * height * width <= _most_bytes()


def _most_bytes() -> int:
    """For all pictures together: half of a small memory is left for what is done with them."""
    return min(_MOST_BYTES, memory_bytes() // 2)


def _room_for(shape: tuple[int, ...], place: Path) -> NDArray[np.uint8]:
    """An array for all pictures, which takes memory only as they are filled in.

    Raises:
        UserError: there is no such room.
    """
    needed = math.prod(shape)
    try:
        if needed <= _most_bytes():
            return np.empty(shape, dtype=np.uint8)
    except MemoryError:
        pass
    raise UserError(
        f"{place}: {shape[0]:,} pictures of {shape[3]}x{shape[2]} are {needed / 2**30:.1f} GiB, more than "
        "memory here has room for; make them smaller, e.g. --size 64, or prepare them once: nablab data "
        "prepare"
    )


def check_options(size: int | None, color: str | None) -> None:
    """Raises: UserError: no size from 1 to `MOST_SIDE`, or no color."""
    whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (whole and 1 <= size <= MOST_SIDE):
        raise UserError(f"size must be a whole number of pixels from 1 to {MOST_SIDE}, not {size!r}")
    if color is not None and color not in get_args(Color):
        raise UserError(f"color {color!r} is neither grey nor rgb{did_you_mean(color, get_args(Color))}")


def common_color(color: str | None, headers: Sequence[Header]) -> Color:
    """What is asked for, else grey where all pictures are."""
    if color is not None:
        return "grey" if color == "grey" else "rgb"
    return "grey" if all(header.is_grey for header in headers) else "rgb"


def common_size(headers: Sequence[Header], size: int | None, place: Path) -> tuple[int, int]:
    """The height and width that all pictures have, or get.

    Raises:
        UserError: they differ, and no size is given.
    """
    if size is not None:
        return size, size
    first = headers[0]
    for other in headers:
        if (other.height, other.width) != (first.height, first.width):
            raise UserError(
                f"{place}: pictures differ in size ({first.width}x{first.height} in {first.path.name}, "
                f"{other.width}x{other.height} in {other.path.name}); give them one, e.g. --size 64"
            )
    return first.height, first.width


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item]) -> Generator[Result, None, None]:
    """What `function` gives for each item, in their order, computed by a few threads not far ahead.

    The first exception stops the rest, and so does closing the generator.
    """
    threads = min(usable_cores(), _MOST_THREADS, len(items))
    if threads < 2:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Patient:
    """Progress that is only told of what takes its time."""

    def __init__(self, progress: Progress | None, name: str, total: int) -> None:
        self._progress = progress
        self._name = name
        self._total = total
        self._begun = time.monotonic()

    def tell(self, done: int) -> None:
        if self._progress is not None and time.monotonic() - self._begun > _PATIENCE:
            self._progress(self._name, done, self._total)
