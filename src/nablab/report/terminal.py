"""The comparison in a terminal: the answer, the table as wide as there is room, and what to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nablab.report.columns import Column, best_rows, columns, explanation
from nablab.report.view_types import ComparisonView, FailureView
from nablab.report.words import share

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

_GAP = 2  # between columns: padding, and the place of the line that this kind of table leaves out


def render(view: ComparisonView) -> RenderableType:
    """What `rich` prints: it takes the width, the colours and the characters of where it is printed."""
    return _Comparison(view)


@dataclass(frozen=True)
class _Comparison:
    view: ComparisonView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.padding import Padding
        from rich.text import Text

        view = self.view
        yield Text(view.title, style="bold")
        yield Text()
        kept = fitting(columns(view), options.max_width)
        yield _table(view, kept, widths(kept, options.max_width))
        yield Text()
        yield Text(view.headline, style="bold green" if best_rows(view) else "bold yellow")
        yield Text()
        for failure in view.failures:
            yield Padding(Text(_failure(failure), style="red"), (0, 0, 0, 2))
        for note in (*view.notes, explanation(view)):
            yield Padding(Text(note, style="dim"), (0, 0, 0, 2))


def fitting(wanted: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit into `width` characters; those that matter least go first."""
    kept = list(wanted)
    while len(kept) > 1 and sum(_least(column) for column in kept) + _GAP * (len(kept) - 1) > width:
        kept.remove(min(kept, key=lambda column: column.keep))
    return kept


def widths(kept: Sequence[Column], width: int) -> list[int]:
    """How wide each column is: as wide as its texts, or as much of that as there is room for."""
    found = [_least(column) for column in kept]
    room = width - sum(found) - _GAP * (len(kept) - 1)
    for position, column in enumerate(kept):
        more = min(max(room, 0), _most(column) - found[position])
        found[position] += more
        room -= more
    return found


def _most(column: Column) -> int:
    """What the column needs to show everything."""
    from rich.cells import cell_len

    return max(cell_len(text) for text in (column.header, *column.texts))


def _least(column: Column) -> int:
    """What the column cannot do without."""
    most = _most(column)
    return most if column.narrowest is None else min(most, max(column.narrowest, len(column.header)))


def _table(view: ComparisonView, kept: Sequence[Column], wide: Sequence[int]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for column, width in zip(kept, wide, strict=True):
        table.add_column(
            Text(column.header),
            justify="right" if column.numeric else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=width,
        )
    best = {row.label for row in best_rows(view)}
    for position, row in enumerate(view.rows):
        style = "bold green" if row.label in best else "" if row.main and row.main.n else "red"
        table.add_row(*(Text(column.texts[position]) for column in kept), style=style)
    return table


def _failure(failure: FailureView) -> str:
    where = "" if failure.epoch is None else f" in epoch {failure.epoch + 1}"
    step = "" if failure.step is None else f", step {failure.step + 1}"
    what = f"{failure.label} at {share(failure.fraction)}, seed {failure.seed}: {failure.kind}{where}{step}"
    return f"{what}: {failure.message}"
