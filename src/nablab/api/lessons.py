"""The labs: listing them, opening one as a notebook, running them and saying what they found."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.paths import as_name, as_path
from nablab.api.planning import read_duration
from nablab.api.sheet import Sheet, as_text
from nablab.errors import NablabError
from nablab.lessons.catalog import LESSONS, lesson
from nablab.lessons.execute import LessonRun, run_lesson
from nablab.lessons.figures import Mode
from nablab.lessons.notebook import check_place
from nablab.lessons.notebook import open_lesson as write_lesson
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

_HEADINGS = ("row", "what", "published", "expected", "found", "on")


def list_lessons() -> Sheet:
    """The five labs: letter, title, the hand-out that each grew out of, how many rows it has of it.

    >>> [row["lab"] for row in list_lessons().records()]
    ['a', 'b', 'c', 'd', 'e']
    """
    rows = tuple((one.letter, one.title, one.document, str(len(one.rows))) for one in LESSONS)
    return Sheet(("lab", "title", "hand-out", "rows"), rows, right=frozenset({"rows"}))


def open_lesson(letter: str, folder: str | Path = ".") -> Path:
    """Write a lab as a notebook to work in, not run yet; returns its path.

    Args:
        letter: `a` to `e`.
        folder: where to.

    Raises:
        UserError: there is no such lab, or a file of that name is there; it stays as it is.
        NablabError: the folder cannot be written to.
    """
    return write_lesson(as_name(letter, "the letter of a lab"), as_path(folder, "a folder"))


@dataclass(frozen=True)
class LessonRuns:
    """Labs that were run. Shows a table of every figure: published, expected, found, and on which data.

    Attributes:
        runs: one a lab, in the order in which they were asked for.
        seconds: what all of them took.
    """

    runs: tuple[LessonRun, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every lab ran to its end, met all of its figures, and showed every row of its document."""
        return all(run.ok for run in self.runs)

    def document(self) -> dict[str, Any]:
        """All of it as plain data: what `--json` prints."""
        labs = [run.document() for run in self.runs]
        return {"ok": self.ok, "seconds": round(self.seconds, 1), "labs": labs}

    def sheets(self) -> tuple[Sheet, ...]:
        """The figures of each lab as a table, with what went wrong below."""
        return tuple(map(_sheet, self.runs))

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        parts: list[RenderableType] = []
        for sheet in self.sheets():
            parts += [sheet, ""]
        taken = ", ".join(f"{run.lesson.letter} {words.seconds(run.seconds)}" for run in self.runs)
        return Group(*parts, f"time      {words.seconds(self.seconds)} ({taken})")

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return "".join(sheet._repr_html_() for sheet in self.sheets())


def run_lessons(
    *letters: str,
    full: bool = False,
    out: str | Path = ".",
    pages: bool = True,
    time_limit: str | float | None = None,
    progress: bool = True,
) -> LessonRuns:
    """Run labs, each in a fresh kernel; write the executed notebooks and their pages, and say what was found.

    Args:
        letters: which; without any, all five.
        full: with whole data sets where they are here, at the size of the hand-outs; else with what ships
            with nablab, in a minute each.
        out: the folder for `lab-a.ipynb`, `lab-a.html`, ...; files of an earlier run are replaced, a notebook
            that somebody worked in is not.
        pages: writes the HTML pages, too.
        time_limit: what one lab may take, e.g. `"10m"` or seconds.
        progress: shows how far each lab has come.

    Raises:
        UserError: there is no such lab, or a notebook of its name that somebody worked in; nothing was run.
        NablabError: the folder cannot be written to, or a formula in a lab is not understood.
        KeyboardInterrupt: so it was; says where, and how it goes on.
    """
    from nablab.api.lesson_progress import lesson_progress

    wanted = [lesson(letter) for letter in _named(letters)]
    limit = None if time_limit is None else read_duration(time_limit)
    out = as_path(out, "out, the folder to write to,")
    for one in wanted:
        check_place(one.letter, out)
    began, runs = time.monotonic(), []
    for one in wanted:
        mode: Mode = "full" if full else "quick"
        with lesson_progress(f"lab {one.letter}", show=progress) as show:
            try:
                done = run_lesson(one.letter, out, mode, page=pages, limit=limit, on_progress=show)
            except (NablabError, KeyboardInterrupt) as error:
                raise type(error)(f"lab {one.letter}: {error}") from error
        runs.append(done)
    return LessonRuns(tuple(runs), time.monotonic() - began)


def _named(letters: Iterable[str]) -> list[str]:
    """Each letter once; all of them for none, and for `all`."""
    given = list(dict.fromkeys(as_name(letter, "the letter of a lab").lower() for letter in letters))
    return [one.letter for one in LESSONS] if not given or given == ["all"] else given


def _sheet(run: LessonRun) -> Sheet:
    rows = tuple(
        (f.row, f.what, f.published, f.expected, f.found if f.met else f"✗ {f.found}", f.on)
        for f in run.figures
    )
    missing = [f"missing   {', '.join(run.missing)}: nothing was shown of it"] if run.missing else []
    notes = (*(f"failed    {failure}" for failure in run.failures), *missing)
    title = f"Lab {run.lesson.letter.upper()}: {run.lesson.title} ({run.mode})"
    return Sheet(_HEADINGS, rows, title=title, notes=notes)
