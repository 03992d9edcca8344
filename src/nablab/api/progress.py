"""Progress while runs train: live in a terminal, one output in a notebook, plain lines anywhere else.

All of it goes to stderr (or to the notebook's cell): stdout is for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from nablab.api.overview import Overview, time_left
from nablab.report import words
from nablab.runs.events import RunDone, RunEpoch, RunEvent, RunFailed
from nablab.runs.planned import Plan

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, ProgressColumn, TaskID

#: Seconds between two updates of what is drawn, and between two lines where nothing is.
REDRAW = 0.2
QUIET_LINES = 20.0


class Display(Protocol):
    """Draws an `Overview`; `line` is what to remember an event by, empty for what passes."""

    def show(self, overview: Overview, event: RunEvent, line: str) -> None: ...


def watch(plan: Plan, events: Iterable[RunEvent], *, show: bool = True) -> Overview:
    """Go through all events, showing them when `show`; returns where things stand at the end."""
    overview = Overview(plan)
    with _display(plan) if show else nullcontext(None) as display:
        for event in events:
            line = overview.take(event)
            if display is not None:
                display.show(overview, event, line)
    return overview


def tell(line: str) -> None:
    """Say a line that is no result: on stderr, or in the cell of a notebook."""
    print(line, file=sys.stdout if in_notebook() else sys.stderr)


def in_notebook() -> bool:
    """Whether this is a notebook's kernel, which can display HTML."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _display(plan: Plan) -> AbstractContextManager[Display]:
    if in_notebook():
        return NotebookDisplay()
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalDisplay(console)
    return nullcontext(LineDisplay(len(plan.runs)))


class LineDisplay:
    """Plain lines: each run that ended; each epoch where there are few runs, or now and then."""

    def __init__(self, runs: int, stream: TextIO | None = None) -> None:
        self._few = runs <= 3
        self._stream = stream or sys.stderr
        self._last = time.monotonic()

    def show(self, overview: Overview, event: RunEvent, line: str) -> None:
        now = time.monotonic()
        if not line or (isinstance(event, RunEpoch) and not self._few and now - self._last < QUIET_LINES):
            return
        self._last = now
        left = time_left(overview.remaining)
        ahead = f" ({left})" if left and overview.ended < overview.total else ""
        print(f"[{overview.ended}/{overview.total}] {line}{ahead}", file=self._stream, flush=True)


class TerminalDisplay:
    """A bar for everything, a bar for each run under way, and a line for each run that ended."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
        )
        self._whole: TaskID = self._progress.add_task("all runs", total=1.0, detail="")
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TerminalDisplay:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, overview: Overview, event: RunEvent, line: str) -> None:
        if line and not isinstance(event, RunEpoch):
            style = "red" if isinstance(event, RunFailed) else None if isinstance(event, RunDone) else "dim"
            self._progress.console.print(line, style=style, markup=False, highlight=False)
        self._progress.update(self._whole, completed=overview.share, detail=_overall(overview))
        for run in [run for run in self._tasks if run not in overview.running]:
            self._progress.remove_task(self._tasks.pop(run))
        for run, going in overview.running.items():
            if run not in self._tasks:
                self._tasks[run] = self._progress.add_task(run, total=1.0, detail="")
            left = time_left(overview.run_remaining(run)) if going.share < 1 else ""
            detail = f"{going.detail}, {left}" if left else going.detail
            # An estimator says nothing until it is done: an unknown total makes its bar pulse.
            total = 1.0 if going.epochs else None
            self._progress.update(self._tasks[run], completed=going.share, total=total, detail=detail)


class NotebookDisplay:
    """One output of the cell, updated in place; at the end it says in a line what was done."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = 0.0
        self._ended: list[str] = []
        self._overview: Overview | None = None

    def __enter__(self) -> NotebookDisplay:
        from IPython import display

        shown: Any = display  # untyped
        self._handle = shown.display(_bundle("<p>planned</p>", "planned"), raw=True, display_id=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._overview is not None:
            said = summary(self._overview, interrupted=error is not None)
            self._update(f"<p><small>{escape(said)}</small></p>", said)

    def show(self, overview: Overview, event: RunEvent, line: str) -> None:
        self._overview = overview
        if isinstance(event, RunDone | RunFailed):
            self._ended.append(line)
        if time.monotonic() - self._drawn >= REDRAW:
            self._drawn = time.monotonic()
            self._update(progress_html(overview, self._ended[-1:]), _overall(overview))

    def _update(self, html: str, words: str) -> None:
        if self._handle is not None:
            self._handle.update(_bundle(html, words), raw=True)


def _bundle(html: str, words: str) -> dict[str, str]:
    """An output of a notebook, for those that draw HTML and for those that don't."""
    return {"text/html": html, "text/plain": words}


def progress_html(overview: Overview, ended: Iterable[str]) -> str:
    """A bar, the runs under way and the last that ended."""
    lines = [f"{going.run}: {going.detail}" for going in overview.running.values()]
    text = "<br>".join(escape(line) for line in [*lines, *ended])
    bar = f'<progress value="{overview.share:.4f}" max="1"></progress>'
    return f"<p>{bar} {escape(_overall(overview))}<br><small>{text}</small></p>"


def summary(overview: Overview, *, interrupted: bool = False) -> str:
    """What was done, in a line."""
    said = f"{overview.ended} of {overview.total} runs in {words.seconds(overview.elapsed)}"
    said += f", {overview.failed} failed" if overview.failed else ""
    return f"{said}, interrupted" if interrupted else said


def _overall(overview: Overview) -> str:
    left = time_left(overview.remaining) if overview.ended < overview.total else ""
    return ", ".join(part for part in (f"{overview.ended} of {overview.total} runs", left) if part)


@contextmanager
def download_bars(*, show: bool = True) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function that draws a bar for each file as it comes in; None when nothing is to be shown."""
    from rich.progress import DownloadColumn

    with _bars(DownloadColumn(), show) as tell:
        yield tell


@contextmanager
def work_bars(*, show: bool = True) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function that draws a bar for each piece of work, in percent; None when nothing is to be shown."""
    from rich.progress import TaskProgressColumn

    with _bars(TaskProgressColumn(), show) as tell:
        yield tell


@contextmanager
def _bars(amount: ProgressColumn, show: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    if not show:
        yield None
        return
    if in_notebook():  # rich needs ipywidgets there
        with _notebook_bars() as tell_cell:
            yield tell_cell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), amount, TimeRemainingColumn())
    bars = Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def tell(name: str, done: int, total: int) -> None:
        bars.start()  # only now: what has nothing to tell draws nothing
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total or None)
        bars.update(tasks[name], completed=done)

    try:
        yield tell
    finally:
        if tasks:
            bars.stop()


@contextmanager
def _notebook_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars in one output of the cell, which is empty again when the work is done."""
    from IPython import display

    shown: Any = display  # untyped
    pieces: dict[str, tuple[int, int]] = {}
    handle: Any = None
    drawn = 0.0

    def tell(name: str, done: int, total: int) -> None:
        nonlocal handle, drawn
        pieces[name] = done, total
        if handle is None:
            handle = shown.display(shown.HTML(bars_html(pieces)), display_id=True)
        elif time.monotonic() - drawn >= REDRAW:
            drawn = time.monotonic()
            handle.update(shown.HTML(bars_html(pieces)))

    try:
        yield tell
    finally:
        if handle is not None:
            handle.update(shown.HTML(""))


def bars_html(pieces: Mapping[str, tuple[int, int]]) -> str:
    """A bar for each piece of work, of which so many of so many are done; of 0: nobody knows of how many.

    >>> bars_html({"a": (1, 4)})
    '<p><progress value="1" max="4"></progress> a, 25 %</p>'
    """
    lines = []
    for name, (done, total) in pieces.items():
        bar = f'<progress value="{done}" max="{total}"></progress>' if total else "<progress></progress>"
        lines.append(f"{bar} {escape(name)}" + (f", {100 * done // total} %" if total else ""))
    return f"<p>{'<br>'.join(lines)}</p>"
