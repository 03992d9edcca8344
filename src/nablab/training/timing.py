"""How long a prediction takes."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Seconds spent on timing one batch size, unless a single call takes longer.
BUDGET = 0.5
#: Calls that are enough for a median.
REPEATS = 100
_WARM_UP = 3

Scorer = Callable[[NDArray[np.float32]], NDArray[Any]]


def prediction_seconds(
    scores: Scorer, x: NDArray[np.float32], *, budget: float = BUDGET
) -> tuple[float, float]:
    """Seconds an image when one is scored at a time, and when 256 are.

    Each is the median of up to `REPEATS` calls after a few that warm up. Slow methods get fewer: what is
    begun within `budget` seconds counts, and where the first call alone is over it, that call is the answer.

    Args:
        scores: (N, ...) preprocessed float32 -> (N, K).
        x: images to score, at least one; fewer than 256 are repeated.
    """
    many = np.resize(x, (256, *x.shape[1:]))
    return seconds_a_call(scores, x[:1], budget), seconds_a_call(scores, many, budget) / len(many)


def seconds_a_call(scores: Scorer, x: NDArray[np.float32], budget: float = BUDGET) -> float:
    """Seconds to score all of `x` at once, as `prediction_seconds` measures them."""
    began = perf_counter()
    calls: list[float] = []
    while len(calls) < REPEATS + _WARM_UP and (not calls or perf_counter() - began < budget):
        start = perf_counter()
        scores(x)
        calls.append(perf_counter() - start)
    return median(calls[_WARM_UP:] or calls[1:] or calls)
