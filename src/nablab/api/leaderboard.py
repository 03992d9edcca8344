"""All runs on the same data, from any number of folders, ranked."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.paths import as_name, as_path
from nablab.api.sheet import as_text
from nablab.atomic import write_text, write_with

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.analysis.board import Board
    from nablab.report.view_board import BoardView


class Leaderboard:
    """The methods of one data set, the highest mean accuracy first. Shows itself.

    A method is a model trained in one way on one share of the data; its seeds are one row.
    """

    def __init__(self, board: Board) -> None:
        self.board = board

    @cached_property
    def view(self) -> BoardView:
        """Every number and word that is shown, as frozen values."""
        from nablab.report.view_board import board_view

        return board_view(self.board)

    @property
    def fronts(self) -> dict[str, tuple[str, ...]]:
        """The Pareto fronts of accuracy by cost (`train_seconds`, `parameters`, `predict_seconds_1`,
        `predict_seconds_256`): labels, cheapest first."""
        return self.board.fronts

    def document(self) -> dict[str, Any]:
        """Rows, verdicts and fronts as plain data, as `--json` prints them."""
        from nablab.report.tables_board import board_document

        return board_document(self.view)

    def csv(self, path: str | Path) -> Path:
        """Write the table as comma-separated values, every number in full; returns the path."""
        from nablab.report.tables_board import board_csv

        write_text(path, board_csv(self.view))
        return Path(path)

    def markdown(self, path: str | Path) -> Path:
        """Write the table as Markdown; returns the path."""
        from nablab.report.tables_board import board_markdown

        write_text(path, board_markdown(self.view))
        return Path(path)

    def html(self, path: str | Path) -> Path:
        """Write table and Pareto fronts as one HTML file that needs no network; returns the path."""
        from nablab.report.html_board import write_board

        path = as_path(path, "the file to write,")
        write_board(self.view, path)
        return path

    def picture(self, path: str | Path) -> Path:
        """Draw the Pareto fronts into a file; its suffix (`.svg`, `.png`) says how. Returns the path.

        Raises:
            UserError: another suffix.
            NablabError: it cannot be written.
        """
        from nablab.errors import UserError
        from nablab.report.plots_board import board_figure
        from nablab.report.plots_theme import PAPER

        path = as_path(path, "the file to write,")
        if path.suffix.lower() not in (".svg", ".png"):
            raise UserError(f"{path}: pictures are .svg or .png")
        figure = board_figure(self.view)
        figure.set_facecolor(PAPER)
        write_with(path, partial(figure.savefig, dpi=140))
        return path

    def __rich__(self) -> RenderableType:
        from nablab.report.terminal_board import BoardPrint

        return BoardPrint(self.view)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        from nablab.api.sheet import Sheet
        from nablab.report.columns_board import board_columns, board_explanation

        shown = board_columns(self.view)
        rows = tuple(zip(*(column.texts for column in shown), strict=True))
        right = frozenset(column.header for column in shown if column.numeric)
        notes = (self.view.headline, *self.view.notes, board_explanation(self.view))
        return Sheet(tuple(column.header for column in shown), rows, notes=notes, right=right)._repr_html_()


def leaderboard(*folders: str | Path, data: str | None = None) -> Leaderboard:
    """Rank all finished runs below some folders that were measured on the same test images.

    Args:
        folders: runs, comparisons, or folders of them; by default `runs`.
        data: which data, where the runs are on several: its name, the beginning of its fingerprint, or what
            the error calls it.

    Raises:
        UserError: no runs there, none that has finished, or runs on different data; says which is which.
    """
    from nablab.analysis.board import load_board

    paths = [as_path(folder, "a folder of runs") for folder in folders or ("runs",)]
    return Leaderboard(load_board(paths, None if data is None else as_name(data, "the name of the data")))
