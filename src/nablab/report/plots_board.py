"""Pareto fronts, drawn: accuracy against a cost, those that nothing beats named and joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from nablab.analysis.board import COSTS
from nablab.report.plots_scatter import Line, log_axis, name_tracks
from nablab.report.plots_theme import (
    INK,
    PERCENT_MARGIN,
    Margins,
    new_figure,
    percent_axis,
    plain_axes,
    stroke,
)
from nablab.report.view_board import COST_NAMES, BoardView
from nablab.report.view_types import PointView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 5.6, 3.9
_COLUMNS = 2


def front_figure(view: BoardView, cost: str) -> Figure:
    """Accuracy against one cost on a logarithmic axis.

    The front is a line of steps: left of it and above, there is nothing. Bars reach from the smallest to the
    largest over seeds. Points whose cost is not positive are left out.

    Args:
        cost: one of `nablab.analysis.board.COSTS`.
    """
    figure = new_figure(_WIDTH, _HEIGHT, Margins(left=PERCENT_MARGIN))
    _draw(figure, figure.add_subplot(), view, cost)
    return figure


def board_figure(view: BoardView) -> Figure:
    """The fronts of all costs that are known, in one picture."""
    costs = known_costs(view)
    rows = -(-len(costs) // _COLUMNS)
    columns = min(len(costs), _COLUMNS) or 1
    width, height = _WIDTH * columns, _HEIGHT * max(rows, 1) + 0.4
    figure = new_figure(width, height, Margins(left=PERCENT_MARGIN, top=0.5))
    figure.subplots_adjust(wspace=0.22, hspace=0.3)
    for position, cost in enumerate(costs, start=1):
        _draw(figure, figure.add_subplot(rows, columns, position), view, cost)
    figure.suptitle(view.title, color=INK, fontsize=11, parse_math=False, y=1 - 0.1 / height, va="top")
    return figure


def known_costs(view: BoardView) -> list[str]:
    """The costs that some method has a point for."""
    return [cost for cost in COSTS if _drawn(view, cost)]


def _drawn(view: BoardView, cost: str) -> list[PointView]:
    return [point for point in view.points[cost] if point.x > 0]


def _draw(figure: Figure, axes: Axes, view: BoardView, cost: str) -> None:
    plain_axes(axes)
    points = {point.label: point for point in _drawn(view, cost)}
    front = [points[label] for label in view.fronts[cost] if label in points]
    places = {row.label: position for position, row in enumerate(view.rows)}
    for point in points.values():
        if point not in front:
            _point(axes, point, INK, "o", 3.6, 0.4)
    for point in front:
        look = stroke(places[point.label])
        _point(axes, point, look.color, look.marker, 7.0, 1.0)
    axes.set_xlabel(COST_NAMES[cost], color=INK, fontsize=9)
    axes.set_ylabel("test accuracy", color=INK, fontsize=9)
    percent_axis(axes)
    axes.margins(x=0.14, y=0.12)
    if points:
        log_axis(axes, COSTS[cost])
        lines = _steps(axes, front)
        name_tracks(figure, axes, [[point] for point in front], places, [*lines, *_bars(points.values())])


def _point(axes: Axes, point: PointView, color: str, marker: str, size: float, alpha: float) -> None:
    spread = [[point.accuracy - point.low], [point.high - point.accuracy]]
    axes.errorbar(
        point.x,
        point.accuracy,
        spread,
        color=color,
        marker=marker,
        markersize=size,
        linestyle="none",
        elinewidth=1.2,
        alpha=alpha,
    )


def _steps(axes: Axes, front: Sequence[PointView]) -> list[Line]:
    """From the cheapest upwards, and to the right edge, as dear as may be."""
    limits = axes.get_xlim()
    x = [*(point.x for point in front), limits[1]]
    y = [*(point.accuracy for point in front), front[-1].accuracy]
    axes.step(x, y, where="post", color=INK, linewidth=1.0, alpha=0.45, zorder=1)
    axes.set_xlim(limits)
    ends = list(pairwise(zip(x, y, strict=True)))
    level = [((x1, y1), (x2, y1)) for (x1, y1), (x2, _) in ends]
    upright = [((x2, y1), (x2, y2)) for (_, y1), (x2, y2) in ends]
    return [*level, *upright]


def _bars(points: Iterable[PointView]) -> list[Line]:
    return [((point.x, point.low), (point.x, point.high)) for point in points]
