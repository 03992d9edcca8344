"""Accuracy against what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nablab.report.graph_svg import clean
from nablab.report.plots_labels import Rectangle, place_labels
from nablab.report.plots_theme import (
    GRID,
    INK,
    PERCENT_MARGIN,
    Margins,
    model_places,
    new_figure,
    percent_axis,
    plain_axes,
    stroke,
)
from nablab.report.view_types import ComparisonView, PointView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: From one point to another.
Line = tuple[tuple[float, float], tuple[float, float]]

#: Pixels across.
_BEAD = 5.0


def scatter_figure(
    view: ComparisonView, points: Sequence[PointView], x_label: str, *, seconds: bool = False
) -> Figure:
    """Accuracy against a cost on a logarithmic axis; the fractions of one model are joined.

    Error bars reach from the smallest to the largest over seeds. Points whose x is not positive are left out.

    Args:
        view: gives every model its stroke.
        points: `view.time_points` or `view.parameter_points`.
        x_label: what x is.
        seconds: x is a time, and ticks say so; otherwise it is a count.
    """
    figure = new_figure(5.6, 3.9, Margins(left=PERCENT_MARGIN))
    axes = figure.add_subplot()
    plain_axes(axes)
    places = model_places(view)
    tracks = [
        sorted((p for p in points if p.label == label and p.x > 0), key=lambda p: p.fraction)
        for label in dict.fromkeys(point.label for point in points)
    ]
    tracks = [track for track in tracks if track]
    for track in tracks:
        _draw_track(axes, track, places[track[0].label])
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel("test accuracy", color=INK, fontsize=9)
    percent_axis(axes)
    axes.margins(x=0.14, y=0.12)
    if tracks:
        log_axis(axes, seconds)
        name_tracks(figure, axes, tracks, places)
    return figure


def _draw_track(axes: Axes, track: Sequence[PointView], place: int) -> None:
    """One model's points, the largest fraction biggest."""
    look = stroke(place)
    x, y = [p.x for p in track], [p.accuracy for p in track]
    axes.plot(x, y, color=look.color, linewidth=1.1, alpha=0.55, linestyle=look.dash)
    for index, point in enumerate(track):
        spread = [[point.accuracy - point.low], [point.high - point.accuracy]]
        size = 7.0 if index + 1 == len(track) else 4.0
        axes.errorbar(
            point.x,
            point.accuracy,
            spread,
            color=look.color,
            marker=look.marker,
            markersize=size,
            linestyle="none",
            elinewidth=1.2,
        )


def log_axis(axes: Axes, seconds: bool) -> None:
    """A logarithmic x axis that reaches over a factor of four at least, with ticks that people read."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high / low < 4:
        middle = (low * high) ** 0.5
        low, high = middle / 2, middle * 2
        axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(low, high, _TIMES if seconds else _COUNTS)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _time(x) if seconds else _count(x)))
    axes.xaxis.set_minor_locator(NullLocator())


_COUNTS = [digit * 10.0**power for power in range(13) for digit in (1, 2, 5)]
_TIMES = [digit * 10.0**power for power in range(-6, 1) for digit in (1, 3)]
_TIMES += [10, 30, 60, 180, 600, 1800, 3600, 3 * 3600, 10 * 3600, 30 * 3600]


def _ticks(low: float, high: float, candidates: Sequence[float]) -> list[float]:
    """Those candidates that lie on the axis, thinned to six at most."""
    inside = [tick for tick in candidates if low <= tick <= high]
    step = -(-len(inside) // 6)
    return inside[::step] if step > 1 else inside


def _count(count: float) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, "")):
        if count >= 0.999 * size:
            return f"{count / size:.4g}{unit}"
    return f"{count:.4g}"


def _time(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if seconds >= 0.999 * size:
            return f"{seconds / size:.4g} {unit}"
    return f"{1e6 * seconds:.4g} µs"


def name_tracks(
    figure: Figure,
    axes: Axes,
    tracks: Sequence[Sequence[PointView]],
    places: dict[str, int],
    lines: Sequence[Line] = (),
) -> None:
    """The name of each model beside its last point, where it covers least.

    Args:
        lines: level or upright ones, in the units of the axes, that names should keep off, too.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    axes.set_xlim(axes.get_xlim())  # what is measured now must not move any more
    axes.set_ylim(axes.get_ylim())
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    names = []
    for track in tracks:
        color, label = stroke(places[track[-1].label]).color, clean(track[-1].label)
        names.append(axes.text(0, 0, label, transform=figure.transFigure, color=color, fontsize=9))
        names[-1].set(va="bottom", parse_math=False)
    boxes = [name.get_window_extent(renderer) for name in names]
    area = axes.get_window_extent(renderer)
    frame = Rectangle(area.x0, area.y0, area.width, area.height)
    points = [_pixels(axes, track[-1].x, track[-1].accuracy) for track in tracks]
    obstacles = [one for track in tracks for point in track for one in _obstacles(axes, point)]
    obstacles += [one for track in tracks for ends in pairwise(track) for one in _beads(axes, *ends)]
    obstacles += [_along(axes, line) for line in lines]
    corners = place_labels(points, [(box.width + 2, box.height) for box in boxes], obstacles, frame)
    for name, corner, box, end in zip(names, corners, boxes, points, strict=True):
        across, up = figure.transFigure.inverted().transform(corner)
        name.set_position((float(across), float(up)))
        _lead(axes, (min(max(end[0], corner[0]), corner[0] + box.width), corner[1] + box.height / 2), end)


def _pixels(axes: Axes, x: float, y: float) -> tuple[float, float]:
    across, up = axes.transData.transform((x, y))
    return float(across), float(up)


def _obstacles(axes: Axes, point: PointView) -> tuple[Rectangle, Rectangle]:
    """A point and its error bar."""
    x, y = _pixels(axes, point.x, point.accuracy)
    (_, low), (_, high) = _pixels(axes, point.x, point.low), _pixels(axes, point.x, point.high)
    return Rectangle(x - 6, y - 6, 12, 12), Rectangle(x - 2, low, 4, high - low)


def _beads(axes: Axes, first: PointView, second: PointView) -> list[Rectangle]:
    """The line that joins two points, as squares along it."""
    (x1, y1), (x2, y2) = (_pixels(axes, point.x, point.accuracy) for point in (first, second))
    shares = np.linspace(0, 1, 2 + int(math.hypot(x2 - x1, y2 - y1) / _BEAD))
    return [
        Rectangle(x1 + share * (x2 - x1) - _BEAD / 2, y1 + share * (y2 - y1) - _BEAD / 2, _BEAD, _BEAD)
        for share in shares.tolist()
    ]


def _along(axes: Axes, line: Line) -> Rectangle:
    (x1, y1), (x2, y2) = (_pixels(axes, *end) for end in line)
    return Rectangle(min(x1, x2) - 1, min(y1, y2) - 1, abs(x2 - x1) + 2, abs(y2 - y1) + 2)


def _lead(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin line from a name to its point, where they are not beside each other."""
    if abs(start[0] - end[0]) + abs(start[1] - end[1]) > 24:
        to_data = axes.transData.inverted().transform
        (x1, y1), (x2, y2) = to_data(start), to_data(end)
        axes.plot([x1, x2], [y1, y2], color=GRID, linewidth=1, zorder=0)
