"""The figures of a lab: what was found is held against what is expected, and kept in the notebook.

A figure is shown twice in a cell's output: as a line for people, and as `MIME` for `nablab lesson run` and
whatever else reads the executed notebook. So what is reported of a lab comes from the notebook itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

from nablab.errors import UserError
from nablab.lessons.catalog import Lesson, lesson
from nablab.lessons.measure import Bounds, measure, worded
from nablab.lessons.pictures import kernel_shell, show_figures

#: The kind of output that holds a figure as plain data.
MIME = "application/vnd.nablab.figure+json"

#: The environment variable that says how much a lab computes, and what it may say.
MODE = "NABLAB_LAB"
Mode = Literal["quick", "full"]

#: What a figure was found on, where no data is involved.
EXACT = "exact"


@dataclass(frozen=True)
class Figure:
    """One thing that a lab shows of a row of its document: texts only, as they are printed.

    Attributes:
        row: the row of the document, `A1`.
        what: what was computed, or shown.
        published: what the document says; empty where it says nothing.
        expected: what it was held against; empty for what is only shown.
        found: what the lab found; empty for what is only shown.
        on: on which data.
        note: what else is to be said.
        met: whether found is as expected; always, for what is only shown.
    """

    row: str
    what: str
    published: str = ""
    expected: str = ""
    found: str = ""
    on: str = ""
    note: str = ""
    met: bool = True

    def __str__(self) -> str:
        mark = "✓" if self.met else "✗"
        line = f"{mark} {self.row}  {self.what}"
        if self.found:
            held = [f"expected {self.expected}"]
            held += [f"published {self.published}"] if self.published else []
            held += [f"on {self.on}"] if self.on and self.on != EXACT else []
            line += f": {self.found} ({', '.join(held)})"
        return f"{line}. {self.note}" if self.note else line


class Lab:
    """A lab while it runs: how much it computes, and what it has shown. `begin` makes it."""

    def __init__(self, of: Lesson, mode: Mode) -> None:
        self.lesson = of
        self.mode: Mode = mode
        self._figures: dict[tuple[str, str], Figure] = {}

    @property
    def quick(self) -> bool:
        """Whether it keeps to what ships with nablab, and to a minute."""
        return self.mode == "quick"

    @property
    def full(self) -> bool:
        """Whether it takes whole data sets, where they are there."""
        return self.mode == "full"

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All that was shown, in the order in which it was first shown."""
        return tuple(self._figures.values())

    def figure(
        self,
        row: str,
        what: str,
        found: Any,
        *,
        expected: Any = None,
        tolerance: float = 0.0,
        between: tuple[float, float] | None = None,
        published: object = "",
        on: str = EXACT,
        note: str = "",
    ) -> None:
        """Hold a number, an array, a truth value or a text against what it should be, and show both.

        Args:
            row: the row of the document.
            what: what was computed, with its unit.
            found: the value; an array or tensor of any shape counts with all of its elements.
            expected: the right value, or one that broadcasts against `found`.
            tolerance: how far from it an element may be, in its unit.
            between: the least and the greatest value, in place of `expected`.
            published: what the document says, where that is not what is held.
            on: on which data it was found.
            note: a sentence more.

        Raises:
            AssertionError: it is not as expected; names row, found and expected.
            UserError: the document has no such row.
        """
        if (expected is None) == (between is None):
            raise UserError(
                f"the figure of {row} needs expected=... or between=(least, greatest), one of them"
            )
        bounds = Bounds(expected, tolerance, between)
        text, met = measure(found, bounds)
        figure = Figure(row, what, worded(published), str(bounds), text, on, note, met)
        self._keep(figure)
        if not met:
            raise AssertionError(f"{row} {what}: found {text}, expected {bounds}")

    def shown(self, row: str, what: str, *, on: str = "", note: str = "") -> None:
        """Say that a row whose substance is no number was drawn or explained here.

        Raises:
            UserError: the document has no such row.
        """
        self._keep(Figure(row, what, on=on, note=note))

    def summary(self) -> None:
        """Show the table of all that was held and shown, row by row as the document has them."""
        shown = self._figures.values()
        ordered = [figure for row in self.lesson.rows for figure in shown if figure.row == row]
        _display({"text/plain": "\n".join(map(str, ordered)), "text/html": table_html(ordered)})

    def _keep(self, figure: Figure) -> None:
        if figure.row not in self.lesson.rows:
            known = ", ".join(self.lesson.rows)
            raise UserError(f"lab {self.lesson.letter} has no row {figure.row!r}; its rows are {known}")
        self._figures[figure.row, figure.what] = figure
        _display({"text/plain": str(figure), MIME: asdict(figure)})


def begin(letter: str) -> Lab:
    """Begin a lab: call it in its first code cell. From then on a notebook shows matplotlib's figures.

    How much it computes is said by the environment variable `NABLAB_LAB`, `quick` (default) or `full`.

    Raises:
        UserError: there is no such lab, or the variable says something else.
    """
    mode = os.environ.get(MODE) or "quick"
    show_figures()
    if mode == "quick":
        return Lab(lesson(letter), "quick")
    if mode == "full":
        return Lab(lesson(letter), "full")
    raise UserError(f"the environment variable {MODE} is {mode!r}: it may be quick or full")


def table_html(figures: Sequence[Figure]) -> str:
    """The table row | what | published | expected | found | on which data, as HTML for a notebook."""
    heads = ("row", "what", "published", "expected", "found", "on")
    head = "".join(f"<th>{name}</th>" for name in heads)
    lines = []
    for figure in figures:
        values = (figure.row, figure.what, figure.published, figure.expected, figure.found, figure.on)
        lines.append("".join(f"<td>{escape(value)}</td>" for value in values))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="figures"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _display(bundle: dict[str, Any]) -> None:
    """Put a bundle out in a notebook's cell; its plain text anywhere else."""
    if kernel_shell() is None:
        print(bundle["text/plain"])
        return
    from IPython import display

    show: Any = display.display
    show(bundle, raw=True)
