"""The images that findings are about, with their labels, as one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from nablab.data.checks import Examination, Finding, Row
from nablab.data.dataset import Dataset
from nablab.data.samples import limits
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
_TITLE_LINE, _CAPTION_LINE, _BELOW = 0.19, 0.13, 0.5
#: Images of a group that are drawn, characters of a line of a title, and of a caption over one image.
_OF_GROUP, _CHARACTERS, _CAPTION = 4, 140, 16
#: Training images from which is read what values are usual.
_USUAL = 1_000

Range = tuple[float, float]


@dataclass(frozen=True)
class _Cell:
    """A group of rows with what stands above it, and where its images begin, in inches from the left."""

    rows: tuple[Row, ...]
    caption: tuple[str, ...]
    left: float


@dataclass(frozen=True)
class _Line:
    """A finding: its title in lines, and as many groups as fit side by side."""

    title: tuple[str, ...]
    cells: tuple[_Cell, ...]

    @property
    def above(self) -> float:
        """Inches from its top to its images."""
        captions = max(len(cell.caption) for cell in self.cells)
        return _TITLE_LINE * len(self.title) + _CAPTION_LINE * captions + 0.1

    @property
    def height(self) -> float:
        return self.above + _IMAGE + _BELOW


def findings_figure(examination: Examination, findings: Sequence[Finding]) -> Figure:
    """For each finding about images a line of them, as many groups as fit, the worst first.

    Copies stand side by side. Below each image are its part, index and label; above a group is its caption.

    Raises:
        UserError: no finding is about images, so there is nothing to draw.
    """
    dataset = examination.dataset
    lines = [_line(finding) for finding in findings if finding.groups]
    if dataset is None or not dataset.is_images or not lines:
        raise UserError("there are no images to draw: nothing was found in single images")
    usual = limits(dataset.x_train[:_USUAL])
    height = sum(line.height for line in lines) + 2 * _MARGIN
    figure = new_figure(_WIDTH, height, Margins())
    figure.set_facecolor(PAPER)
    top = height - _MARGIN
    for line in lines:
        _write(figure, _MARGIN, top, line.title, "top", 9)
        images = top - line.above
        for cell in line.cells:
            _write(figure, cell.left, images + 0.05, cell.caption, "bottom", 7.5)
            for position, row in enumerate(cell.rows):
                left = cell.left + position * _IMAGE
                box = (left / _WIDTH, (images - _IMAGE) / height, 0.96 * _IMAGE / _WIDTH, _IMAGE / height)
                _draw(figure.add_axes(box), examination, dataset, row, usual)
        top -= line.height
    return figure


def _line(finding: Finding) -> _Line:
    cells: list[_Cell] = []
    left = _MARGIN
    for position, group in enumerate(finding.groups):
        rows = group[:_OF_GROUP]
        if left + len(rows) * _IMAGE > _WIDTH:
            break
        caption = finding.captions[position] if finding.captions else ""
        cells.append(_Cell(rows, tuple(wrap(caption, _CAPTION * len(rows))), left))
        left += len(rows) * _IMAGE + _GAP
    return _Line(tuple(wrap(f"{finding.rule}: {finding.claim}", _CHARACTERS)), tuple(cells))


def _write(
    figure: Figure,
    left: float,
    height: float,
    lines: Sequence[str],
    side: Literal["top", "bottom"],
    size: float,
) -> None:
    """Lines of text, whose top or bottom is at `height` inches from below."""
    place = (left / _WIDTH, height / figure.get_figheight())
    figure.text(*place, clean("\n".join(lines)), color=INK, fontsize=size, va=side, parse_math=False)


def _draw(axes: Axes, examination: Examination, dataset: Dataset, row: Row, usual: Range) -> None:
    pixels = (dataset.x_train if row.part == "train" else dataset.x_test)[row.index]
    axes.imshow(picture(pixels, *usual), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_anchor("NW")
    text = f"{row.part} {row.index}\n{class_name(examination, row)[:_CAPTION]}"
    axes.set_xlabel(clean(text), color=INK, fontsize=7.5, loc="left", labelpad=2, parse_math=False)
