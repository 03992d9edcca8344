"""Planning a comparison: what is asked for becomes a `Plan`, and whatever cannot work is refused now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from nablab.data.dataset import Dataset
from nablab.data.split import Split, split
from nablab.errors import UserError
from nablab.machine import memory_bytes
from nablab.models.model import Model
from nablab.runs.concurrency import decide
from nablab.runs.describe import describe_model
from nablab.runs.features import bound
from nablab.runs.plan_file import check_unused, read_plan, write_plan
from nablab.runs.planned import (
    DataReference,
    Estimate,
    Plan,
    PlannedRun,
    check_fractions,
    check_seeds,
    fraction_text,
    run_id,
)
from nablab.runs.start import KeptStart, plan_start
from nablab.training import tta
from nablab.training.feed import fitted_bytes
from nablab.training.recipe import Recipe
from nablab.training.tuning import is_partial, tuning_of

__all__ = [
    "DataReference",
    "Estimate",
    "Plan",
    "PlannedRun",
    "extend_plan",
    "make_plan",
    "read_plan",
    "run_id",
    "write_plan",
]


def make_plan(
    models: Sequence[Model],
    dataset: Dataset,
    recipe: Recipe,
    *,
    out: Path | str,
    fractions: Sequence[float] | None = None,
    seeds: int | Sequence[int] = 1,
    test_fraction: float = 1.0,
    resample: bool = False,
    jobs: int | Literal["auto"] = "auto",
    budget_seconds: float | None = None,
    calibrate: bool = False,
    data: DataReference | None = None,
) -> Plan:
    """Decide everything about a comparison. Nothing is written and, but for a calibration, nothing computed.

    Args:
        models: resolved, with unique labels.
        recipe: for all runs; its `seed` is the first, where `seeds` is a number.
        out: the folder to be; it must not hold anything.
        fractions: of the full training set; None is all that is here.
        seeds: how many, or which.
        resample: let the seed draw which images train, too.
        jobs: runs at a time.
        budget_seconds: what the whole may take; see `nablab.runs.budget.fit`. None is no limit.
        calibrate: estimate times and memory by a few steps of each model; a budget needs that in any case.
        data: how the data is loaded again; None for data made in Python.

    Raises:
        UserError: whatever can be known to fail: the folder, a fraction that isn't here, a network that
            doesn't fit the images, a user's module that fails, a budget that is too small.
    """
    out = Path(out)
    check_unused(out)
    if budget_seconds is not None and not budget_seconds > 0:
        raise UserError(f"a budget of {budget_seconds:g} seconds leaves no time; give one such as 10m")
    seeds = check_seeds(seeds, recipe.seed)
    plan = Plan(
        out=out,
        models=tuple(bound(model, dataset) for model in models),
        dataset=dataset,
        data=data or DataReference(),
        recipe=recipe,
        fractions=_fractions(dataset, recipe, fractions),
        seeds=seeds,
        test_fraction=test_fraction,
        resample=resample,
    )
    macs = _check(plan)
    plan = replace(plan, starts=_starts(plan))
    chosen, precision = _device(plan)
    at_once, threads = decide(
        jobs,
        threads=recipe.threads,
        runs=len(plan.runs),
        models=plan.models,
        macs=macs,
        dataset=dataset,
        device=chosen,
    )
    plan = replace(plan, jobs=at_once, recipe=recipe.but(threads=threads, device=chosen, precision=precision))
    if budget_seconds is not None or calibrate:
        from nablab.runs.calibrate import calibrated

        plan = calibrated(plan)
    if budget_seconds is not None:
        from nablab.runs.budget import fit

        plan = fit(plan, budget_seconds)
    return plan


def extend_plan(plan: Plan, models: Sequence[Model]) -> Plan:
    """`plan` (as `read_plan` gives it) with more models, trained as the others were.

    Raises:
        UserError: a label that the plan has already, or a model that doesn't fit the data.
    """
    for model in models:
        if any(model.label == other.label for other in plan.models):
            raise UserError(f"{plan.out} has a {model.label} already; --resume {plan.out} goes on with it")
        if model.live and plan.jobs > 1:
            raise UserError(
                f"{plan.out} runs {plan.jobs} at a time, and {model.label} is a class or object of "
                f"this Python that cannot be sent to another process; name it by its file (file.py:Class)"
            )
    models = [bound(model, plan.dataset) for model in models]
    extended = replace(plan, models=(*plan.models, *models), estimates={})
    added = replace(extended, models=tuple(models))
    _check(added)
    return replace(extended, starts={**plan.starts, **_starts(added)})


def _device(plan: Plan) -> tuple[str, str]:
    """Where all runs compute, and in what precision: as the NumPy engine does, where it takes part."""
    if any(model.engine == "numpy" for model in plan.models):
        return "cpu", "float32"
    from nablab.training import device

    chosen = device.choose(plan.recipe.device)
    return chosen.type, device.choose_precision(plan.recipe.precision, chosen)


def _fractions(dataset: Dataset, recipe: Recipe, fractions: Sequence[float] | None) -> tuple[float, ...]:
    if fractions is not None:
        return check_fractions(fractions)
    return (len(dataset.x_train) / dataset.train_total,)


def _check(plan: Plan) -> list[int | None]:
    """Refuse what cannot run; the multiply-accumulates of each model, None where not known."""
    from nablab.data.augment import parse
    from nablab.training.engines import check_engine

    labels = [model.label for model in plan.models]
    if not labels:
        raise UserError("no models; name at least one, e.g. lenet")
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"two models are called {label}; give one of them another name")
    if plan.resample and plan.test_fraction != 1:
        raise UserError(
            f"resample with a test_fraction of {plan.test_fraction:g} would draw other test images for each "
            "seed, and models are compared on the same ones; leave one of the two out"
        )
    for model in plan.models:
        check_engine(model, plan.recipe)
    for run in plan.runs:
        if run.label == labels[0]:
            cut = split(
                plan.dataset,
                fraction=run.fraction,
                validation=run.recipe.validation,
                split_seed=run.recipe.split_seed,
                test_fraction=plan.test_fraction,
            )
            _check_memory(plan, cut)
    if plan.recipe.augmentation:
        parse(plan.recipe.augmentation, plan.dataset.input_shape)
    tta.check(plan.recipe.tta, plan.dataset.input_shape)
    shape, classes = plan.dataset.input_shape, len(plan.dataset.classes)
    return [describe_model(model, shape, classes).macs for model in plan.models]


def _starts(plan: Plan) -> dict[str, KeptStart]:
    """What the models start from that do not start from chance, once it fits; what is frozen, checked."""
    recipe = plan.recipe
    if recipe.preprocessing == "init":
        for model in plan.models:
            if not model.start and not model.fed:
                raise UserError(
                    f"preprocessing init is that of the run a network starts from, and {model.label} starts "
                    "from none; choose standardize, or leave it out"
                )
    if not any(model.start or model.kind == "module" for model in plan.models):
        for name, default in (("freeze", ""), ("layer_decay", 1.0), ("new_head", False)):
            if getattr(recipe, name) != default:
                raise UserError(
                    f"{name} is for networks that start from trained weights, and none does; "
                    f"name them with init (--init RUN), or leave out {name}"
                )
    starts = {model.label: plan_start(model, plan.dataset, recipe) for model in plan.models if model.start}
    for model in plan.models:
        if is_partial(plan.recipe_of(model)):
            kept = starts.get(model.label)
            described = describe_model(model, plan.dataset.input_shape, len(plan.dataset.classes))
            tuning_of(recipe, described.layers, new_head=bool(kept and kept.record.new), model=model.label)
    return starts


def _check_memory(plan: Plan, cut: Split) -> None:
    """Refuse estimators, which need all training images at once, where that is over half of the memory."""
    needed, limit = fitted_bytes(plan.dataset, cut), memory_bytes() // 2
    estimators = [model.label for model in plan.models if model.kind == "estimator"]
    if estimators and needed > limit:
        raise UserError(
            f"{estimators[0]} is fitted on all its training images at once, and {len(cut.train):,} of "
            f"{plan.dataset.name} are {needed / 2**30:.1f} GiB, more than half of this machine's memory "
            f"({limit / 2**30:.1f} GiB); take a smaller fraction, such as "
            f"{_rounded_down(cut.fraction * limit / needed)}, or networks alone, which learn in batches"
        )


def _rounded_down(fraction: float) -> str:
    """To its first digit.

    >>> _rounded_down(0.068)
    '0.06'
    """
    digit = 10.0 ** math.floor(math.log10(fraction))
    return fraction_text(round(math.floor(fraction / digit) * digit, 12))
