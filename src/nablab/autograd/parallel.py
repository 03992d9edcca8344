"""Work on several cores: pieces of one operation, in Python threads, while NumPy computes outside of the GIL.

OpenBLAS runs at one thread meanwhile: its own threads would compete with these for the same cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

from threadpoolctl import ThreadpoolController

from nablab.autograd.errors import AutogradError

Task = Callable[[], object]

_wanted: int | None = None


@cache
def _blas() -> list[Any]:
    """NumPy's BLAS libraries."""
    import numpy as np  # loaded before they are looked for

    assert np is not None
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def get_num_threads() -> int:
    """How many threads an operation may use: as many as NumPy's BLAS had, unless `set_num_threads` said."""
    global _wanted
    if _wanted is None:
        _wanted = max([lib.num_threads for lib in _blas()], default=os.cpu_count() or 1)
    return _wanted


def set_num_threads(number: int) -> None:
    """Let operations, and NumPy's BLAS, use `number` threads.

    Sums are cut into as many parts, so the last digits of results depend on it.

    Raises AutogradError for a number below 1.
    """
    global _wanted
    if number < 1:
        raise AutogradError(f"the number of threads must be at least 1, not {number}")
    _wanted = number
    for library in _blas():
        library.set_num_threads(number)


class _Job:
    """Tasks that threads take one by one, and a note for each that a helper has done: its error, or None."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = iter(tasks)
        self.notes: SimpleQueue[BaseException | None] = SimpleQueue()


def _help(inbox: SimpleQueue[_Job]) -> None:
    """The life of a helper. One that comes late finds no task left, and nobody has waited for it."""
    while True:
        job = inbox.get()
        for task in job.tasks:
            try:
                task()
            except BaseException as error:
                job.notes.put(error)
            else:
                job.notes.put(None)
            del task  # its arrays are not the helper's to keep
        del job


_helpers: list[SimpleQueue[_Job]] = []
_busy = threading.Lock()


def run(tasks: Sequence[Task]) -> None:
    """Do all tasks, in any order, and wait for them. What one raises is raised here.

    Serial where there is one task or one thread, or where another thread of the user is here already.
    """
    number = min(get_num_threads(), len(tasks)) - 1
    if number < 1 or not _busy.acquire(blocking=False):
        for task in tasks:
            task()
        return
    try:
        with _one_blas_thread():
            _share(tasks, number)
    finally:
        _busy.release()


def _share(tasks: Sequence[Task], number: int) -> None:
    while len(_helpers) < number:
        inbox: SimpleQueue[_Job] = SimpleQueue()
        threading.Thread(target=_help, args=(inbox,), daemon=True, name="nablab.autograd").start()
        _helpers.append(inbox)
    job = _Job(tasks)
    for inbox in _helpers[:number]:
        inbox.put(job)
    done = 0
    errors: list[BaseException] = []
    for task in job.tasks:
        done += 1
        try:
            task()
        except BaseException as error:
            errors.append(error)
    for _ in range(len(tasks) - done):
        note = job.notes.get()
        if note is not None:
            errors.append(note)
    if errors:
        raise errors[0]


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    before = [(library, library.num_threads) for library in _blas()]
    for library, _ in before:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, number in before:
            library.set_num_threads(number)


def _forget_workers() -> None:
    """A forked child has none of its parent's threads."""
    global _busy
    _helpers.clear()
    _busy = threading.Lock()


os.register_at_fork(after_in_child=_forget_workers)


def cuts(length: int, parts: int) -> list[slice]:
    """`length` items as at most `parts` slices of nearly equal size, none of them empty.

    >>> cuts(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    parts = max(1, min(parts, length))
    edges = [length * i // parts for i in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def parts(work: int, *, at_least: int) -> int:
    """In how many parts to cut so much work: one for each thread, unless they would be smaller than that."""
    most = work // at_least
    return 1 if most < 2 else min(get_num_threads(), most)
