"""The pictures of a delivery: a grid of the data, and a model's worst mistakes, as matplotlib `Figure`s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nablab.data.dataset import Dataset
from nablab.data.describe import sample_points
from nablab.report.graph_svg import clean, clipped
from nablab.report.plots_data import points_figure
from nablab.report.plots_theme import INK, new_figure
from nablab.report.view_pictures import picture
from nablab.report.view_types import ComparisonView, Picture, SectionView
from nablab.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 10
#: Above a picture.
_LETTERS = 22
#: Pictures in a grid; each of them takes a tenth of a second to draw.
_MOST = 60


def data_figure(dataset: Dataset, per_class: int = 2) -> Figure:
    """The first training images of each class; points for data of two features.

    Args:
        per_class: images of each class; fewer, and of the first classes only, where that would be over 60.
    """
    if not dataset.is_images:
        points = sample_points(dataset)
        return points_figure(points.x, points.y, list(dataset.classes))
    classes = len(dataset.classes)
    each = max(1, min(per_class, _MOST // classes))
    chosen = [np.flatnonzero(dataset.y_train == k)[:each] for k in range(classes)]
    rows = np.concatenate(chosen)[:_MOST]
    low, high = dataset.value_range
    pictures = [picture(dataset.x_train[row], low, high) for row in rows]
    names = [_short(name, _LETTERS) for name in dataset.classes]
    return _grid(pictures, [names[dataset.y_train[row]] for row in rows])


def samples_figure(view: ComparisonView) -> Figure:
    """Test images that the runs kept, of each class: what some model got wrong, so not the easy ones."""
    samples = view.data.samples[:: -(-len(view.data.samples) // _MOST) or 1]
    pictures = [view.images[index] for index, _ in samples]
    names = [_short(name, _LETTERS) for name in view.data.classes]
    return _grid(pictures, [names[truth] for _, truth in samples])


def mistakes_figure(view: ComparisonView, section: SectionView, count: int = 10) -> Figure:
    """A model's surest wrong answers: the truth above what it said, with the probability it gave."""
    mistakes = section.confusion.mistakes[:count] if section.confusion else ()
    names = [_short(name, _LETTERS - 10) for name in view.data.classes]
    titles = []
    for mistake in mistakes:
        sure = "" if mistake.probability is None else f" {percent(mistake.probability, 0)}"
        titles.append(f"{names[mistake.truth]}\nsaid {names[mistake.prediction]}{sure}")
    return _grid([view.images[mistake.index] for mistake in mistakes], titles)


def _short(name: str, letters: int) -> str:
    """A name that fits above a picture."""
    from nablab.report.plots_fonts import readable

    return clipped(readable(clean(name)), letters)


def _grid(pictures: Sequence[Picture], titles: Sequence[str]) -> Figure:
    """Pictures under their titles, ten in a row."""
    rows = max(1, -(-len(pictures) // _COLUMNS))
    figure = new_figure(1.25 * min(_COLUMNS, max(len(pictures), 3)), 1.6 * rows)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.04)
    for place, (image, title) in enumerate(zip(pictures, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, min(_COLUMNS, len(pictures)), place)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(title, fontsize=7, color=INK, parse_math=False)
        axes.axis("off")
    return figure
