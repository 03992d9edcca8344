"""Running a lab in a fresh kernel: what it found is read back from its outputs, and held against its rows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from nablab import atomic
from nablab.errors import NablabError
from nablab.lessons.catalog import Lesson, lesson
from nablab.lessons.figures import MIME, MODE, Figure, Mode
from nablab.lessons.notebook import check_place, file_name, lesson_notebook, sign
from nablab.report import words

#: The environment variable that names the folder in which labs keep what they trained.
RESULTS = "NABLAB_LAB_RESULTS"

#: The tag of a cell whose error belongs to the lab: nbclient's.
ERROR_WANTED = "raises-exception"


@dataclass(frozen=True)
class LessonRun:
    """A lab that was run.

    Attributes:
        lesson: which.
        mode: quick or full.
        figures: all that it held and showed, in the order of its document's rows.
        failures: what went wrong, a line each: cells that failed, with what was found and expected.
        seconds: how long it took.
        notebook: the executed notebook, written also when something failed.
        page: the same as one HTML file; None where it was not asked for.
    """

    lesson: Lesson
    mode: Mode
    figures: tuple[Figure, ...]
    failures: tuple[str, ...]
    seconds: float
    notebook: Path
    page: Path | None

    @property
    def missing(self) -> tuple[str, ...]:
        """The rows of the document that nothing was shown of."""
        shown = {figure.row for figure in self.figures}
        return tuple(row for row in self.lesson.rows if row not in shown)

    @property
    def ok(self) -> bool:
        """Whether every cell ran, every figure was met, and every row was shown."""
        return not self.failures and not self.missing and all(figure.met for figure in self.figures)

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "lab": self.lesson.letter,
            "mode": self.mode,
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "figures": [asdict(figure) for figure in self.figures],
            "missing": list(self.missing),
            "failures": list(self.failures),
            "notebook": str(self.notebook),
            "page": None if self.page is None else str(self.page),
        }


@dataclass(frozen=True)
class Reached:
    """How far a lab has come.

    Attributes:
        done: how many of its cells ran, texts among them.
        total: of how many.
        section: the last heading.
        words: what the cell says of its own progress: `12 of 42 runs, 20 min 10 s left`; empty where nothing.
    """

    done: int
    total: int
    section: str = ""
    words: str = ""

    @property
    def detail(self) -> str:
        """`Our own, and the given: 12 of 42 runs, 20 min 10 s left`"""
        return ": ".join(part for part in (self.section, self.words) if part)


def run_lesson(
    letter: str,
    folder: Path | str,
    mode: Mode = "quick",
    *,
    page: bool = True,
    limit: float | None = None,
    on_progress: Callable[[Reached], None] | None = None,
) -> LessonRun:
    """Run a lab in a fresh kernel, and write the executed notebook and its page into a folder.

    The lab works in a folder of its own that is gone afterwards; what it trains in full mode is kept beside
    the notebook, in `lab-a`, and read when it runs again. A figure that is not met ends its cell and is told
    in `failures`; what comes after it still runs. Another error ends the lab.

    Args:
        letter: which.
        folder: where to write; files of an earlier run are replaced, those that somebody worked in are not.
        mode: quick (what ships with nablab, in a minute) or full (whole data sets, where they are there).
        page: writes the HTML page, too.
        limit: seconds after which it is stopped.
        on_progress: is told how far it has come.

    Raises:
        UserError: there is no such lab, or a notebook of its name that somebody worked in; nothing was run.
        NablabError: the folder cannot be written to.
        KeyboardInterrupt: so it was; says where, and how it goes on.
    """
    from nablab.lessons.page import write_page
    from nablab.report.notebook_run import notebook_text

    of, folder = lesson(letter), Path(folder)
    check_place(of.letter, folder)
    notebook = lesson_notebook(of.letter)
    sign(notebook, mode)
    began = monotonic()
    stopped = _run(notebook, _environment(of, mode, folder), limit, on_progress)
    seconds = monotonic() - began
    failures = (*failures_of(notebook), *stopped)
    written = folder / file_name(of.letter)
    atomic.write_text(written, notebook_text(notebook))
    html = folder / file_name(of.letter, ".html") if page else None
    if html is not None:
        write_page(notebook, of, html)
    return LessonRun(of, mode, figures_of(notebook, of), failures, seconds, written, html)


def figures_of(notebook: Any, of: Lesson) -> tuple[Figure, ...]:
    """What the outputs of an executed lab hold, by rows; a figure shown twice counts as last shown."""
    found: dict[tuple[str, str], Figure] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if MIME in output.get("data", {}):
                figure = Figure(**output["data"][MIME])
                found[figure.row, figure.what] = figure
    return tuple(figure for row in of.rows for figure in found.values() if figure.row == row)


def failures_of(notebook: Any) -> Iterator[str]:
    """A line for every cell that failed: its number, its heading and what was raised."""
    for name, cell in _cells_of_code(notebook):
        if ERROR_WANTED in cell.metadata.get("tags", ()):
            continue
        for output in cell.get("outputs", ()):
            # A cell that is stopped because its time is up holds an interrupt; `_run` says so better.
            if output.output_type == "error" and output.ename != KeyboardInterrupt.__name__:
                said = output.evalue if output.ename == AssertionError.__name__ else ""
                yield f"{name}: {said or f'{output.ename}: {output.evalue}'}"


def _cells_of_code(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Every cell of code, with what to call it: `cell 3 (Which rate)`, by its number and the last heading."""
    heading, number = "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = _last_heading(cell.source) or heading
        elif cell.cell_type == "code":
            number += 1
            yield f"cell {number} ({heading})", cell


def _run(
    notebook: Any,
    environment: dict[str, str],
    limit: float | None,
    on_progress: Callable[[Reached], None] | None,
) -> tuple[str, ...]:
    """Run it in place; what stopped it, as a line, where that was no error of a cell."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    from nablab.report.notebook_run import execute, machine_paths, scrub

    total = len(notebook.cells)
    reached = Reached(0, total)

    def tell(**change: Any) -> None:
        nonlocal reached
        reached = replace(reached, **change)
        if on_progress is not None:
            on_progress(reached)

    def begins(position: int) -> None:
        cell = notebook.cells[position]
        heading = _last_heading(cell.source) if cell.cell_type == "markdown" else ""
        tell(done=position, section=heading or reached.section, words="")

    def stopped(why: str) -> str:
        name = next(name for name, cell in _cells_of_code(notebook) if cell is notebook.cells[reached.done])
        return f"{name} was stopped: {why}{_kept(environment.get(RESULTS, ''))}"

    with tempfile.TemporaryDirectory(prefix="nablab-lab-") as work:
        try:
            execute(
                notebook,
                Path(work),
                environment=environment,
                go_on_after=(AssertionError.__name__,),
                deadline=None if limit is None else monotonic() + limit,
                on_cell=begins,
                on_words=lambda said: tell(words=said),
            )
        except NablabError as error:
            if isinstance(error.__cause__, CellExecutionError):
                return ()
            if limit is not None and isinstance(error.__cause__, CellTimeoutError):
                return (stopped(f"the time limit of {words.seconds(limit)} was up"),)
            return (str(error),)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(stopped("interrupted")) from None
        finally:
            scrub(notebook, machine_paths(Path(work)))
    tell(done=total, words="")
    return ()


def _kept(folder: str) -> str:
    """Where what a lab has trained is kept, if it is."""
    if not folder or not Path(folder).exists():
        return ""
    return f"; what it has trained is kept in {folder}, and the next run goes on from there"


def _environment(of: Lesson, mode: Mode, folder: Path) -> dict[str, str]:
    """What a lab is told; a folder for results is meant from here, not from where the lab works."""
    told = {MODE: mode, "PYTHONHASHSEED": "0"}  # sets are walked in the same order by everyone
    kept = os.environ.get(RESULTS) or (folder / file_name(of.letter, "") if mode == "full" else "")
    return told | ({RESULTS: str(Path(kept).absolute())} if kept else {})


def _last_heading(markdown: str) -> str:
    """The last heading of a cell, without the row that it ends in."""
    lines = [line.lstrip("#").strip() for line in markdown.splitlines() if line.startswith("#")]
    return lines[-1].partition(" · ")[0] if lines else ""
