"""The confusion matrix as a figure, for notebooks; the HTML report has it as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nablab.report.graph_svg import clean, clipped
from nablab.report.plots_theme import INK, LIGHT, PAPER, new_figure
from nablab.report.view_types import ConfusionView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: With more classes than this a cell has no room for its number, and the figure grows no more.
NUMBERED = 24

#: Share of a class at which a mistake has its full colour: they are rare, and those are what one looks for.
FULL_MISTAKE = 0.4

#: Letters of a name.
_LONGEST = 24


def confusion_figure(confusion: ConfusionView, *, title: str = "") -> Figure:
    """The confusion matrix with its counts: right answers blue, mistakes orange, stronger where frequent.

    Of more than `NUMBERED` classes the counts are left to the colours.
    """
    from matplotlib.colors import LinearSegmentedColormap

    from nablab.report.plots_fonts import readable

    names = [clipped(readable(clean(c.name)), _LONGEST) for c in confusion.classes]
    counts = confusion.counts
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    right = np.eye(len(names), dtype=bool)
    size = max(0.46 * min(len(names), NUMBERED), 2.6)
    numbered = len(names) <= NUMBERED
    figure = new_figure(size + 1.5, size + 1.1)
    axes = figure.add_subplot()
    for mask, hue, full in ((~right, LIGHT[0], 1.0), (right, LIGHT[1], FULL_MISTAKE)):
        ramp = LinearSegmentedColormap.from_list("share", [PAPER, hue])
        cells = np.ma.masked_array(shares, mask)
        axes.pcolormesh(cells, cmap=ramp, vmin=0, vmax=full, edgecolors=PAPER, linewidth=numbered)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    strength = np.where(right, shares, shares / FULL_MISTAKE)
    for row, column in np.argwhere(counts > 0) if numbered else ():
        color = PAPER if strength[row, column] > 0.55 else INK
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=8,
            color=color,
        )
    _name_classes(axes, names)
    if title:
        axes.set_title(clean(title), color=INK, fontsize=11, parse_math=False)
    return figure


def _name_classes(axes: Axes, names: list[str]) -> None:
    middles = np.arange(len(names)) + 0.5
    axes.set_xticks(middles, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, names)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_parse_math(False)
    axes.tick_params(colors=INK, labelsize=min(9.0, 27 * NUMBERED / len(names)), length=0)
    axes.set_xlabel("predicted", color=INK, fontsize=9)
    axes.set_ylabel("true", color=INK, fontsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
