"""The confusion matrix as rows and cells for a table whose cells lead to the pictures behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nablab.report.plots_confusion import FULL_MISTAKE
from nablab.report.plots_theme import DARK, LIGHT
from nablab.report.view_types import ConfusionView, ExampleView

#: A cell without a count, on a light and on a dark page.
CELL_LIGHT = "#f3f2ef"
CELL_DARK = "#1c1f23"

#: With more classes than this only those that are confused most are shown.
MAX_CLASSES = 24

#: The relative luminance on which black and white stand out alike (WCAG 2: a contrast of 4.6 each).
_MIDDLE = 0.179


@dataclass(frozen=True)
class MatrixCell:
    """A count and how strongly it is coloured."""

    truth: int
    prediction: int
    count: int
    share: float  #: of the images of the true class
    strength: float  #: of the colour, from 0 to 1
    examples: tuple[ExampleView, ...]  #: pictures behind it; none, no link

    @property
    def right(self) -> bool:
        return self.truth == self.prediction

    @property
    def turns_light(self) -> bool:
        """Whether the light page must write its number white instead of black."""
        return _luminance(self._color(LIGHT, CELL_LIGHT)) < _MIDDLE

    @property
    def turns_dark(self) -> bool:
        """Whether the dark page must write its number black instead of white."""
        return _luminance(self._color(DARK, CELL_DARK)) > _MIDDLE

    def _color(self, palette: Sequence[str], empty: str) -> list[float]:
        """The colour that CSS mixes for it: channels in [0, 1]."""
        full = _channels(palette[0] if self.right else palette[1])
        return [
            self.strength * a + (1 - self.strength) * b for a, b in zip(full, _channels(empty), strict=True)
        ]


@dataclass(frozen=True)
class Matrix:
    """The part of a confusion matrix that is shown; rows are the truth."""

    shown: tuple[int, ...]  #: the classes, in their order
    rows: tuple[tuple[MatrixCell, ...], ...]
    of: int  #: classes there are
    opened: MatrixCell | None  #: whose pictures stand open at first: the commonest mistake that has some

    @property
    def with_pictures(self) -> tuple[MatrixCell, ...]:
        return tuple(cell for row in self.rows for cell in row if cell.examples)

    def opens(self, truth: int, prediction: int) -> bool:
        """Whether there are pictures behind this cell, and the cell is shown."""
        return any((cell.truth, cell.prediction) == (truth, prediction) for cell in self.with_pictures)


def make_matrix(confusion: ConfusionView) -> Matrix:
    """All of the matrix, or with many classes the part where most mistakes are."""
    shown = _most_confused(confusion.counts)
    rows = tuple(tuple(_cell(confusion, truth, prediction) for prediction in shown) for truth in shown)
    mistakes = [cell for row in rows for cell in row if cell.examples and not cell.right]
    opened = max(mistakes, key=lambda cell: cell.count, default=None)
    return Matrix(shown, rows, len(confusion.classes), opened)


def _most_confused(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> tuple[int, ...]:
    classes = len(counts)
    if classes <= MAX_CLASSES:
        return tuple(range(classes))
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return tuple(sorted(int(i) for i in np.argsort(-mistakes, kind="stable")[:MAX_CLASSES]))


def _cell(confusion: ConfusionView, truth: int, prediction: int) -> MatrixCell:
    count = int(confusion.counts[truth, prediction])
    share = count / max(int(confusion.counts[truth].sum()), 1)
    strength = share if truth == prediction else min(share / FULL_MISTAKE, 1.0)
    examples = confusion.cells.get((truth, prediction), ())
    return MatrixCell(truth, prediction, count, share, strength, examples)


def _channels(color: str) -> list[float]:
    """Red, green and blue of `#rrggbb` in [0, 1]."""
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _luminance(channels: Sequence[float]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
