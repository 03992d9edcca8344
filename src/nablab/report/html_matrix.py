"""The confusion matrix as rows and cells for a table whose cells lead to the pictures behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nablab.report.plots_confusion import FULL_MISTAKE
from nablab.report.view_types import ConfusionView, ExampleView

#: With more classes than this only those that are confused most are shown.
MAX_CLASSES = 24


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
