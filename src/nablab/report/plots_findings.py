"""The images that findings are about, with their labels, as one figure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from nablab.data.checks import Examination, Finding, Row
from nablab.errors import UserError
from nablab.report.findings import class_name
from nablab.report.graph_svg import clean
from nablab.report.plots_theme import INK, PAPER, Margins, new_figure
from nablab.report.view_pictures import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches.
_WIDTH, _MARGIN = 10.0, 0.2
_IMAGE, _GAP = 0.84, 0.22
_TITLE_LINE, _CAPTION, _BELOW = 0.19, 0.2, 0.42
#: Images of a group that are drawn, and characters of a line of a title.
_OF_GROUP, _CHARACTERS = 4, 140


def findings_figure(examination: Examination, findings: Sequence[Finding]) -> Figure:
    """For each finding about images a line of them, as many groups as fit, the worst first.

    Copies stand side by side. Below each image are its part, index and label; above a group is its caption.

    Raises:
        UserError: no finding is about images, so there is nothing to draw.
    """
    shown = [finding for finding in findings if finding.groups]
    if examination.dataset is None or not examination.dataset.is_images or not shown:
        raise UserError("there are no images to draw: nothing was found in single images")
    titles = [wrap(f"{finding.rule}: {finding.claim}", _CHARACTERS) for finding in shown]
    heights = [_TITLE_LINE * len(title) + _CAPTION + _IMAGE + _BELOW for title in titles]
    height = sum(heights) + 2 * _MARGIN
    figure = new_figure(_WIDTH, height, Margins())
    figure.set_facecolor(PAPER)
    top = height - _MARGIN
    for finding, title, tall in zip(shown, titles, heights, strict=True):
        figure.text(
            _MARGIN / _WIDTH,
            top / height,
            clean("\n".join(title)),
            color=INK,
            fontsize=9,
            va="top",
            parse_math=False,
        )
        _draw_groups(figure, examination, finding, top - _TITLE_LINE * len(title) - _CAPTION)
        top -= tall
    return figure


def _draw_groups(figure: Figure, examination: Examination, finding: Finding, top: float) -> None:
    """The groups of a finding side by side, from the left until the line is full; `top` is of the images."""
    left, height = _MARGIN, figure.get_figheight()
    for position, group in enumerate(finding.groups):
        rows = group[:_OF_GROUP]
        if left + len(rows) * _IMAGE > _WIDTH - _MARGIN:
            return
        if finding.captions:
            figure.text(
                left / _WIDTH,
                (top + 0.05) / height,
                clean(finding.captions[position]),
                color=INK,
                fontsize=7.5,
                parse_math=False,
            )
        for row in rows:
            box = (left / _WIDTH, (top - _IMAGE) / height, 0.96 * _IMAGE / _WIDTH, _IMAGE / height)
            _draw(figure.add_axes(box), examination, row)
            left += _IMAGE
        left += _GAP


def _draw(axes: Axes, examination: Examination, row: Row) -> None:
    dataset = examination.dataset
    assert dataset is not None
    pixels = (dataset.x_train if row.part == "train" else dataset.x_test)[row.index]
    axes.imshow(picture(pixels, *dataset.value_range), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_anchor("NW")
    text = f"{row.part} {row.index}\n{class_name(examination, row)[:18]}"
    axes.set_xlabel(clean(text), color=INK, fontsize=7.5, loc="left", labelpad=2, parse_math=False)
