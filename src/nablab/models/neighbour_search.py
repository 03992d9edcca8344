"""Exact nearest neighbours among many, by blocks: matrix products for L2 and cosine, bounds for L1.

Distances are first found in float32, with a bound on their error; those that could be among the k nearest are
then measured in float64, and decide. Of equally far ones the first stored is nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Metric = Literal["l2", "l1", "cosine"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Rows = NDArray[np.float32]
Found = tuple[NDArray[np.float64], NDArray[np.int64]]

#: Queries at a time: their distances to all stored rows are in memory together.
_QUERIES = 128
#: Rows beside the k that are measured again, which is nearly always enough.
_SPARE = 8
#: Rows that are no work to speak of.
_FEW = 1000
#: Half the distance of two float32 numbers near 1.
_ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class Index:
    """Stored rows (N, D), and what is computed of them once.

    Attributes:
        rows: as given, float32.
        metric: `l2`, `l1` (the sum of absolute differences) or `cosine` (1 - the cosine of the angle).
        centre: (D,) what is taken from rows and queries first, which changes no distance and keeps numbers
            small; 0 for cosine.
        compared: what queries are held against first: the centred rows; scaled to length 1 for cosine.
        error: relative, of a sum of D numbers in float32 that is made in four parts or more.
        size: the largest squared length of `compared`; for l1 the largest sum of absolute values.
        squares: (N,) squared lengths of `compared`.
        sums: for l1, sums over groups of values, the coarsest first; their distance is never larger than that
            of the rows.
        groups: for l1, how `sums` are made of a row.
    """

    rows: Rows
    metric: Metric
    centre: Rows
    compared: Rows
    error: float
    size: float
    squares: Rows | None
    sums: tuple[Rows, ...]
    groups: tuple[tuple[int, ...], ...]

    def search(self, queries: Rows, k: int) -> Found:
        """Distances (Q, k) and places (Q, k) of the k nearest stored rows, the nearest first."""
        import torch

        nearest = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.float64)
        act = self._by_bounds if self.metric == "l1" else self._by_products
        with torch.no_grad():
            for start in range(0, len(queries), _QUERIES):
                part = np.ascontiguousarray(queries[start : start + _QUERIES], np.float32)
                stop = start + len(part)
                distances[start:stop], nearest[start:stop] = act(part, k)
        return distances, nearest

    def _by_products(self, queries: Rows, k: int) -> Found:
        """|a - b|² = |a|² + |b|² - 2 a·b, of which one matrix product gives all."""
        import torch

        assert self.squares is not None
        q = torch.from_numpy(_unit(queries) if self.metric == "cosine" else queries - self.centre)
        own = (q * q).sum(1, keepdim=True)
        squares, stored = torch.from_numpy(self.squares), torch.from_numpy(self.compared)
        squared = torch.addmm(squares[None, :], q, stored.T, alpha=-2.0).add_(own)
        slack = self.error * (own[:, 0].numpy() + self.size)
        near, places = squared.topk(min(k + _SPARE, len(self.rows)), dim=1, largest=False)
        limits = near[:, k - 1].numpy() + 2 * slack
        enough = (near[:, -1].numpy() > limits) | (near.shape[1] == len(self.rows))
        found = [
            places[row].numpy()[near[row].numpy() <= limits[row]]
            if enough[row]
            else np.flatnonzero(squared[row].numpy() <= limits[row])
            for row in range(len(queries))
        ]
        return self._measured(queries, found, k)

    def _by_bounds(self, queries: Rows, k: int) -> Found:
        """Rows whose sums already differ by more than the k-th nearest row are never looked at in full."""
        import torch

        centred = queries - self.centre
        slack = self.error * (np.abs(centred).sum(axis=1) + self.size)
        coarse, fine = (_grouped(centred, groups) for groups in self.groups)
        sums = torch.cdist(torch.from_numpy(coarse), torch.from_numpy(self.sums[0]), p=1.0)
        first = sums.topk(min(k + _SPARE, len(self.rows)), dim=1, largest=False).indices.numpy()
        found = []
        for row, bounds in enumerate(sums.numpy()):
            reach = _kth(_l1(centred[row], self.compared[first[row]]), k) + slack[row]
            left = np.flatnonzero(bounds <= reach)
            if len(left) > _FEW:
                left = left[_l1(fine[row], self.sums[1][left]) <= reach]
            near = _l1(centred[row], self.compared[left])
            found.append(left[near <= _kth(near, k) + slack[row]])
        return self._measured(queries, found, k)

    def _measured(self, queries: Rows, found: list[NDArray[np.int64]], k: int) -> Found:
        """The k nearest of the rows found for each query, in float64."""
        distances, nearest = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
        for row, places in enumerate(found):
            exact = _exact(queries[row].astype(np.float64), self.rows[places].astype(np.float64), self.metric)
            order = np.lexsort((places, exact))[:k]
            distances[row], nearest[row] = exact[order], places[order]
        return distances, nearest


def make_index(rows: Rows, metric: Metric, image_shape: tuple[int, ...] | None = None) -> Index:
    """An index of stored rows.

    Args:
        image_shape: (C, H, W) of a row, where it is an image: neighbouring pixels are alike, which makes
            their sums tell more.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    centre = np.zeros(rows.shape[1], np.float32)
    if metric != "cosine":
        centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    compared = _unit(rows) if metric == "cosine" else rows - centre
    # Two sums of centred numbers, each off by a rounding; then one of their differences or products.
    error = 2 * _ROUNDING * (rows.shape[1] / 4 + 32)
    if metric == "l1":
        groups = _groups(rows.shape[1], image_shape)
        sums = tuple(_grouped(compared, one) for one in groups)
        size = float(np.abs(compared).sum(axis=1).max())
        return Index(rows, metric, centre, compared, error, size, None, sums, groups)
    squares = (compared**2).sum(axis=1)
    return Index(rows, metric, centre, compared, error, float(squares.max()), squares, (), ())


def _exact(query: NDArray[np.float64], rows: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    if metric == "l1":
        return np.asarray(np.abs(rows - query).sum(axis=1))
    if metric == "l2":
        return np.asarray(np.sqrt(((rows - query) ** 2).sum(axis=1)))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosines = np.divide(rows @ query, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return np.asarray(np.clip(1 - cosines, 0, 2))


def _l1(query: Rows, rows: Rows) -> Rows:
    """(N,) distances; of few rows at once by NumPy, which needs no other thread to wake up."""
    if len(rows) <= _FEW:
        return np.asarray(np.abs(rows - query).sum(axis=1))
    import torch

    found = torch.cdist(torch.from_numpy(query[None]), torch.from_numpy(rows), p=1.0)
    return np.asarray(found[0].numpy())


def _kth(distances: Rows, k: int) -> float:
    """The k-th smallest."""
    return float(np.partition(distances, k - 1)[k - 1])


def _unit(rows: Rows) -> Rows:
    """Rows of length 1; a row of zeros stays one, and is at distance 1 from all others."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def _groups(features: int, image_shape: tuple[int, ...] | None) -> tuple[tuple[int, ...], ...]:
    """How rows are cut into groups: sides of blocks of pixels, or lengths of stretches of features."""
    if image_shape is not None and len(image_shape) == 3 and math.prod(image_shape) == features:
        return (*((*image_shape, side) for side in (4, 2)),)
    return ((features, 16), (features, 4))


def _grouped(rows: Rows, groups: tuple[int, ...]) -> Rows:
    """Sums over blocks or stretches of each row, (N, groups); what is left over makes smaller ones."""
    *shape, side = groups
    values = rows.reshape(len(rows), *shape)
    for axis in (-2, -1) if len(shape) == 3 else (-1,):
        values = np.add.reduceat(values, np.arange(0, values.shape[axis], side), axis=axis)
    return np.ascontiguousarray(values.reshape(len(rows), -1))
