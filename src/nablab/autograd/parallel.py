"""Work on several cores: pieces of one operation, in Python threads, while NumPy computes outside of the GIL.

OpenBLAS runs at one thread meanwhile: its own threads would compete with these for the same cores.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from nablab.autograd.errors import AutogradError

#: Seconds after which BLAS's threads are used again for large products.
LATELY = 1.0

Task = Callable[[], object]
T = TypeVar("T")

_wanted: int | None = None


@cache
def _blas() -> list[Any]:
    """NumPy's BLAS libraries: loaded, since NumPy is."""
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
        self.number = len(tasks)
        self.tasks = iter(tasks)
        self.notes: SimpleQueue[BaseException | None] = SimpleQueue()

    def finish(self) -> None:
        """Do what is left, and wait for what the helpers took. Raises the first error of any of them."""
        errors: list[BaseException] = []
        taken = self.number
        for task in self.tasks:
            taken -= 1
            try:
                task()
            except BaseException as error:
                errors.append(error)
        for _ in range(taken):
            note = self.notes.get()
            if note is not None:
                errors.append(note)
        if errors:
            raise errors[0]


class _Helper(threading.Thread):
    """A thread that does tasks of jobs. One that comes late finds none left, and nobody has waited for it."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="nablab.autograd")
        self.inbox: SimpleQueue[_Job] = SimpleQueue()
        self.away_from: int | None = None
        self.start()

    def run(self) -> None:
        _here.helping = True
        np.seterr(all="ignore")
        while True:
            job = self.inbox.get()
            for task in job.tasks:
                try:
                    task()
                except BaseException as error:
                    job.notes.put(error)
                else:
                    job.notes.put(None)
                del task  # its arrays are not the helper's to keep
            del job

    def offer(self, job: _Job) -> None:
        """Give it a job, and a core that is not the caller's.

        Linux may wake a thread on the core of the one that woke it, to wait there or to push that aside: a
        step of a convolutional network then takes up to half as long again.
        """
        global _last_offer
        _last_offer = monotonic()
        core = _current_core()
        if core != self.away_from and self.native_id is not None:
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(self.native_id, cores - {core} or cores)
            self.away_from = core
        self.inbox.put(job)


class _Here(threading.local):
    helping = False


_here = _Here()
_helpers: list[_Helper] = []
_blas_lock = threading.Lock()
_blas_before: list[tuple[Any, int]] = []
_working = 0
_last_offer = -LATELY


@cache
def _core_query() -> Callable[[], int] | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return getattr(library, "sched_getcpu", None)


def _current_core() -> int | None:
    """The number of the core that this thread runs on; None where that cannot be asked or acted upon."""
    query = _core_query()
    return None if query is None else query()


def run(tasks: Sequence[Task]) -> None:
    """Do all tasks, in any order, and wait for them. What one raises is raised here.

    One by one where there is one task or one thread, and inside of a task that a helper does.
    """
    number = min(get_num_threads(), len(tasks)) - 1
    if number < 1 or _here.helping:
        for task in tasks:
            task()
        return
    job = _Job(tasks)
    with one_blas_thread():
        for helper in _helpers_to(number):
            helper.offer(job)
        job.finish()


def later(task: Callable[[], T]) -> Callable[[], T]:
    """Let a helper do a task; the returned function waits for the result, or does what has not begun."""
    result: list[T] = []

    def work() -> None:
        with one_blas_thread():
            result.append(task())

    job = _Job([work])
    _helpers_to(1)[0].offer(job)

    def promise() -> T:
        job.finish()
        return result[0]

    return promise


def _helpers_to(number: int) -> list[_Helper]:
    while len(_helpers) < number:
        _helpers.append(_Helper())
    return _helpers[:number]


def blas_threads() -> int:
    """How many threads a product may use by itself: one while others here share the work, or lately did.

    BLAS's threads wait for more to do without going to sleep, and would take the cores from ours.
    """
    if _here.helping or monotonic() - _last_offer < LATELY:
        return 1
    return get_num_threads()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS at one thread, from the first that enters until the last has left."""
    global _working
    with _blas_lock:
        if _working == 0:
            _blas_before[:] = [(library, library.num_threads) for library in _blas()]
            for library, _ in _blas_before:
                library.set_num_threads(1)
        _working += 1
    try:
        yield
    finally:
        with _blas_lock:
            _working -= 1
            if _working == 0:
                for library, number in _blas_before:
                    library.set_num_threads(number)


def _forget_helpers() -> None:
    """A forked child has none of its parent's threads, and no work of theirs to wait for."""
    global _blas_lock, _working
    _helpers.clear()
    _blas_lock, _working = threading.Lock(), 0


os.register_at_fork(after_in_child=_forget_helpers)


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
