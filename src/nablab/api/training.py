"""Training one model, or several to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nablab.api.comparison import Comparison
from nablab.api.paths import as_path
from nablab.api.planning import Request, as_list, make_plan, reserved
from nablab.api.sources import as_dataset
from nablab.api.trained import TrainedRun
from nablab.errors import UserError

if TYPE_CHECKING:
    from nablab.data.dataset import Dataset
    from nablab.runs.planned import Plan
    from nablab.training.recipe import Recipe


def compare(
    models: Any = (),
    data: str | Path | Dataset | None = None,
    *,
    fractions: float | Sequence[float] | None = None,
    seeds: int | Sequence[int] | None = None,
    test_fraction: float | None = None,
    resample: bool | None = None,
    recipe: Recipe | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    jobs: int | Literal["auto"] | None = None,
    budget: str | float | None = None,
    out: str | Path | None = None,
    init: str | Path | None = None,
    progress: bool = True,
    **changes: Any,
) -> Comparison:
    """Train models on the same images, with the same recipe and seeds, and compare them.

    Args:
        models: any of: catalog names, strings of the layer language, scikit-learn estimators by name,
            `file.py:Class`, and live `nn.Module` classes or objects; none is the seven default networks.
        data: what `load` gives, or what it is given; by default `fashion-mnist`.
        fractions: of the full training set, e.g. `0.1` or `[0.01, 0.1, 1]`; by default all that is here.
        seeds: how many (from the recipe's `seed` on), or which; by default 3.
        test_fraction: of the test set; by default all of it.
        resample: let the seed draw which images train, too.
        recipe: how networks train; by default `Recipe()`.
        preset: `default`, `handout`, `fast` or `thorough`, in place of `recipe`.
        config: an `experiment.toml`; what is given here goes before what it says.
        jobs: runs at a time; `auto` decides by cores and models.
        budget: what all may take, e.g. `"10m"` or seconds; epochs, then seeds, are lowered to keep to it.
        out: folder of the results; by default `runs/<time>-<name>`.
        init: a run's folder or a `.safetensors` file, whose weights all of `models` start from; by default
            the network of that run. To compare with one that starts from chance, write the models
            `["lenet", "lenet@RUN"]` instead.
        progress: show it.
        changes: of the recipe, e.g. `epochs=5, lr=1e-3`.

    Returns:
        the comparison; runs that failed are in its `failures`.

    Raises:
        UserError: anything that can be known to fail, before anything is trained.
    """
    request = Request(
        as_list(models), data, fractions, seeds, test_fraction, resample, recipe, preset, changes,
        config, jobs, budget, out, init,
    )  # fmt: skip
    plan = _planned(request)
    _run(plan, progress=progress)
    return Comparison(plan.out)


def train(
    model: Any = None,
    data: str | Path | Dataset | None = None,
    *,
    fraction: float | None = None,
    test_fraction: float | None = None,
    recipe: Recipe | None = None,
    preset: str | None = None,
    out: str | Path | None = None,
    init: str | Path | None = None,
    progress: bool = True,
    **changes: Any,
) -> TrainedRun:
    """Train one model once.

    Args:
        model: one of those that `compare` takes; with `init` it may be left out.
        data, fraction, test_fraction, recipe, preset, out, init, progress, changes: as in `compare`.

    Raises:
        UserError: anything that can be known to fail, before anything is trained.
        RunFailed: it failed, for example because its loss stopped being a number.
    """
    if model is None and init is None:
        raise UserError("which model? For example: lenet")
    request = Request(
        [] if model is None else [model], data, None if fraction is None else [fraction], 1, test_fraction,
        None, recipe, preset, changes, out=out, init=init,
    )  # fmt: skip
    plan = _planned(request)
    _run(plan, progress=progress)
    run = TrainedRun(plan.folder(plan.runs[0]).path)
    run.check()
    return run


def resume(
    folder: str | Path,
    *models: Any,
    dataset: Dataset | None = None,
    progress: bool = True,
) -> Comparison:
    """Go on with a comparison that was interrupted: finished runs stay, the broken one continues.

    Args:
        folder: its `out`.
        models: its live classes and objects, if it has any.
        dataset: its data, if that was made in Python.

    Raises:
        UserError: no comparison there; data or a model's file that has changed since.
    """
    from nablab.models.reference import resolve_all
    from nablab.runs.plan import read_plan

    folder = as_path(folder, "a comparison's folder")
    plan = read_plan(folder, dataset=as_dataset(dataset), models=resolve_all(list(models)) if models else ())
    _run(plan, resume=True, progress=progress)
    return Comparison(folder)


def add_to(
    folder: str | Path,
    models: Sequence[Any],
    *,
    dataset: Dataset | None = None,
    progress: bool = True,
) -> Comparison:
    """Train more models beside those of a comparison. See `Comparison.add`."""
    from nablab.models.reference import resolve_all
    from nablab.runs.plan import extend_plan, read_plan

    folder = as_path(folder, "a comparison's folder")
    plan = extend_plan(read_plan(folder, dataset=as_dataset(dataset)), resolve_all(list(models)))
    _run(plan, resume=True, progress=progress)
    return Comparison(folder)


def _planned(request: Request) -> Plan:
    plan = make_plan(request)
    return plan if request.out else reserved(plan)


def _run(plan: Plan, *, resume: bool = False, progress: bool) -> None:
    from nablab.api.progress import tell, watch
    from nablab.runs.execute import execute

    if progress and plan.dataset.hint:
        tell(f"{plan.dataset.name}: {plan.dataset.hint}")
    if progress and not resume:
        for label, kept in plan.starts.items():
            tell(f"{label} starts from {kept.record.summary}")
    try:
        watch(plan, execute(plan, resume=resume), show=progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; what was done is kept, and nablab compare --resume {plan.out} goes on"
        ) from None
