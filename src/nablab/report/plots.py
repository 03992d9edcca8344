"""The figures of reports and notebooks, as matplotlib `Figure`s (no pyplot state) over the view's series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nablab.analysis.curves import Band, Curves, SeriesName
from nablab.report.graph_svg import clean
from nablab.report.plots_confusion import confusion_figure
from nablab.report.plots_labels import spread
from nablab.report.plots_scatter import scatter_figure
from nablab.report.plots_theme import (
    INK,
    PERCENT_MARGIN,
    Margins,
    model_places,
    new_figure,
    percent_axis,
    plain_axes,
    stroke,
)
from nablab.report.view_types import ComparisonView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["all_curves_figure", "confusion_figure", "curves_figure", "scatter_figure"]

#: Which stroke each series has; the same in every figure of curves.
_SERIES: dict[SeriesName, int] = {"running": 6, "train": 0, "validation": 2, "test": 1}


def curves_figure(
    curves: Curves, quantities: Sequence[str] = ("loss", "accuracy"), *, title: str = ""
) -> Figure:
    """Training, validation and test curves of one model; one pair of axes for each quantity, side by side.

    Lines are means over the seeds, bands reach from the smallest to the largest. A dotted upright line
    marks the mean epoch whose weights were kept, where that is not the last.

    Args:
        curves: of one model at one fraction.
        quantities: `loss`, `accuracy` or both.
        title: above everything; empty is none.
    """
    top = 0.6 if title else 0.32
    left = PERCENT_MARGIN if quantities[0] == "accuracy" else Margins.left
    figure = new_figure(4.6 * len(quantities), 2.9 + top, Margins(left=left, top=top))
    for position, quantity in enumerate(quantities, start=1):
        axes = figure.add_subplot(1, len(quantities), position)
        plain_axes(axes)
        bands = _bands(curves, quantity)
        for name in (name for name in _SERIES if name in bands):
            width = 1.0 if name == "running" else 1.8
            _draw_band(axes, bands[name], _SERIES[name], width, name)
        _name_axes(axes, quantity, quantity, [epoch for band in bands.values() for epoch in band.epochs])
        _mark_kept(axes, curves)
        if bands:
            _draw_legend(axes)
    if title:
        figure.suptitle(clean(title), color=INK, fontsize=11, parse_math=False, y=0.99, va="top")
    return figure


def all_curves_figure(
    view: ComparisonView, series: SeriesName = "test", quantity: str = "accuracy"
) -> Figure:
    """One curve a model, all in one plot, each named where it ends.

    Strokes belong to models by their row in the table, here as in `scatter_figure`.
    """
    longest = max((len(curves.label) for curves in view.curves), default=0)
    figure = new_figure(8.6, 4.4, Margins(left=PERCENT_MARGIN, right=min(0.4 + 0.07 * longest, 3.0)))
    axes = figure.add_subplot()
    plain_axes(axes)
    places = model_places(view)
    ends: list[tuple[float, str]] = []
    epochs: list[int] = []
    for curves in view.curves:
        band = _bands(curves, quantity).get(series)
        if band is not None:
            _draw_band(axes, band, places[curves.label], 1.8)
            ends.append((band.mean[-1], curves.label))
            epochs += band.epochs
    _name_axes(axes, quantity, f"{series} {quantity}", epochs)
    if ends:
        _name_ends(axes, ends, places, max(epochs))
    return figure


def _bands(curves: Curves, quantity: str) -> dict[SeriesName, Band]:
    return dict(curves.loss if quantity == "loss" else curves.accuracy)


def _draw_band(axes: Axes, band: Band, place: int, width: float, label: str = "") -> None:
    look = stroke(place)
    few = len(band.epochs) <= 20
    every = 1 if few else len(band.epochs) // 10
    axes.plot(
        band.epochs,
        band.mean,
        color=look.color,
        linestyle=look.dash,
        linewidth=width,
        label=label or None,
        marker=look.marker,
        markersize=3.2 * width / 1.8,
        markevery=every,
    )
    if max(band.n) > 1:
        axes.fill_between(band.epochs, band.low, band.high, color=look.color, alpha=0.16, linewidth=0)


def _name_axes(axes: Axes, quantity: str, name: str, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch", color=INK, fontsize=9)
    axes.set_ylabel(f"{name} (nats)" if quantity == "loss" else name, color=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    if quantity == "accuracy":
        percent_axis(axes)
    if epochs and min(epochs) == max(epochs):
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)


def _draw_legend(axes: Axes) -> None:
    """In one line above the axes, where it covers nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncol=4,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.9,
        columnspacing=1.1,
    )


def _mark_kept(axes: Axes, curves: Curves) -> None:
    """Where the kept weights come from, when that is earlier than the end of some run."""
    kept = curves.kept_epochs
    ends = [band.epochs[-1] for band in curves.accuracy.values()]
    if kept and ends and min(kept) < max(ends):
        mean = sum(kept) / len(kept)
        axes.axvline(mean, color=INK, linewidth=1, linestyle=":", alpha=0.6)
        anchor = axes.get_xaxis_transform()
        axes.text(mean, 0.02, " kept", transform=anchor, color=INK, alpha=0.75, fontsize=8)


def _name_ends(axes: Axes, ends: Sequence[tuple[float, str]], places: dict[str, int], epoch: int) -> None:
    """Names at the right, moved apart where curves end close to each other."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    wanted = [value for value, _ in ends]
    heights = spread(wanted, (high - low) * 0.05, low, high)
    for (value, label), height in zip(ends, heights, strict=True):
        color = stroke(places[label]).color
        axes.annotate(
            clean(label),
            xy=(epoch, value),
            xytext=(1.02, height),
            textcoords=axes.get_yaxis_transform(),
            color=color,
            fontsize=9,
            va="center",
            parse_math=False,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7, "alpha": 0.6, "shrinkB": 2},
        )
