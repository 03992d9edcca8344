"""How far a lab has come: a bar in a terminal, plain lines in a log, a bar in a notebook's cell.

One cell of a lab takes a second, another an hour, so there is no estimate for a lab as a whole. Its cells say
how long their trainings still take, and that is passed on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from nablab.api.progress import QUIET_LINES, in_notebook, work_bars
from nablab.lessons.execute import Reached
from nablab.report import words


@contextmanager
def lesson_progress(name: str, *, show: bool = True) -> Iterator[Callable[[Reached], None] | None]:
    """A function that shows how far a lab has come; None when nothing is to be shown."""
    from rich.console import Console

    console = Console(stderr=True)
    if not show:
        yield None
    elif in_notebook():
        with work_bars() as tell:
            yield None if tell is None else lambda reached: tell(name, reached.done, reached.total)
    elif console.is_terminal and not console.is_dumb_terminal:
        yield from _bar(name, console)
    else:
        yield Lines(name).show


def _bar(name: str, console: object) -> Iterator[Callable[[Reached], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=len(name))
        ),
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=7)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
    )
    with Progress(*columns, console=console) as bars:  # type: ignore[arg-type]
        task = bars.add_task(name, total=None, detail="")
        yield lambda reached: bars.update(
            task, completed=reached.done, total=reached.total, detail=reached.words or reached.section
        )


class Lines:
    """Plain lines: at most one in twenty seconds, with the cell, its section and what it says itself."""

    def __init__(self, name: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic):
        self._name = name
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = self._last = clock()

    def show(self, reached: Reached) -> None:
        now = self._clock()
        if now - self._last < QUIET_LINES or reached.done == reached.total:
            return
        self._last = now
        place = f"cell {reached.done + 1} of {reached.total}"
        elapsed = words.seconds(now - self._began)
        print(f"{self._name}, {elapsed}: {place}, {reached.detail}", file=self._stream, flush=True)
