"""A data set in a terminal: facts, counts by class, and pictures where the terminal has colours for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nablab.data.describe import Points
from nablab.report.half_blocks import HalfBlocks, can_show
from nablab.report.mosaic import RGBA, mosaic
from nablab.report.plots_theme import DARK
from nablab.report.view_data import DataView, PictureColumn
from nablab.report.words import number

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

_GAP = 2  #: characters between two pictures, and twice as many between two columns of them
_NAME = 20  #: the most characters a class's name gets beside its pictures
_LARGE, _SMALL = 28, 16  #: the sides of pictures, in pixels, between which the width decides
_BAR = 40


def render(view: DataView) -> RenderableType:
    """What `rich` prints: it takes the width, the colours and the characters of where it is printed."""
    return _Data(view)


@dataclass(frozen=True, eq=False)
class _Data:
    view: DataView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        view = self.view
        yield Text(view.title, style="bold")
        yield Text(view.subtitle)
        yield Text()
        yield _facts(view)
        yield Text()
        shows = can_show(console)
        if shows and view.columns:
            yield from _class_pictures(view, options.max_width)
            if view.missing:
                yield Text(f"and {view.missing} more classes", style="dim")
        else:
            yield _counts(view, "━" if console.encoding.lower().startswith("utf") else "#")
        points = view.summary.points
        if shows and points is not None:
            yield Text()
            yield HalfBlocks(scatter(points, min(options.max_width, 72), 48))


def _facts(view: DataView) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in view.facts:
        table.add_row(Text(name), Text(text))
    return table


def _counts(view: DataView, line: str) -> Table:
    """How many samples each class has, with a bar for those to train on."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("class", overflow="fold")
    table.add_column("train", justify="right", no_wrap=True)
    table.add_column("test", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    most = max(row.train for row in view.summary.classes)
    for label, row in enumerate(view.summary.classes):
        style = DARK[label % len(DARK)] if view.summary.points else "dim"
        bar = Text(line * round(_BAR * row.train / most), style=style)
        table.add_row(Text(row.name), number(row.train), number(row.test), bar)
    return table


def _class_pictures(view: DataView, width: int) -> RenderResult:
    """A row a class: its name and counts beside its mean image and its examples."""
    from rich.table import Table
    from rich.text import Text

    texts = [text for row in view.summary.classes for text in (row.name, f"{number(row.train)} train")]
    label = min(_NAME, max(map(len, texts)))
    columns, side = fitting(view.columns, width - label - 2 * _GAP)
    tiles = [[_with_line_below(mosaic([row], side, _GAP)) for row in column.rows] for column in columns]
    table = Table.grid(padding=(0, 2 * _GAP, 0, 0))
    table.add_column(width=label, overflow="ellipsis")
    heads = [Text(c.heading, style="dim", overflow="ellipsis", no_wrap=True) for c in columns]
    table.add_row("", *heads)
    for place, row in enumerate(view.summary.classes[: len(tiles[0])]):
        words = Text(row.name, style="bold", overflow="ellipsis")
        words.append(f"\n{number(row.train)} train\n{number(row.test)} test", style="not bold dim")
        table.add_row(words, *(HalfBlocks(rows[place]) for rows in tiles))
    yield table


def _with_line_below(picture: RGBA) -> RGBA:
    return np.pad(picture, ((0, 2 + picture.shape[0] % 2), (0, 0), (0, 0)))


def fitting(columns: tuple[PictureColumn, ...], width: int) -> tuple[list[PictureColumn], int]:
    """As many pictures as go into `width` characters, and the side to scale them to, in pixels.

    Pictures become smaller before they become fewer.
    """
    longest = max(max(picture.shape[:2]) for column in columns for row in column.rows for picture in row)
    room = width - _GAP * (len(columns) - 1) + _GAP
    wanted = sum(column.width for column in columns)
    sides = _sides(longest)
    side = next((side for side in sides if wanted * (side + _GAP) <= room), sides[-1])
    most = max(1, (room // (side + _GAP) - 1) // max(1, len(columns) - 1))
    return [columns[0], *(column.first(most) for column in columns[1:])], side


def _sides(longest: int) -> list[int]:
    """The sides a picture may be scaled to, the largest first: whole multiples or whole parts of its own."""
    multiples = [longest * times for times in range(_LARGE // longest, 0, -1)]
    parts = (
        [-(-longest // parts) for parts in range(2, -(-longest // _SMALL) + 1)] if longest > _SMALL else []
    )
    return multiples + [side for side in parts if side <= _LARGE]


def scatter(points: Points, width: int, height: int) -> RGBA:
    """The first two features as dots, a colour a class; the first to the right, the second upwards.

    Where there is one feature, each class has a line of its own.
    """
    across = points.x[:, 0].astype(np.float64)
    up = points.x[:, 1].astype(np.float64) if points.x.shape[1] > 1 else points.y.astype(np.float64)
    columns = _places(across, width)
    rows = height - 1 - _places(up, height)
    out = np.zeros((height, width, 4), np.uint8)
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in DARK], np.uint8)
    out[rows, columns, :3] = colours[points.y % len(colours)]
    out[rows, columns, 3] = 255
    return out


def _places(values: NDArray[np.float64], length: int) -> NDArray[np.intp]:
    low, high = values.min(), values.max()
    shares: NDArray[np.float64] = (values - low) / ((high - low) or 1.0)
    return np.rint(shares * (length - 1)).astype(np.intp)
