"""The file that repeats a comparison: `nablab compare --config experiment.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from nablab.errors import UserError, did_you_mean
from nablab.runs.planned import DataReference, Plan
from nablab.training.recipe import Recipe

EXPERIMENT = "experiment.toml"

#: What a `[data]` table may hold: the name, and the options of `nablab.data.load`.
_DATA: Mapping[str, type] = {"name": str, "size": int, "color": str, "group": str}

_HEAD = "# The comparison in this folder. To repeat it: nablab compare --config experiment.toml\n\n"


@dataclass(frozen=True)
class Experiment:
    """What `nablab compare` is asked for, as its configuration file says it. What it leaves out is at its
    default."""

    models: tuple[str, ...] = ()  #: references; empty is the default comparison
    live_models: tuple[str, ...] = ()  #: classes and objects of a Python session: only to say that they ran
    fractions: tuple[float, ...] | None = None  #: None is all that is here
    seeds: int | tuple[int, ...] = 3
    test_fraction: float = 1.0
    resample: bool = False
    jobs: int | Literal["auto"] = "auto"
    starts: Mapping[str, str] = field(default_factory=dict)  #: SHA-256 of the weights of `lenet@RUN`
    data: Mapping[str, Any] = field(default_factory=dict)  #: `name`, and the options of `nablab.data.load`
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data_reference(self) -> DataReference:
        options = {name: value for name, value in self.data.items() if name != "name"}
        return DataReference(self.data.get("name", ""), options)


def to_toml(plan: Plan) -> str:
    """The text of the file that repeats `plan`."""
    import tomli_w

    values: dict[str, Any] = {"models": [model.reference for model in plan.models if not model.live]}
    if live := [model.reference for model in plan.models if model.live]:
        values["live_models"] = live
    values |= {
        "fractions": list(plan.fractions),
        "seeds": list(plan.seeds),
        "test_fraction": plan.test_fraction,
        "resample": plan.resample,
        "jobs": plan.jobs,
        "data": {"name": plan.data.reference}
        | {name: value for name, value in plan.data.options.items() if value is not None},
        "recipe": plan.recipe.to_dict(),
    }
    if starts := {plan.model(label).reference: kept.record.sha256 for label, kept in plan.starts.items()}:
        values["starts"] = starts
    return _HEAD + tomli_w.dumps(values)


def read_experiment(path: Path | str) -> Experiment:
    """The experiment in a TOML file.

    Raises:
        UserError: the file cannot be read, is not TOML, holds what no experiment has, or ran models or data
            that only a Python session has.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: {error}") from error
    known = {f.name for f in fields(Experiment)}
    for name in values:
        if name not in known:
            raise UserError(f"{path}: an experiment has no {name!r}{did_you_mean(name, known)}")
    try:
        experiment = TypeAdapter(Experiment).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    _check(experiment, path)
    return experiment


def _check(experiment: Experiment, path: Path | str) -> None:
    Recipe.from_dict(experiment.recipe)
    if experiment.live_models:
        raise UserError(
            f"{path}: {', '.join(experiment.live_models)} came from a Python session; repeat it there, or "
            f"move it to a file, name that in models (file.py:Class) and remove live_models"
        )
    for name, value in experiment.data.items():
        if name not in _DATA:
            raise UserError(f"{path}: data has no {name!r}{did_you_mean(name, _DATA)}")
        if type(value) is not _DATA[name]:
            what = "a whole number" if _DATA[name] is int else "a text"
            raise UserError(f"{path}: data.{name} must be {what}, not {value!r}")
    if not experiment.data.get("name", "any"):
        raise UserError(f"{path}: its data was made in Python; repeat it there, or set name under [data]")
