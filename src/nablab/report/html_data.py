"""A data set in a notebook: a table a row a class, with its pictures inline."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from nablab.report.html import environment
from nablab.report.mosaic import mosaic
from nablab.report.plots_data import points_figure
from nablab.report.plots_svg import themed_svg
from nablab.report.view_data import DataView
from nablab.report.view_types import Picture

_SIDE, _GAP = 56, 4


@dataclass(frozen=True)
class Strip:
    """Pictures beside each other as one PNG, in pixels of the page."""

    uri: str  #: data:image/png;base64,...
    width: int
    height: int


def data_html(view: DataView) -> str:
    """What a notebook shows: facts, counts by class, mean images and examples, or a plot of the points."""
    strips = [[strip(row) for row in column.rows] for column in view.columns]
    points = view.summary.points
    plot = ""
    if points is not None:
        figure = points_figure(points.x, points.y, [row.name for row in view.summary.classes])
        plot = themed_svg(figure, f"points-{view.summary.fingerprint[:8]}", f"The points of {view.title}")
    rows = [
        (row, [column[place] for column in strips] if strips and place < len(strips[0]) else [])
        for place, row in enumerate(view.summary.classes)
    ]
    return environment().get_template("data.html").render(view=view, rows=rows, plot=plot)


def strip(pictures: Sequence[Picture]) -> Strip | None:
    """A row of pictures; None where there is none."""
    from PIL import Image

    if not pictures:
        return None
    pixels = mosaic([pictures], _SIDE, _GAP)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    uri = "data:image/png;base64," + b64encode(buffer.getvalue()).decode()
    return Strip(uri, pixels.shape[1], pixels.shape[0])
