"""`plan.json`: what a comparison was going to do, written before it does anything."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.models.model import Model
from nablab.models.named_code import named_by
from nablab.runs.experiment import EXPERIMENT, to_toml
from nablab.runs.features import bound
from nablab.runs.planned import DataReference, Plan
from nablab.runs.record import StartRecord
from nablab.runs.start import read_kept
from nablab.runs.store import PLAN, RUNS, RunFolder
from nablab.training.recipe import Recipe

PLAN_SCHEMA = 1


@dataclass(frozen=True)
class _StoredData:
    reference: str
    options: dict[str, Any]
    name: str
    fingerprint: str


@dataclass(frozen=True)
class _StoredModel:
    label: str
    reference: str
    live: bool
    source_sha256: str | None
    start: StartRecord | None = None


@dataclass(frozen=True)
class _StoredPlan:
    schema: int
    created: str
    data: _StoredData
    recipe: dict[str, Any]
    fractions: tuple[float, ...]
    seeds: tuple[int, ...]
    test_fraction: float
    resample: bool
    jobs: int
    changes: tuple[str, ...]
    models: tuple[_StoredModel, ...]


def check_unused(out: Path) -> None:
    """Refuse a folder that holds something already.

    Raises:
        UserError: it does, or it is a file.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out")
    if (out / PLAN).exists():
        raise UserError(
            f"{out} already holds a comparison; --resume {out} goes on with it, "
            f"--add MODEL {out} adds to it, or choose another --out"
        )
    if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise UserError(f"{out} is not empty; choose another --out")


def check_current(plan: Plan) -> None:
    """Refuse a plan that another process has added to since it was read: its models would be lost.

    Raises:
        UserError: which model was added, and what to do.
    """
    if not (plan.out / PLAN).exists():
        return
    known = {model.label for model in plan.models}
    for model in _read(plan.out / PLAN).models:
        if model.label not in known:
            raise UserError(
                f"another process has added {model.label} to {plan.out} just now; do the same again to go on"
            )


def write_plan(plan: Plan) -> None:
    """Write `plan.json` and `experiment.toml`.

    Raises:
        CannotWrite: the folder is read-only or the disk full.
    """
    stored = _StoredPlan(
        schema=PLAN_SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=_StoredData(
            plan.data.reference, dict(plan.data.options), plan.dataset.name, plan.dataset.fingerprint
        ),
        recipe=plan.recipe.to_dict(),
        fractions=plan.fractions,
        seeds=plan.seeds,
        test_fraction=plan.test_fraction,
        resample=plan.resample,
        jobs=plan.jobs,
        changes=plan.changes,
        models=tuple(
            _StoredModel(m.label, m.reference, m.live, _sha256(m), _start(plan, m)) for m in plan.models
        ),
    )
    for start in plan.starts.values():
        start.write(plan.out)
    runs = [{"id": r.id, "label": r.label, "fraction": r.fraction, "seed": r.seed} for r in plan.runs]
    values = asdict(stored) | {"runs": runs}
    atomic.write_text(plan.out / PLAN, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    atomic.write_text(plan.out / EXPERIMENT, to_toml(plan))


def read_plan(
    out: Path | str, *, dataset: Dataset | None = None, models: Sequence[Model] = (), named: bool = False
) -> Plan:
    """The plan in a comparison's folder, its data and models loaded again and found unchanged.

    Args:
        dataset: the data, where it was made in Python.
        models: the live classes and objects of the plan, in any order; others are resolved by their names.
        named: whether the user named all that is in it, as where this process was started for it.

    Raises:
        UserError: no plan here, or one that cannot be read; the data or a user's source file has changed;
            something live was not given; a file that the user never named; `experiment.toml` was edited.
    """
    out = Path(out)
    stored = _read(out / PLAN)
    data = DataReference(stored.data.reference, stored.data.options)
    dataset = dataset if dataset is not None else data.load(str(out))
    if dataset.fingerprint != stored.data.fingerprint:
        raise UserError(
            f"{stored.data.reference or dataset.name} has changed since {out} was planned "
            f"(fingerprint {dataset.fingerprint[:12]}, was {stored.data.fingerprint[:12]}); "
            f"restore it, or start a new --out"
        )
    _check_unedited(out / EXPERIMENT, stored)
    with nullcontext() if named else named_by(out):
        resolved = [_model(model, out, models) for model in stored.models]
    return Plan(
        out=out,
        models=tuple(bound(model, dataset) for model in resolved),
        dataset=dataset,
        data=data,
        recipe=Recipe.from_dict(stored.recipe),
        fractions=stored.fractions,
        seeds=stored.seeds,
        test_fraction=stored.test_fraction,
        resample=stored.resample,
        jobs=stored.jobs,
        changes=stored.changes,
        starts={
            model.label: read_kept(out, model.start) for model in stored.models if model.start is not None
        },
    )


def _start(plan: Plan, model: Model) -> StartRecord | None:
    kept = plan.starts.get(model.label)
    return None if kept is None else kept.record


def _read(path: Path) -> _StoredPlan:
    from pydantic import TypeAdapter, ValidationError

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no comparison in {path.parent} (it has no {path.name})") from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    version = values.get("schema") if isinstance(values, dict) else None
    if isinstance(version, int) and version > PLAN_SCHEMA:
        raise UserError(f"{path} was written by a newer nablab (schema {version}); update nablab to go on")
    try:
        return TypeAdapter(_StoredPlan).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{path} is not a plan: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error


def _check_unedited(path: Path, stored: _StoredPlan) -> None:
    """Refuse to go on where the file that repeats a comparison was edited: it would be ignored, and lost."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; delete it to go on as planned") from error
    planned = _repeating(stored)
    recipe = written.pop("recipe", {})
    for name, value in (written | (recipe if isinstance(recipe, dict) else {})).items():
        if value != planned.get(name, value):
            raise UserError(
                f"{path} was edited: {name} is not as planned, and what goes on does so as planned; delete "
                f"the file for that, or run what it says: nablab compare --config {path} --out NEW"
            )


def _repeating(stored: _StoredPlan) -> dict[str, Any]:
    """What the file that repeats a plan says, its recipe with the rest."""
    options = {name: value for name, value in stored.data.options.items() if value is not None}
    return {
        "models": [model.reference for model in stored.models if not model.live],
        "fractions": list(stored.fractions),
        "seeds": list(stored.seeds),
        "test_fraction": stored.test_fraction,
        "resample": stored.resample,
        "jobs": stored.jobs,
        "data": {"name": stored.data.reference, **options},
        **stored.recipe,
    }


def _model(stored: _StoredModel, out: Path, given: Iterable[Model]) -> Model:
    model = _live(stored, out, given) if stored.live else _resolved(stored)
    if _sha256(model) != stored.source_sha256 and _has_begun(out, stored.label):
        raise UserError(
            f"{stored.reference} has changed since {out} was planned, so its runs would not belong together; "
            f"restore the file, or delete the runs of {stored.label} (nablab runs delete) to train it anew"
        )
    return model


def _live(stored: _StoredModel, out: Path, given: Iterable[Model]) -> Model:
    reference, _, start = stored.reference.partition("@")
    for model in given:
        if model.live and model.reference in (reference, stored.reference):
            named = replace(model, label=stored.label, reference=stored.reference)
            return replace(named, start=start)
    raise UserError(f"{stored.label} in {out} is a class or object of a Python session; give it there again")


def _resolved(stored: _StoredModel) -> Model:
    from nablab.models.reference import resolve

    return replace(resolve(stored.reference), label=stored.label)


def _has_begun(out: Path, label: str) -> bool:
    """Whether a run of this model left something that another version of it would be mixed with."""
    if not (out / RUNS).is_dir():
        return False
    runs = [RunFolder(path) for path in (out / RUNS).iterdir()]
    records = (run.record() for run in runs if run.exists)
    return any(record.model.label == label and record.status != "failed" for record in records)


def _sha256(model: Model) -> str | None:
    return None if model.source_file is None else model.source_file.sha256
