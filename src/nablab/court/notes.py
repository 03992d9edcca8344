"""What is to be known of a problem as a whole, whatever its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from nablab.court.calls import Array
from nablab.court.differences import Precision
from nablab.court.problem import Problem
from nablab.errors import UserError


def notes(problem: Problem, precision: Precision, rng: np.random.Generator) -> Iterator[str]:
    """Sentences, most often none."""
    extra = [name for name in problem.claim() if name not in problem.params]
    if extra:
        yield f"the gradient also has {', '.join(map(str, extra))}, which the parameters have not"
    if precision.single:
        yield "the loss is computed in single precision: errors below about 0.1 % cannot be seen"
    if _labels_of_no_sample(problem, rng):
        yield (
            "the loss is the same whichever label goes with which sample: "
            "are (N, 1) and (N,) broadcast to (N, N)? Bring both into one shape"
        )


def _labels_of_no_sample(problem: Problem, rng: np.random.Generator) -> bool:
    """Whether labels matter, and samples do, but not which belongs to which.

    At a point nearby, since equal scores for all samples, as from weights of zero, look the same.
    """
    count = problem.samples
    if count is None or count < 3:
        return False
    nearby = problem.at({name: p + 0.1 * rng.standard_normal(p.shape) for name, p in problem.params.items()})
    first = np.zeros(count, np.int64)

    def value(rows_of_x: Array, rows_of_y: Array) -> float:
        x, y = nearby.taken(nearby.x, rows_of_x), nearby.taken(nearby.y, rows_of_y)
        return replace(nearby, x=x, y=y).value()

    try:
        rows = np.arange(count)
        right = value(rows, rows)
        shuffled = all(_close(value(rows, rng.permutation(count)), right) for _ in range(3))
        return shuffled and not _close(value(rows, first), right) and not _close(value(first, rows), right)
    except UserError:  # nobody said that the loss takes any of these
        return False


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)
