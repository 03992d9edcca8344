"""Learning rates, held against torch.optim.lr_scheduler."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch.optim import SGD, lr_scheduler

from nablab.training import schedule
from nablab.training.recipe import Recipe
from nablab.training.recipe_values import ScheduleName
from nablab.training.state import Watch

STEPS = 7


def ours(recipe: Recipe) -> list[float]:
    return [schedule.lr(recipe, t, STEPS, Watch()) for t in range(recipe.epochs * STEPS)]


def theirs(make: type[lr_scheduler.LRScheduler], count: int, **options: object) -> list[float]:
    """The rates of the first `count` steps."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = make(optimizer, **options)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimiser itself makes no step
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return rates


def test_constant() -> None:
    assert ours(Recipe(schedule="constant", lr=0.5, epochs=2)) == [0.5] * 2 * STEPS


def test_step_falls_by_epochs() -> None:
    recipe = Recipe(schedule="step", lr=0.5, epochs=9, step_size=2, gamma=0.3)
    by_epoch = theirs(lr_scheduler.StepLR, 9, step_size=2, gamma=0.3)
    np.testing.assert_allclose(ours(recipe), np.repeat(by_epoch, STEPS), rtol=1e-12)


def test_cosine() -> None:
    recipe = Recipe(schedule="cosine", lr=0.5, epochs=4)
    reference = theirs(lr_scheduler.CosineAnnealingLR, 4 * STEPS, T_max=4 * STEPS)
    np.testing.assert_allclose(ours(recipe), reference, rtol=1e-9)


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.6])
def test_one_cycle(warmup: float) -> None:
    """Ours are the inner steps of PyTorch's cycle from 0 to 0, linear before its peak and cosine after it.

    PyTorch counts pct_start from 0 to total_steps - 1, with its peak one step early.
    """
    recipe = Recipe(schedule="one_cycle", lr=0.5, epochs=4, warmup=warmup)
    total = 4 * STEPS + 2
    options = {
        "max_lr": 0.5,
        "total_steps": total,
        "pct_start": (warmup * (total - 1) + 1) / total,
        "div_factor": 1e12,
        "final_div_factor": 1e12,
        "cycle_momentum": False,
    }
    linear, cosine = (
        theirs(lr_scheduler.OneCycleLR, total - 1, anneal_strategy=strategy, **options)[1:]
        for strategy in ("linear", "cos")
    )
    rising = (np.arange(4 * STEPS) + 1) / (4 * STEPS + 1) < warmup
    np.testing.assert_allclose(ours(recipe), np.where(rising, linear, cosine), rtol=1e-6)


def test_one_cycle_loses_no_step() -> None:
    for epochs in (1, 2, 10):
        rates = ours(Recipe(schedule="one_cycle", lr=0.5, epochs=epochs))
        assert min(rates) > 0
        assert max(rates) <= 0.5


def test_plateau() -> None:
    losses = [1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.8, 0.8, 0.8, 0.8, 0.8, 0.79, math.inf, 1.0]
    recipe = Recipe(schedule="plateau", lr=0.5, gamma=0.5, plateau_patience=2)
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    reference = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0)
    watch = Watch()
    for epoch, loss in enumerate(losses, start=1):
        watch = schedule.watched(watch, recipe, epoch, loss)
        reference.step(loss)
        assert schedule.lr(recipe, epoch * STEPS, STEPS, watch) == optimizer.param_groups[0]["lr"]
    assert watch.plateau_falls == 5
    assert (watch.best_loss, watch.best_epoch) == (0.79, 12)


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one_cycle", "plateau"])
def test_rates_are_positive_and_at_most_lr(name: ScheduleName) -> None:
    rates = ours(Recipe(schedule=name, lr=0.5, epochs=6))
    assert all(0 < rate <= 0.5 for rate in rates)
