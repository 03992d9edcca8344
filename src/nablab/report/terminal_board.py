"""A leader board in a terminal: the answer, the table as wide as there is room, and what to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nablab.report.columns_board import board_columns, board_explanation
from nablab.report.terminal import fitting, widths
from nablab.report.view_board import BoardView

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


@dataclass(frozen=True)
class BoardPrint:
    """What `rich` prints of a leader board."""

    view: BoardView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.padding import Padding
        from rich.text import Text

        view = self.view
        yield Text(view.title, style="bold")
        yield Text()
        yield _table(view, options.max_width)
        yield Text()
        yield Text(view.headline, style="bold green" if view.rows[0].rank == 1 else "bold yellow")
        yield Text()
        for note in (*view.notes, board_explanation(view)):
            yield Padding(Text(note, style="dim"), (0, 0, 0, 2))


def _table(view: BoardView, room: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    kept = fitting(board_columns(view), room)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, width in zip(kept, widths(kept, room), strict=True):
        table.add_column(
            Text(column.header),
            justify="right" if column.numeric else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=width,
        )
    for position, row in enumerate(view.rows):
        style = "bold green" if row.rank == 1 else ""
        table.add_row(*(Text(column.texts[position]) for column in kept), style=style)
    return table
