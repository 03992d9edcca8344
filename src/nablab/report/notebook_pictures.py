"""The pictures of a delivery: a grid of the data, and a model's worst mistakes, as matplotlib `Figure`s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.report.graph_svg import clean
from nablab.report.plots_theme import INK, new_figure, plain_axes, stroke
from nablab.report.view_pictures import picture
from nablab.report.view_types import ComparisonView, Picture, SectionView
from nablab.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 10
#: Pictures in a grid; each of them takes a tenth of a second to draw.
_MOST = 60


def data_figure(dataset: Dataset, per_class: int = 2) -> Figure:
    """The first training images of each class; points for data of two features.

    Args:
        per_class: images of each class; fewer, and of the first classes only, where that would be over 60.
    """
    if not dataset.is_images:
        return _points_figure(dataset)
    classes = len(dataset.classes)
    each = max(1, min(per_class, _MOST // classes))
    chosen = [np.flatnonzero(dataset.y_train == k)[:each] for k in range(classes)]
    rows = np.concatenate(chosen)[:_MOST]
    low, high = dataset.value_range
    pictures = [picture(dataset.x_train[row], low, high) for row in rows]
    return _grid(pictures, [dataset.classes[dataset.y_train[row]] for row in rows])


def samples_figure(view: ComparisonView) -> Figure:
    """Test images that the runs kept, of each class: what some model got wrong, so not the easy ones."""
    samples = view.data.samples[:: -(-len(view.data.samples) // _MOST) or 1]
    pictures = [view.images[index] for index, _ in samples]
    return _grid(pictures, [view.data.classes[truth] for _, truth in samples])


def mistakes_figure(view: ComparisonView, section: SectionView, count: int = 10) -> Figure:
    """A model's surest wrong answers: the truth above what it said, with the probability it gave."""
    mistakes = section.confusion.mistakes[:count] if section.confusion else ()
    names = view.data.classes
    titles = []
    for mistake in mistakes:
        sure = "" if mistake.probability is None else f" {percent(mistake.probability, 0)}"
        titles.append(f"{names[mistake.truth]}\nsaid {names[mistake.prediction]}{sure}")
    return _grid([view.images[mistake.index] for mistake in mistakes], titles)


def _grid(pictures: Sequence[Picture], titles: Sequence[str]) -> Figure:
    """Pictures under their titles, ten in a row."""
    rows = max(1, -(-len(pictures) // _COLUMNS))
    figure = new_figure(1.25 * min(_COLUMNS, max(len(pictures), 3)), 1.6 * rows)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.04)
    for place, (image, title) in enumerate(zip(pictures, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, min(_COLUMNS, len(pictures)), place)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(clean(title), fontsize=7, color=INK, parse_math=False)
        axes.axis("off")
    return figure


def _points_figure(dataset: Dataset) -> Figure:
    """The first two features of the training set, a colour a class."""
    figure = new_figure(4.5, 4.0)
    axes = figure.add_subplot()
    plain_axes(axes)
    for k, name in enumerate(dataset.classes):
        points: NDArray[Any] = dataset.x_train[dataset.y_train == k]
        look = stroke(k)
        axes.scatter(
            points[:, 0], points[:, 1], s=14, color=look.color, marker=look.marker, label=clean(name)
        )
    axes.legend(frameon=False, fontsize=8)
    return figure
