"""Making a comparison fit into a given time, and saying exactly what that took."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from nablab.errors import UserError
from nablab.runs.planned import Plan

#: A network keeps at least this share of the epochs that were asked for, before seeds or models go.
LEAST_EPOCHS = 1 / 3


def fit(plan: Plan, seconds: float) -> Plan:
    """The plan, made to last no longer than `seconds` by its estimates.

    First the epochs are lowered, to a third at the least; then the seeds, to one; then the models that
    take longest are left out. After each, as many epochs as fit are given back.

    Args:
        plan: calibrated.

    Raises:
        UserError: not even one model fits.
    """
    for smaller in _ever_smaller(plan):
        epochs = _most(partial(_takes, smaller), plan.recipe.epochs, seconds)
        if epochs >= _least(plan):
            fitted = _with_epochs(smaller, epochs)
            return replace(fitted, changes=_changes(plan, fitted))
    least = _takes(smaller, _least(plan))
    raise UserError(
        f"{seconds:.0f} s are not enough: even {smaller.models[0].label} alone takes about {least:.0f} s; "
        f"allow more time, or use fewer images (--fractions)"
    )


def _ever_smaller(plan: Plan) -> list[Plan]:
    """The plan with ever fewer seeds, then with one seed and ever fewer models."""
    seeds = len(plan.seeds)
    plans = [replace(plan, seeds=plan.seeds[:count]) for count in range(seeds, 0, -1)]
    while len(plans[-1].models) > 1:
        last = plans[-1]
        slowest = max(last.models, key=lambda model: _seconds_of(last, model.label))
        plans.append(replace(last, models=tuple(model for model in last.models if model is not slowest)))
    return plans


def _seconds_of(plan: Plan, label: str) -> float:
    """All runs of a model, with the fewest epochs that it may get."""
    epochs = 0 if plan.model(label).kind == "estimator" else _least(plan)
    return sum(plan.estimates[label, fraction].seconds(epochs) for fraction in plan.fractions)


def _least(plan: Plan) -> int:
    return max(1, round(plan.recipe.epochs * LEAST_EPOCHS))


def _most(takes: Callable[[int], float], epochs: int, seconds: float) -> int:
    """The most epochs, up to `epochs`, with which it takes no longer than `seconds`; 0 if none does."""
    return bisect_right(range(1, epochs + 1), seconds, key=takes)


def _takes(plan: Plan, epochs: int) -> float:
    total = _with_epochs(plan, epochs).seconds
    assert total is not None, "a budget needs a calibrated plan"
    return total


def _with_epochs(plan: Plan, epochs: int) -> Plan:
    return replace(plan, recipe=plan.recipe.but(epochs=epochs))


def _changes(asked: Plan, fitted: Plan) -> tuple[str, ...]:
    """In words, what is less than was asked for."""
    changes = []
    if fitted.recipe.epochs != asked.recipe.epochs:
        changes.append(f"{fitted.recipe.epochs} epochs instead of {asked.recipe.epochs}")
    if fitted.seeds != asked.seeds:
        listed = ", ".join(map(str, fitted.seeds))
        changes.append(f"{len(fitted.seeds)} instead of {len(asked.seeds)} seeds ({listed})")
    kept = {model.label for model in fitted.models}
    for model in asked.models:
        if model.label not in kept:
            changes.append(f"without {model.label}, about {_seconds_of(asked, model.label):.0f} s a seed")
    return tuple(changes)
