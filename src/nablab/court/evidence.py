"""Claim beside measurement, for one parameter: all entries where they are few, else a sample of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nablab.court.calls import Array
from nablab.court.differences import (
    Line,
    Precision,
    careful_slope,
    direction_line,
    entry_line,
    slope,
)
from nablab.court.problem import Problem

#: Random directions that large parameters are also tried along, all entries at once.
DIRECTIONS = 4


@dataclass(frozen=True)
class Evidence:
    """What was found out about one parameter.

    Attributes:
        name: of the parameter.
        whole: the gradient that is claimed, all of it.
        rows: for each axis, the indices that were looked at; their grid is what follows.
        claimed: the claim, on the grid.
        measured: central differences, on the grid.
        tolerance: how far the two may differ, on the grid.
        kinks: where the loss has a kink, so that nothing can be compared.
        elsewhere: an entry outside of the grid that is wrong, found by a random direction.
        rtol: relative tolerance that the comparison was made with.
    """

    name: str
    whole: Array
    rows: tuple[Array, ...]
    claimed: Array
    measured: Array
    tolerance: Array
    kinks: Array
    rtol: float
    elsewhere: tuple[int, ...] | None = None

    @property
    def complete(self) -> bool:
        """Whether every entry was looked at."""
        return self.claimed.size == self.whole.size

    @property
    def judged(self) -> Array:
        """Where the two can be compared."""
        finite: Array = np.isfinite(self.measured)
        return finite & ~self.kinks

    @property
    def wrong(self) -> Array:
        """Where they differ, on the grid."""
        agrees: Array = np.abs(self.claimed - self.measured) <= self.tolerance
        return self.judged & ~agrees

    @property
    def right(self) -> bool:
        """Whether they agree wherever they can be compared."""
        return not self.wrong.any() and self.elsewhere is None

    @property
    def vanishes(self) -> bool:
        """Whether nothing is there to compare: claim and measurement are zero, as far as can be told."""
        zero = float(np.max(self.tolerance, initial=0.0))
        measured = np.abs(self.measured[self.judged])
        return bool(np.all(measured <= zero) and np.all(np.abs(self.whole) <= zero))

    @property
    def vague(self) -> bool:
        """Whether what is there is hardly larger than how far claim and measurement may differ."""
        tolerated = np.linalg.norm(self.tolerance[self.judged])
        return bool(2 * tolerated > np.linalg.norm(self.claimed[self.judged]) > 0)

    @property
    def relative_error(self) -> float:
        """|claimed - measured| / max(|claimed|, |measured|), Euclidean, over what can be compared."""
        if self.vanishes:
            return 0.0
        g, n = self.pair()
        largest = max(np.linalg.norm(g), np.linalg.norm(n))
        return float(np.linalg.norm(g - n) / largest) if largest > 0 else 0.0

    @property
    def cosine(self) -> float | None:
        """Of the angle between claim and measurement; None where one of them is zero."""
        g, n = self.pair()
        lengths = np.linalg.norm(g) * np.linalg.norm(n)
        if self.vanishes or not lengths > 0:
            return None
        return float(np.clip(g @ n / lengths, -1, 1))

    def pair(self) -> tuple[Array, Array]:
        """Claim and measurement, flat, where they can be compared."""
        return self.claimed[self.judged], self.measured[self.judged]

    def on_grid(self, array: Array) -> Array:
        """The entries of an array of the parameter's shape that were looked at."""
        return np.asarray(array[np.ix_(*self.rows)]) if self.rows else array

    def explains(self, candidate: Array, *, least: float = 1e-4) -> bool:
        """Whether `candidate`, on the grid, is what is claimed."""
        g, c = self.claimed[self.judged], candidate[self.judged]
        allowed = max(least, 10 * self.rtol) * np.linalg.norm(g) + np.linalg.norm(self.tolerance[self.judged])
        return bool(np.linalg.norm(c - g) <= allowed) and bool(np.any(c))


def gather(
    problem: Problem,
    name: str,
    claimed: Array,
    precision: Precision,
    rng: np.random.Generator,
    *,
    entries: int,
    rtol: float,
) -> Evidence:
    """Measure the gradient of one parameter by central differences, and lay the claim beside it.

    Parameters of more than `entries` entries are looked at on a grid of rows and columns, half of them those
    with the largest claims, half random; and along random directions that move every entry. If one of those
    disagrees, the wrong entry is found by halving, and the grid is laid through it.
    """
    rows = _grid(claimed, entries, rng)
    evidence = _on_rows(problem, name, claimed, precision, rows, rtol)
    if evidence.complete or not evidence.right:
        return evidence
    place = _wrong_elsewhere(problem, evidence, precision, rng)
    if place is None:
        return evidence
    rows = tuple(np.unique(np.append(r, i)) for r, i in zip(rows, place, strict=True))
    return replace(_on_rows(problem, name, claimed, precision, rows, rtol), elsewhere=place)


def _grid(claimed: Array, entries: int, rng: np.random.Generator) -> tuple[Array, ...]:
    """Indices of each axis, about `entries` in their product; axes of one length get the same ones."""
    shape = claimed.shape
    if claimed.size <= entries:
        return tuple(np.arange(size) for size in shape)
    counts = list(shape)
    while math.prod(counts) > entries:
        counts[int(np.argmax(counts))] = max(1, int(max(counts) * 0.8))
    weight: dict[int, Array] = {}
    for axis, size in enumerate(shape):
        others = tuple(i for i in range(claimed.ndim) if i != axis)
        weight[size] = weight.get(size, np.zeros(size)) + np.abs(claimed).sum(axis=others)
    drawn = {
        size: _indices(weight[size], max(c for s, c in zip(shape, counts, strict=True) if s == size), rng)
        for size in weight
    }
    return tuple(drawn[size] for size in shape)


def _indices(weight: Array, count: int, rng: np.random.Generator) -> Array:
    """`count` of them: the heavier half by weight, the rest by chance."""
    heaviest = np.argsort(-weight, kind="stable")
    first, rest = np.split(heaviest, [(count + 1) // 2])
    return np.sort(np.concatenate([first, rng.choice(rest, count - len(first), replace=False)]))


def _on_rows(
    problem: Problem, name: str, claimed: Array, precision: Precision, rows: tuple[Array, ...], rtol: float
) -> Evidence:
    grid_shape = tuple(len(r) for r in rows)
    g = claimed[np.ix_(*rows)] if rows else claimed
    lines = [
        entry_line(problem, name, tuple(int(r[i]) for r, i in zip(rows, index, strict=True)))
        for index in np.ndindex(grid_shape)
    ]
    slopes = [slope(line, precision) for line in lines]
    values = np.array([s.value for s in slopes])
    largest = float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))
    kinks = np.zeros(len(lines), bool)
    errors = np.array([s.error for s in slopes])
    flat = g.reshape(-1)
    for i in np.flatnonzero(~(np.abs(flat - values) <= _tolerance(values, flat, errors, largest, rtol))):
        closer = careful_slope(lines[i], precision)
        values[i], errors[i], kinks[i] = closer.value, closer.error, closer.kink
    tolerance = _tolerance(values, flat, errors, largest, rtol)
    return Evidence(
        name,
        claimed,
        rows,
        g,
        values.reshape(grid_shape),
        tolerance.reshape(grid_shape),
        kinks.reshape(grid_shape),
        rtol,
    )


def _tolerance(values: Array, claimed: Array, errors: Array, largest: float, rtol: float) -> Array:
    """Small entries beside large ones carry the rounding of the large ones."""
    size = np.maximum(np.abs(values), np.abs(claimed))
    return np.asarray(rtol * (np.where(np.isfinite(size), size, 0.0) + 0.01 * largest) + 4 * errors)


def _wrong_elsewhere(
    problem: Problem, evidence: Evidence, precision: Precision, rng: np.random.Generator
) -> tuple[int, ...] | None:
    """One entry whose claim is wrong, if a random direction through all entries tells of any."""
    shape = evidence.whole.shape
    claimed = evidence.whole.reshape(-1)
    for _ in range(DIRECTIONS):
        signs = rng.choice([-1.0, 1.0], claimed.size)
        todo = np.arange(claimed.size)
        if not _disagrees(problem, evidence, precision, signs, todo, shape):
            continue
        while todo.size > 1:
            half = todo[: todo.size // 2]
            wrong = _disagrees(problem, evidence, precision, signs, half, shape)
            todo = half if wrong else todo[todo.size // 2 :]
        if _disagrees(problem, evidence, precision, signs, todo, shape):
            return tuple(int(i) for i in np.unravel_index(todo[0], shape))
    return None


def _disagrees(
    problem: Problem,
    evidence: Evidence,
    precision: Precision,
    signs: Array,
    where: Array,
    shape: tuple[int, ...],
) -> bool:
    direction = np.zeros(signs.size)
    direction[where] = signs[where] / np.sqrt(where.size)
    claimed = evidence.whole.reshape(-1)
    told = float(direction @ claimed)
    # Entries of both signs nearly cancel in the sum: what rounding leaves is that of their sizes.
    size = float(np.linalg.norm(claimed[where]) / np.sqrt(where.size))
    line: Line = direction_line(problem, evidence.name, direction.reshape(shape))
    for look in (slope, careful_slope):
        seen = look(line, precision)
        if seen.kink or abs(told - seen.value) <= evidence.rtol * (abs(told) + size) + 4 * seen.error:
            return False
    return True
