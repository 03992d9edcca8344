"""What rules look at: a data set, and what several of them need to know, worked out once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nablab.data.checks.copies import Copies, find_copies
from nablab.data.checks.finding import Row
from nablab.data.checks.portraits import Portraits, portray
from nablab.data.checks.twins import SIMILARITY, Twins, find_twins
from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Material:
    """A data set under examination. In arrays, rows count through both parts: training rows, then test rows.

    Attributes:
        dataset: the samples.
        similarity: the correlation from which two images are nearly the same.
        progress: told how far the work is.
    """

    dataset: Dataset
    similarity: float = SIMILARITY
    progress: Progress | None = None

    @property
    def trains(self) -> int:
        """The number of training samples: the first row that is a test row."""
        return len(self.dataset.x_train)

    @property
    def tests(self) -> int:
        """The number of test samples."""
        return len(self.dataset.x_test)

    @cached_property
    def labels(self) -> Rows:
        """(T,) the label of each row."""
        return np.concatenate([self.dataset.y_train, self.dataset.y_test])

    @cached_property
    def copies(self) -> Copies:
        """Which samples are equal."""
        return find_copies(self.dataset, self.progress)

    @cached_property
    def twins(self) -> Twins:
        """Which images are nearly the same."""
        return find_twins(self.dataset, self.copies.firsts, self.similarity, self.progress)

    @cached_property
    def portraits(self) -> Portraits:
        """A few numbers about each image."""
        return portray(self.dataset, self.progress)

    def row(self, number: int) -> Row:
        """The row that a number counted through both parts means."""
        return Row("train", int(number)) if number < self.trains else Row("test", int(number) - self.trains)

    def rows(self, numbers: Iterable[int]) -> tuple[Row, ...]:
        """Rows that belong together."""
        return tuple(self.row(number) for number in numbers)

    def singles(self, numbers: Iterable[int]) -> tuple[tuple[Row, ...], ...]:
        """Each row as a group of its own."""
        return tuple((self.row(number),) for number in numbers)
