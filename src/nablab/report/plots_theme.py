"""How figures look: colours, dashes and markers, axes. `plots_svg` turns their colours into a page's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nablab.report.view_types import ComparisonView

INK = "#1d2126"  #: text and axes
GRID = "#dcdfe3"
GRID_DARK = "#31363d"
PAPER = "#fefefd"  #: what lies behind

#: Distinguishable with any colour vision together with dashes and markers; each at least 4.5:1 on the page.
LIGHT = ("#0b6bb5", "#b94a08", "#0a7f5b", "#8546a6", "#8d6208", "#b8336e", "#56606b", "#09788c")
#: The same hues for dark pages.
DARK = ("#63b0f2", "#f2935c", "#48c79b", "#c79ae3", "#deb04a", "#f282b2", "#aab2bd", "#54c6da")
DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (6, 1.6, 1.4, 1.6)), "-", (0, (3, 1.2)), (0, (1, 1)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Margins:
    """Room around axes for their labels, in inches."""

    left: float = 0.62
    right: float = 0.1
    bottom: float = 0.46
    top: float = 0.1


#: On the left of a percent axis, whose ticks may be as long as `77.5 %`.
PERCENT_MARGIN = 0.74


@dataclass(frozen=True)
class Stroke:
    """How one series is drawn."""

    color: str
    dash: str | tuple[int, tuple[float, ...]]
    marker: str


def stroke(position: int) -> Stroke:
    """The stroke of the series at `position`; colours repeat after eight, with other markers."""
    count = len(LIGHT)
    turn = position // count
    return Stroke(
        LIGHT[position % count], DASHES[(position + 3 * turn) % count], MARKERS[(position + turn) % count]
    )


def model_places(view: ComparisonView) -> dict[str, int]:
    """The position of every model's stroke: its row in the table, so that it looks alike in all figures."""
    return {row.label: position for position, row in enumerate(view.rows)}


def new_figure(width: float, height: float, margins: Margins | None = None) -> Figure:
    """An empty figure of this size in inches.

    With given margins it is drawn once; without, it is drawn twice to find the room that its labels need.
    """
    from nablab.report.plots_fonts import ReadableFigure

    figure = ReadableFigure(
        figsize=(width, height), facecolor="none", layout=None if margins else "constrained"
    )
    if margins:
        figure.subplots_adjust(
            left=margins.left / width,
            right=1 - margins.right / width,
            bottom=margins.bottom / height,
            top=1 - margins.top / height,
            wspace=0.2,
        )
    return figure


def plain_axes(axes: Axes) -> None:
    """Only what the eye needs: left and bottom lines, a light grid behind."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
        axes.spines[side].set_alpha(0.5)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")


def percent_axis(axes: Axes) -> None:
    """Ticks of the y axis in per cent of 1; none below 0 and above 100 %, where the axis has its margin."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _percent(y)))


def _percent(y: float) -> str:
    return f"{100 * y:.4g} %" if -1e-9 < y < 1 + 1e-9 else ""
