"""Breaks a tall stack of drawn pieces into columns of about equal height, and joins the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nablab.report.graph_svg import Drawing, number

#: A stack higher than this is wrapped, as long as there is a column left.
COMFORTABLE_HEIGHT = 460.0
#: Drawings are not wider than this; a stack that is wider by itself is made smaller as a whole.
MAX_WIDTH = 900.0
MARGIN = 12.0
COLUMN_GAP = 32.0


@dataclass(frozen=True)
class Stack:
    """Pieces that follow each other.

    Attributes:
        heights: of each piece.
        gap: between two of them.
        width: of the widest, skip connections included.
        centre: where in the width the line runs that joins one piece with the next.
        draw: draws some of the pieces from (x, y) downwards and returns where they end.
    """

    heights: tuple[float, ...]
    gap: float
    width: float
    centre: float
    draw: Callable[[Drawing, range, float, float], float]

    def height(self, pieces: range) -> float:
        return sum(self.heights[i] for i in pieces) + self.gap * max(len(pieces) - 1, 0)


def draw_in_columns(stack: Stack, title: str, description: str) -> str:
    """The whole stack as an SVG, in as many columns as keep it low and fit beside each other."""
    pitch = stack.width + COLUMN_GAP
    most = max(int((MAX_WIDTH - 2 * MARGIN + COLUMN_GAP) // pitch), 1)
    columns = break_into_columns(stack.heights, stack.gap, max_columns=most)
    top = MARGIN if len(columns) <= 1 else 2 * MARGIN
    width = max(len(columns), 1) * pitch - COLUMN_GAP + 2 * MARGIN
    height = max(map(stack.height, columns), default=0.0) + 2 * top
    drawing = Drawing(width, height, title, description, max_width=MAX_WIDTH)
    for index, column in enumerate(columns):
        x = MARGIN + index * pitch
        end = stack.draw(drawing, column, x, top)
        if index + 1 < len(columns):
            _join(
                drawing, (x + stack.centre, end), (x + pitch + stack.centre, top), x + pitch - COLUMN_GAP / 2
            )
    return drawing.to_text()


def _join(drawing: Drawing, start: tuple[float, float], end: tuple[float, float], between: float) -> None:
    """A line from the foot of one column through the space between to the head of the next."""
    drawing.line(
        f"M{number(start[0])} {number(start[1])}v4q0 8 8 8H{number(between - 8)}q8 0 8 -8"
        f"V{number(end[1] - 8)}q0 -8 8 -8H{number(end[0] - 8)}q8 0 8 8V{number(end[1] - 2)}"
    )
    drawing.arrow_head(end[0], end[1] - 1)


def break_into_columns(
    heights: Sequence[float], gap: float, *, max_columns: int, comfortable: float = COMFORTABLE_HEIGHT
) -> list[range]:
    """Which pieces stand in which column, in order; no piece is ever cut.

    The fewest columns that keep each within `comfortable`, `max_columns` at most; then the smallest
    height that this number of columns allows.

    >>> break_into_columns([100, 100, 100, 300], 10, max_columns=2, comfortable=330)
    [range(0, 3), range(3, 4)]
    """
    if not heights:
        return []
    total = sum(heights) + gap * (len(heights) - 1)
    if total <= comfortable or max_columns == 1:
        return [range(len(heights))]
    wanted = max_columns
    for columns in range(2, max_columns + 1):
        if len(_fill(heights, gap, comfortable)) <= columns:
            wanted = columns
            break
    low, high = max(heights), total
    while high - low > 1:
        middle = (low + high) / 2
        if len(_fill(heights, gap, middle)) <= wanted:
            high = middle
        else:
            low = middle
    return _fill(heights, gap, high)


def _fill(heights: Sequence[float], gap: float, limit: float) -> list[range]:
    """Columns filled one after the other up to `limit` (a single piece may exceed it)."""
    columns = []
    start, used = 0, 0.0
    for index, height in enumerate(heights):
        if index > start and used + gap + height > limit:
            columns.append(range(start, index))
            start, used = index, 0.0
        used += height + (gap if index > start else 0)
    columns.append(range(start, len(heights)))
    return columns
