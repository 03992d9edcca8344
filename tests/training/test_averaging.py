"""Rates of averaging, held against plain means."""

from __future__ import annotations

import numpy as np
import pytest

from nablab.training import averaging
from nablab.training.recipe import Recipe


def averaged(recipe: Recipe, values: list[float]) -> float | None:
    """What an average would be that follows these values, one a step."""
    average = None
    for step, value in enumerate(values):
        rate = averaging.rate(recipe, step, len(values))
        if rate is not None:
            average = value if average is None else average + rate * (value - average)
    return average


def test_none_has_no_rate() -> None:
    assert averaged(Recipe(averaging="none"), [1.0, 2.0]) is None


@pytest.mark.parametrize("steps", [1, 3, 4, 40, 401])
def test_tail_is_the_mean_of_the_last_quarter(steps: int) -> None:
    values = np.random.default_rng(0).normal(size=steps).tolist()
    tail = values[int(steps * 0.75) :]
    assert averaged(Recipe(averaging="tail"), values) == pytest.approx(np.mean(tail), abs=1e-12)


def test_ema_forgets_its_beginning_and_then_decays_as_told() -> None:
    recipe = Recipe(averaging="ema", ema_decay=0.9)
    rates = [averaging.rate(recipe, step, 1000) for step in range(200)]
    assert rates[0] == pytest.approx(0.9)
    assert rates[9] == pytest.approx(1 - 10 / 19)
    assert rates[100:] == pytest.approx([0.1] * 100)
    assert averaged(recipe, [100.0] * 5 + [1.0] * 300) == pytest.approx(1.0, abs=1e-9)
