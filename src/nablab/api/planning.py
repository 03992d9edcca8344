"""What a user asks for becomes a plan: names to models and data, presets and files to a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count
from numbers import Integral, Real
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nablab.api.paths import as_name, as_path
from nablab.api.sheet import Sheet, as_text
from nablab.api.starts import check_same, resolved
from nablab.errors import UserError
from nablab.report import words
from nablab.training.recipe import Recipe
from nablab.training.recipe import preset as preset_recipe
from nablab.training.recipe_values import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset
    from nablab.runs.experiment import Experiment
    from nablab.runs.planned import DataReference, Plan

DEFAULT_DATA = "fashion-mnist"

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?"


@dataclass(frozen=True)
class Request:
    """What was asked for. None: not said, so the configuration file decides, and then the default."""

    models: Sequence[Any] = ()
    data: str | Path | Dataset | None = None
    fractions: float | Sequence[float] | None = None
    seeds: int | Sequence[int] | None = None
    test_fraction: float | None = None
    resample: bool | None = None
    recipe: Recipe | None = None
    preset: str | None = None
    changes: Mapping[str, Any] | None = None  #: of the recipe
    config: str | Path | None = None
    jobs: int | Literal["auto"] | None = None
    budget: str | float | None = None
    out: str | Path | None = None
    init: str | Path | None = None


class PlannedComparison:
    """What a comparison would do: which runs, how long, how much memory. Shows itself."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def seconds(self) -> float:
        """Expected wall time of everything."""
        return self.plan.seconds or 0.0

    @property
    def memory_bytes(self) -> int:
        """Expected memory of the largest runs that compute at the same time."""
        return self.plan.memory_bytes or 0

    def sheet(self) -> Sheet:
        """A row a model and fraction, with the expected time of one run."""
        plan, rows = self.plan, []
        for model in plan.models:
            for fraction in plan.fractions:
                runs = [r for r in plan.runs if r.label == model.label and r.fraction == fraction]
                estimate = plan.estimate(runs[0])
                each = estimate.seconds(plan.epochs(runs[0])) if estimate else None
                epochs = plan.epochs(runs[0])
                rows.append(
                    (
                        model.label,
                        words.share(fraction),
                        str(len(runs)),
                        str(epochs) if epochs else words.NOTHING,
                        words.seconds(each),
                        words.bytes_(estimate.memory_bytes if estimate else None),
                    )
                )
        headings = ("model", "data", "runs", "epochs", "time a run", "memory a run")
        return Sheet(headings, tuple(rows), notes=self._notes(), right=frozenset(headings[1:]))

    def document(self) -> dict[str, Any]:
        """The plan as plain data, as `--dry-run --json` prints it."""
        plan = self.plan
        return {
            "folder": str(plan.out),
            "data": plan.dataset.name,
            "models": [model.label for model in plan.models],
            "fractions": list(plan.fractions),
            "seeds": list(plan.seeds),
            "jobs": plan.jobs,
            "runs": [run.id for run in plan.runs],
            "seconds": plan.seconds,
            "memory_bytes": plan.memory_bytes,
            "changes": list(plan.changes),
            "recipe": plan.recipe.to_dict(),
        }

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()

    def _notes(self) -> tuple[str, ...]:
        plan = self.plan
        at_once = f"{plan.jobs} at a time" if plan.jobs > 1 else "one at a time"
        lines = [
            f"{words.count(len(plan.runs), 'run')}, {at_once}: about {words.seconds(plan.seconds)} "
            f"and {words.bytes_(plan.memory_bytes)} of memory; results would go to {plan.out}"
        ]
        return (*lines, *(f"to fit the budget: {change}" for change in plan.changes))


def plan(
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
    **changes: Any,
) -> PlannedComparison:
    """What `compare` would do with the same arguments, how long it would take and how much memory.

    A few steps of every model are run to measure that; nothing is written.

    Raises:
        UserError: as `compare`.
    """
    request = Request(
        as_list(models), data, fractions, seeds, test_fraction, resample, recipe, preset, changes,
        config, jobs, budget, out, init,
    )  # fmt: skip
    return PlannedComparison(make_plan(request, calibrate=True))


def make_plan(request: Request, *, calibrate: bool = False) -> Plan:
    """The plan of a request, with everything that can be refused already refused.

    Raises:
        UserError: unknown models, data or presets; values out of range; a folder in use; as
            `nablab.runs.plan.make_plan`.
    """
    from nablab.runs import plan as runs
    from nablab.runs.experiment import Experiment, read_experiment

    _check_kinds(request)
    out = as_path(request.out, "out, the folder of the results,") if request.out else None
    config = None if request.config is None else as_path(request.config, "config, an experiment.toml,")
    experiment = Experiment() if config is None else read_experiment(config)
    init = None if request.init is None else as_path(request.init, "init, a run or a .safetensors file,")
    models = resolved(list(request.models or experiment.models), init, default_models())
    dataset, reference = _data(request, experiment)
    plan = runs.make_plan(
        models,
        dataset,
        _recipe(request, experiment),
        out=out or default_folder(dataset.name, [model.label for model in models]),
        fractions=_first(_several(request.fractions), experiment.fractions),
        seeds=_first(_how_many_or_which(request.seeds), experiment.seeds),
        test_fraction=float(_first(request.test_fraction, experiment.test_fraction)),
        resample=bool(_first(request.resample, experiment.resample)),
        jobs=_first(plain(request.jobs), experiment.jobs),
        budget_seconds=None if request.budget is None else read_duration(request.budget),
        calibrate=calibrate,
        data=reference,
    )
    check_same(plan, experiment)
    return plan


def _check_kinds(request: Request) -> None:
    """Refuse what would be taken for something else, or fail far from here."""
    share, resample, recipe = request.test_fraction, request.resample, request.recipe
    if isinstance(share, bool) or not isinstance(share, Real | None):
        raise UserError(f"test_fraction must be a number above 0, at most 1, not {share!r:.80}")
    if plain(resample) not in (None, True, False):
        raise UserError(f"resample must be True or False, not {resample!r:.80}")
    if not isinstance(recipe, Recipe | None):
        raise UserError(f"recipe must be a nablab.Recipe, not {recipe!r:.80}; a name is given as preset")


def default_models() -> tuple[str, ...]:
    """The seven that are compared when none is named."""
    from nablab.models.catalog import DEFAULT_COMPARISON

    return DEFAULT_COMPARISON


def as_list(models: Any) -> list[Any]:
    """One model, or several, as a list: a text is one model and not its letters."""
    return list(models) if isinstance(models, list | tuple) else [models]


def default_folder(data: str, labels: Sequence[str]) -> Path:
    """`runs/<time>-<name>`, not there yet; the name is the model's, or the data's for several."""
    name = labels[0] if len(labels) == 1 else data
    name = re.sub(r"[^\w.-]+", "_", name)[:40].strip("_") or "run"
    return _free(Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{name}")


def reserved(plan: Plan) -> Plan:
    """The plan with its folder made; another where one that was begun in the same second has that."""
    try:
        plan.out.mkdir(parents=True)
    except FileExistsError:
        return reserved(replace(plan, out=_free(plan.out)))
    except OSError:
        pass  # whoever writes there says why it cannot be
    return plan


def _free(folder: Path) -> Path:
    """The folder, or the first of `folder-2`, `folder-3`, ... that is not there yet."""
    names = chain([folder.name], (f"{folder.name}-{again}" for again in count(2)))
    return next(path for path in map(folder.with_name, names) if not lexists(path))


def read_duration(text: str | float) -> float:
    """Seconds from `90`, `90s`, `10m`, `1h30m`.

    >>> read_duration("1h30m")
    5400.0

    Raises:
        UserError: anything else, or nothing above 0.
    """
    is_number = isinstance(text, int | float) and not isinstance(text, bool)
    if is_number or re.fullmatch(_NUMBER, str(text).strip()):
        total = float(text)
    else:
        found = re.fullmatch(_DURATION, str(text).strip())
        if found is None or not any(found.groups()):
            raise UserError(f"{text!r} is not a time; write 90s, 10m or 1h30m")
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total < float("inf"):
        raise UserError(f"{text!r} must be a time above 0; write 90s, 10m or 1h30m")
    return total


def _data(request: Request, experiment: Experiment) -> tuple[Dataset, DataReference]:
    from nablab.api.sources import load, reference_of

    if request.data is not None:
        dataset = load(request.data)
    else:
        reference = experiment.data_reference
        dataset = load(reference.reference or DEFAULT_DATA, **reference.options)
    return dataset, reference_of(dataset)


def _recipe(request: Request, experiment: Experiment) -> Recipe:
    if request.recipe is not None and request.preset is not None:
        raise UserError("recipe and preset are both given; choose one, and change single values by keyword")
    if request.recipe is not None:
        base = request.recipe
    elif request.preset is not None:
        base = preset_recipe(as_name(request.preset, "the name of a preset"))
    else:
        base = Recipe.from_dict(experiment.recipe)
    return base.but(**(request.changes or {}))


def _several(asked: Any) -> list[Any] | None:
    """One number or several, those of NumPy as Python's own; what is no number is refused later."""
    if asked is None:
        return None
    asked = plain(asked)
    each = list(asked) if isinstance(asked, Iterable) and not isinstance(asked, str | bytes) else [asked]
    return [plain(one) for one in each]


def _how_many_or_which(seeds: Any) -> Any:
    is_count = isinstance(seeds, Integral) and not isinstance(seeds, bool)
    return int(seeds) if is_count else _several(seeds)


def _first(asked: Any, otherwise: Any) -> Any:
    return otherwise if asked is None else asked
