"""The picture of a data set: the mean image and examples of each class beside their counts, or its points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from nablab.atomic import write_with
from nablab.report.graph_svg import clean, clipped
from nablab.report.mosaic import mosaic
from nablab.report.plots_theme import INK, LIGHT, PAPER, new_figure, plain_axes, stroke
from nablab.report.view_data import DataView
from nablab.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

#: Pixels to the inch: a picture is drawn in whole pixels of this grid.
DPI = 144

# In these pixels: the side of a picture, gaps between pictures and between columns, heights and widths.
_SIDE, _GAP, _APART, _MARGIN = 84, 8, 40, 36
_HEAD, _HEADINGS = 118, 34
_LETTER, _LONGEST = 11.5, 24
_BARS = 220


@dataclass(frozen=True)
class _Page:
    """Places in pixels from the upper left corner, as matplotlib's shares of a figure."""

    width: int
    height: int

    def figure(self) -> Figure:
        figure = new_figure(self.width / DPI, self.height / DPI)
        figure.set_layout_engine("none")
        figure.set_facecolor(PAPER)
        figure.set_dpi(DPI)
        return figure

    def axes(self, figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
        place = (left / self.width, 1 - (top + height) / self.height)
        return figure.add_axes((*place, width / self.width, height / self.height))

    def text(self, figure: Figure, left: float, top: float, text: str, size: float, **style: Any) -> None:
        x, y = left / self.width, 1 - top / self.height
        settings: dict[str, Any] = {"fontsize": size, "color": INK, "va": "center", "parse_math": False}
        figure.text(x, y, clean(text), **(settings | style))


def data_figure(view: DataView) -> Figure:
    """Pictures of images, points of features; without either, the counts by class alone."""
    points = view.summary.points
    if points is not None:
        return points_figure(points.x, points.y, [row.name for row in view.summary.classes], view)
    return _images_figure(view)


def _images_figure(view: DataView) -> Figure:
    from nablab.report.plots_fonts import readable

    mosaics = [mosaic(column.rows, _SIDE, _GAP) for column in view.columns]
    classes = view.summary.classes[: len(view.summary.classes) - view.missing]
    tall = (mosaics[0].shape[0] + _GAP) // len(classes) if mosaics else 34
    names = [clipped(row.name, _LONGEST) for row in classes]
    label = round(_LETTER * max(cell_len(readable(name)) for name in names)) + 24
    top = _HEAD + _HEADINGS
    wide = sum(image.shape[1] + _APART for image in mosaics)
    page = _Page(2 * _MARGIN + label + wide + _BARS + 70, top + tall * len(classes) + _MARGIN)
    figure = page.figure()
    page.text(figure, _MARGIN, 42, view.title, 16, weight="bold")
    page.text(figure, _MARGIN, 80, view.subtitle, 10, alpha=0.8)
    middles = [top + tall * (place + 0.5) - _GAP / 2 for place in range(len(classes))]
    left = _MARGIN + label
    for middle, name in zip(middles, names, strict=True):
        page.text(figure, left - 24, middle, name, 10, ha="right")
    for column, image in zip(view.columns, mosaics, strict=True):
        page.text(figure, left, top - 18, column.heading, 9, alpha=0.7)
        axes = page.axes(figure, left, top, image.shape[1], image.shape[0])
        axes.imshow(image, interpolation="none", aspect="auto")
        axes.axis("off")
        left += image.shape[1] + _APART
    _draw_counts(page, figure, view, left, top, middles)
    return figure


def _draw_counts(
    page: _Page, figure: Figure, view: DataView, left: float, top: float, middles: list[float]
) -> None:
    """Two bars a class, with their numbers."""
    classes = view.summary.classes
    most = max(max(row.train, row.test) for row in classes)
    page.text(figure, left, top - 18, "train", 9, color=LIGHT[0])
    page.text(figure, left + 54, top - 18, "test", 9, color=LIGHT[1])
    axes = page.axes(figure, left, 0, _BARS, page.height)
    axes.set(xlim=(0, most), ylim=(page.height, 0))
    axes.axis("off")
    for middle, row in zip(middles, classes, strict=False):
        for place, (count, colour) in enumerate(((row.train, LIGHT[0]), (row.test, LIGHT[1]))):
            height = middle + (place - 0.5) * 26
            axes.barh(height, count, height=14, color=colour)
            page.text(figure, left + _BARS * count / most + 8, height, number(count), 8.5)
    if view.missing:
        page.text(figure, left, middles[-1] + 60, f"and {view.missing} more classes", 9, alpha=0.7)


def points_figure(
    x: NDArray[np.float32], y: NDArray[np.int64], classes: list[str], view: DataView | None = None
) -> Figure:
    """The first two features, a colour and a marker a class; one feature alone against the class.

    Args:
        x: (n, D).
        y: (n,) labels.
        view: whose title stands above; None for none.
    """
    from nablab.report.plots_fonts import readable

    figure = new_figure(5.2, 4.6)
    figure.set_facecolor("none" if view is None else PAPER)
    axes = figure.add_subplot()
    plain_axes(axes)
    up = x[:, 1] if x.shape[1] > 1 else y
    for label in range(len(classes)):
        mine, look = y == label, stroke(label)
        axes.scatter(x[mine, 0], up[mine], s=14, color=look.color, marker=look.marker, label=str(label))
    axes.set_xlabel("feature 1", color=INK, fontsize=9)
    _name_classes(axes, [clipped(readable(clean(name)), _LONGEST) for name in classes], x.shape[1])
    if view is not None:
        style: dict[str, Any] = {"transform": axes.transAxes, "color": INK, "parse_math": False}
        axes.text(0, 1.08, clean(view.title), fontsize=13, weight="bold", **style)
        axes.text(0, 1.02, clean(view.subtitle), fontsize=9, alpha=0.8, **style)
    return figure


def _name_classes(axes: Axes, names: list[str], features: int) -> None:
    """In a legend where there are few, and at the axis where it is theirs; never as mathematics."""
    texts: list[Text] = []
    if features > 1:
        axes.set_ylabel("feature 2", color=INK, fontsize=9)
    else:
        axes.set_yticks(range(len(names)), names)
        texts += axes.get_yticklabels()
    if len(names) <= len(LIGHT):
        texts += axes.legend(frameon=False, fontsize=8, labelcolor=INK).get_texts()
    for text, name in zip(texts, cycle(names), strict=False):
        text.set(text=name, parse_math=False)


def write_figure(figure: Figure, path: Path) -> None:
    """Write the figure to a file of the format that its ending names; the same figure gives the same bytes.

    Raises:
        CannotWrite: the folder cannot be written to, or the disk is full.
    """
    import matplotlib

    kind = path.suffix.lower().lstrip(".")
    about: dict[str, str | None] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    more: dict[str, Any] = {"pil_kwargs": {"optimize": True}} if kind == "png" else {}

    def save(temporary: Path) -> None:
        with (
            matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nablab"}),
            warnings.catch_warnings(),
        ):
            # A name in a script that matplotlib's own font lacks.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            figure.savefig(
                temporary, format=kind, dpi=DPI, facecolor=figure.get_facecolor(), metadata=about, **more
            )

    write_with(path, save)
