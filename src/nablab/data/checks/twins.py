"""Which images are nearly the same: an exact search for pairs that correlate strongly.

Two images are twins when their pixels (see `views`) have a Pearson correlation of at least `SIMILARITY`. All
pairs are compared, in two steps: their distance after an orthogonal projection to a few dimensions, which is
never larger than their distance, rules nearly all pairs out; what is left is compared in full. So no pair is
missed, the work is one thin matrix product, and the memory is a few hundred bytes an image.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nablab.data import keyed
from nablab.data.checks.views import Vectors, view
from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress

#: The correlation from which two images count as nearly the same. Judged by eye on Fashion-MNIST: all 42
#: pairs above show one photograph, and from 0.995 to 0.997 most show different goods (docs/results).
SIMILARITY = 0.999

Rows = NDArray[np.int64]
Place = Literal["train", "test", "across"]

_DIMENSIONS = 64  # of the projection
_SAMPLE = 2_048  # images that it is fitted to
_BLOCK = 1_024  # rows and columns of the matrices of distances that are in memory at a time
_VALUES = 2**22  # of whole images that are turned into views at a time
_ROUNDING = 1e-5  # of a product of two float32 vectors of length 1, generously


@dataclass(frozen=True, eq=False)
class Twins:
    """The nearest twin of each image. Rows count through both parts: the training rows, then the test rows.

    Attributes:
        within: (T,) the most similar image of the same part, or -1 where none is a twin.
        within_similarity: (T,) float32, their correlation; 0 where there is none.
        across: (T,) the same of the other part.
        across_similarity: (T,) float32.
        pairs: how many pairs of twins there are, by where they are: `train`, `test`, `across`.
    """

    within: Rows
    within_similarity: NDArray[np.float32]
    across: Rows
    across_similarity: NDArray[np.float32]
    pairs: Mapping[Place, int]


def find_twins(
    dataset: Dataset, rows: Rows, similarity: float = SIMILARITY, progress: Progress | None = None
) -> Twins:
    """Compare the images in `rows` with each other.

    Args:
        rows: (R,) ascending, counted through both parts; the first of each set of copies, so that copies,
            which are found more simply, don't count as twins.
        similarity: the correlation from which two are twins.
    """
    search = _Search(dataset, similarity)
    vectors, rows = search.project(rows)
    order = np.argsort(vectors[:, 0], kind="stable")
    vectors, rows = vectors[order], rows[order]
    for start in range(0, len(rows), _BLOCK):
        for near, far in _candidates(vectors, start, search.reach):
            search.compare(rows, near, far)
        if progress:
            progress("comparing all pairs", min(start + _BLOCK, len(rows)), len(rows))
    return search.twins()


def _candidates(vectors: Vectors, start: int, reach: float) -> Iterator[tuple[Rows, Rows]]:
    """Places (first < second) of pairs within `reach` of each other, the first in the block at `start`.

    The vectors are in the order of their first coordinate: what is too far along it need not be looked at.
    """
    stop = min(start + _BLOCK, len(vectors))
    end = int(np.searchsorted(vectors[:, 0], vectors[stop - 1, 0] + reach + _ROUNDING, side="right"))
    block = vectors[start:stop]
    halves = (block**2).sum(axis=1) / 2
    for left in range(start, end, _BLOCK):
        other = vectors[left : min(left + _BLOCK, end)]
        # |a - b|^2 / 2 = |a|^2 / 2 + |b|^2 / 2 - a.b
        closeness = block @ other.T
        closeness -= (other**2).sum(axis=1) / 2
        first, second = np.nonzero(closeness >= (halves - reach**2 / 2 - _ROUNDING)[:, None])
        first, second = first + start, second + left
        yield first[second > first], second[second > first]


class _Search:
    """The images, how they are projected, and the twins found so far."""

    def __init__(self, dataset: Dataset, similarity: float) -> None:
        self._dataset = dataset
        self._similarity = similarity
        self._trains = len(dataset.x_train)
        #: |a - b| of vectors of length 1 with a product of `similarity`
        self.reach = math.sqrt(2 * (1 - similarity))
        total = self._trains + len(dataset.x_test)
        self._within, self._across = _Nearest.none(total), _Nearest.none(total)
        self._pairs: Counter[Place] = Counter()

    def project(self, rows: Rows) -> tuple[Vectors, Rows]:
        """The projected views (R', D), and the rows that they are of: those with any contrast."""
        sample = self._view(rows[:: max(1, len(rows) // _SAMPLE)])
        basis = _leading_directions(sample, min(_DIMENSIONS, sample.shape[1]))
        vectors = np.empty((len(rows), basis.shape[1]), dtype=np.float32)
        seen = np.empty(len(rows), dtype=np.bool_)
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            views = self._view(rows[part])
            vectors[part] = views @ basis
            seen[part] = views.any(axis=1)
        return vectors[seen], rows[seen]

    def compare(self, rows: Rows, near: Rows, far: Rows) -> None:
        """Compare candidate pairs in full, and keep those that are nearer than what was found before."""
        if not len(near):
            return
        (firsts, first), (seconds, second) = (np.unique(side, return_inverse=True) for side in (near, far))
        products = self._view(rows[firsts]) @ self._view(rows[seconds]).T
        similarity = products[first, second]
        twin = similarity >= self._similarity
        one, other, similarity = rows[near[twin]], rows[far[twin]], similarity[twin]
        tests = (one >= self._trains).astype(np.int64) + (other >= self._trains)
        self._within.update(one[tests != 1], other[tests != 1], similarity[tests != 1])
        self._across.update(one[tests == 1], other[tests == 1], similarity[tests == 1])
        self._pairs.update(train=int((tests == 0).sum()), across=int((tests == 1).sum()))
        self._pairs.update(test=int((tests == 2).sum()))

    def twins(self) -> Twins:
        """What was found."""
        within, across = self._within, self._across
        return Twins(within.row, within.similarity, across.row, across.similarity, self._pairs)

    def _view(self, rows: Rows) -> Vectors:
        """The views (R, P) of rows in any order, a few images at a time."""
        x_train, x_test = self._dataset.x_train, self._dataset.x_test
        step = max(1, _VALUES // math.prod(x_train.shape[1:]))
        views = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            trains = part < self._trains
            images = np.empty((len(part), *x_train.shape[1:]), dtype=np.float32)
            images[trains] = x_train[part[trains]]
            images[~trains] = x_test[part[~trains] - self._trains]
            views.append(view(images))
        return np.concatenate(views)


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The most similar twin of each row so far, -1 and 0 where none was found."""

    row: Rows
    similarity: NDArray[np.float32]

    @staticmethod
    def none(total: int) -> _Nearest:
        return _Nearest(np.full(total, -1, dtype=np.int64), np.zeros(total, dtype=np.float32))

    def update(self, one: Rows, other: Rows, similarity: Vectors) -> None:
        """Take in pairs of twins, in place, for both of each."""
        mine, theirs, found = np.append(one, other), np.append(other, one), np.tile(similarity, 2)
        nearer = found > self.similarity[mine]
        mine, theirs, found = mine[nearer], theirs[nearer], found[nearer]
        order = np.argsort(found, kind="stable")  # of several for one row, the last assignment stays
        self.row[mine[order]] = theirs[order]
        self.similarity[mine[order]] = found[order]


def _leading_directions(sample: Vectors, count: int) -> Vectors:
    """Orthonormal columns (P, count) that keep most of what differs, by two rounds of subspace iteration.

    N. Halko, P.-G. Martinsson and J. Tropp, "Finding structure with randomness", SIAM Review 53, 2011. Any
    orthonormal columns would do: how good they are decides the speed of the search, not what it finds.
    """
    start = keyed.generator(0, "directions of the search for twins").standard_normal((sample.shape[1], count))
    basis = start.astype(np.float32)
    for _ in range(3):
        basis, _ = np.linalg.qr(sample.T @ (sample @ basis))
    return basis
