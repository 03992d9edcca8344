"""A small table that shows itself: as text, in a terminal, in a notebook, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import RenderableType

Align = Literal["left", "right"]


@dataclass(frozen=True)
class Sheet:
    """Rows of texts under headings.

    Attributes:
        headings: one a column.
        rows: each as long as `headings`.
        title: a line above; empty for none.
        notes: lines below.
        right: headings whose column is aligned to the right (numbers).
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    right: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter(self.rows)

    def records(self) -> list[dict[str, str]]:
        """A dictionary a row, by heading."""
        return [dict(zip(self.headings, row, strict=True)) for row in self.rows]

    def facts(self) -> dict[str, str]:
        """The second column by the first, for a sheet of names and values."""
        return {row[0]: row[1] for row in self.rows}

    def __rich__(self) -> RenderableType:
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for position, heading in enumerate(self.headings):
            # What a row is about, often a path to be copied, stays in one piece.
            whole = position == 0
            table.add_column(Text(heading), justify=self._align(heading), overflow="fold", no_wrap=whole)
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        above = [Text(self.title, style="bold"), Text()] if self.title else []
        below = [Text(), *(Text(note) for note in self.notes)] if self.notes else []
        return Group(*above, *([table] if self.rows else []), *below)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        head = self._line("th", self.headings)
        body = "".join(self._line("td", row) for row in self.rows)
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"

    def _align(self, heading: str) -> Align:
        return "right" if heading in self.right else "left"

    def _line(self, tag: str, cells: tuple[str, ...]) -> str:
        inside = (
            f'<{tag} style="text-align: {self._align(heading)}">{escape(cell)}</{tag}>'
            for heading, cell in zip(self.headings, cells, strict=True)
        )
        return f"<tr>{''.join(inside)}</tr>"


def as_text(renderable: RenderableType, width: int = 110) -> str:
    """What rich would print, without colours."""
    from rich.console import Console

    page = StringIO()
    Console(file=page, width=width, color_system=None, force_jupyter=False).print(renderable)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).strip("\n")
