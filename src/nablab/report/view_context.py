"""What a comparison rests on: data, machines, recipes, failures, and the command that repeats it."""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from nablab.analysis.results import Results, RunData
from nablab.data.sources import SOURCES
from nablab.models.started import divide
from nablab.report.view_types import (
    DataView,
    Difference,
    EnvironmentView,
    FailureView,
    Picture,
    RecipeView,
    RepeatView,
)
from nablab.report.words import count
from nablab.runs.experiment import EXPERIMENT
from nablab.runs.planned import fraction_text
from nablab.runs.record import Environment, ModelRecord
from nablab.training.recipe import PRESETS

#: Settings that belong to a run, not to the way that a comparison trains.
_OF_A_RUN = ("seed", "threads")

#: Test images of each class that stand for the data.
_SAMPLES_A_CLASS = 3


def data_view(results: Results, images: Mapping[int, Picture]) -> DataView:
    data = max((run.record.data for run in results.runs), key=lambda data: data.fraction)
    return DataView(
        name=data.name,
        source=data.source,
        fingerprint=data.fingerprint,
        classes=data.classes,
        input_shape=data.input_shape,
        n_test=data.n_test,
        train_total=data.train_total,
        samples=_samples(results, images),
    )


def _samples(results: Results, images: Mapping[int, Picture]) -> tuple[tuple[int, int], ...]:
    truths: dict[int, int] = {}
    for run in results.runs:
        if run.done and not images.keys() <= truths.keys():
            truths |= dict(zip(run.predictions.indices.tolist(), run.predictions.y.tolist(), strict=True))
    taken: Counter[int] = Counter()
    samples = []
    for index in sorted(images.keys() & truths.keys()):
        truth = truths[index]
        if taken[truth] < _SAMPLES_A_CLASS:
            taken[truth] += 1
            samples.append((index, truth))
    return tuple(sorted(samples, key=lambda sample: (sample[1], sample[0])))


def environments(results: Results) -> tuple[EnvironmentView, ...]:
    """Every different environment, the commonest first."""
    values = Counter(environment_values(run.record.environment) for run in results.runs)
    return tuple(EnvironmentView(environment, runs) for environment, runs in values.most_common())


def environment_values(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Versions, machine and how it was used, as names and values to print."""
    return (
        ("nablab", environment.nablab),
        ("Python", environment.python),
        *sorted(environment.packages.items()),
        ("platform", environment.platform),
        ("processor", f"{environment.cpu}, {count(environment.cores, 'core')}"),
        ("memory", f"{environment.memory_gib:.1f} GiB"),
        ("device", environment.device),
        ("threads a run", str(environment.threads)),
        ("runs at a time", str(environment.jobs)),
    )


def recipes(results: Results) -> tuple[RecipeView, ...]:
    """Every different recipe, with the preset that it is nearest to and the models trained by it."""
    ignored = (*_OF_A_RUN, "split_seed") if results.resampled else _OF_A_RUN
    groups: dict[tuple[tuple[str, Any], ...], list[RunData]] = {}
    for run in results.runs:
        key = tuple(sorted((k, v) for k, v in run.record.recipe.items() if k not in ignored))
        groups.setdefault(key, []).append(run)
    return tuple(_recipe(runs, ignored) for runs in groups.values())


def _recipe(runs: Sequence[RunData], ignored: Sequence[str]) -> RecipeView:
    values = runs[0].record.recipe
    preset, differences = nearest_preset(values, ignored)
    return RecipeView(preset, differences, tuple(dict.fromkeys(run.label for run in runs)), values)


def nearest_preset(values: Mapping[str, Any], ignored: Sequence[str]) -> tuple[str, tuple[Difference, ...]]:
    """The preset that fewest settings of a recipe differ from, and those settings."""
    found = {name: _differences(values, preset.to_dict(), ignored) for name, preset in PRESETS.items()}
    nearest = min(found, key=lambda name: len(found[name]))
    return nearest, found[nearest]


def _differences(
    values: Mapping[str, Any], preset: Mapping[str, Any], ignored: Sequence[str]
) -> tuple[Difference, ...]:
    return tuple(
        Difference(name, preset.get(name), value)
        for name, value in values.items()
        if name not in ignored and value != preset.get(name)
    )


def failures(runs: Iterable[RunData]) -> tuple[FailureView, ...]:
    """The runs that ended without a result, and why."""
    return tuple(
        FailureView(
            run=run.record.id,
            label=run.label,
            fraction=run.fraction,
            seed=run.seed,
            kind=failure.kind,
            message=failure.message,
            epoch=failure.epoch,
            step=failure.step,
        )
        for run in runs
        if (failure := run.record.failure) is not None
    )


def repeat(results: Results, how: Sequence[RecipeView]) -> RepeatView:
    """The commands written out, and the experiment file that stands beside the runs."""
    try:
        experiment = (results.folder / EXPERIMENT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        experiment = ""
    commands = [_command(results, recipe) for recipe in how]
    return RepeatView(tuple(command for command in commands if command), experiment)


def is_live(model: ModelRecord) -> bool:
    """Whether it was a class or object of a Python session, which no command can name."""
    return model.kind == "module" and model.source_file is None


def has_live_data(results: Results) -> bool:
    """Whether the data was made in a Python session, and not loaded by a name: no command can name it."""
    return _given_data(results) == "" and results.runs[0].record.data.name not in SOURCES


def _command(results: Results, recipe: RecipeView) -> str:
    """The command that trains the models of a recipe; empty when none of them, or no data, can be named."""
    runs = [run for label in recipe.labels for run in results.of(label)]
    named = [run.record.model.reference for run in runs if not is_live(run.record.model)]
    if not named or has_live_data(results):
        return ""
    data = runs[0].record.data
    options: dict[str, Any] = {
        "data": _data_reference(results),
        "fractions": ",".join(map(fraction_text, sorted({run.fraction for run in runs}))),
        **_seeds(runs),
        "preset": recipe.preset,
        **{name: value for name, value in data.options.items() if value is not None},
    }
    if data.test_fraction != 1:
        options["test-fraction"] = data.test_fraction
    words = ["nablab", "compare", *map(without_folder, dict.fromkeys(named))]
    for name, value in (*options.items(), *((one.name, one.value) for one in recipe.differences)):
        words += _option(name.replace("_", "-"), value)
    if results.resampled:
        words.append("--resample")
    return shlex.join(words)


def _data_reference(results: Results) -> str:
    """What names the data: as it was given where the experiment says that, else by its name."""
    return without_folder(_given_data(results) or results.runs[0].record.data.name)


def _given_data(results: Results) -> str | None:
    """What the experiment calls its data: empty for data of a Python session; None where it does not say."""
    try:
        data = tomllib.loads((results.folder / EXPERIMENT).read_text(encoding="utf-8"))["data"]
        return str(data["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    return [f"--{name}", str(value)]


def _seeds(runs: Sequence[RunData]) -> Mapping[str, object]:
    """How many and the first, or which: a number alone is how many."""
    seeds = sorted({run.seed for run in runs})
    first, n = seeds[0], len(seeds)
    if seeds != list(range(first, first + n)):
        return {"seeds": ",".join(map(str, seeds))}
    return {"seeds": n} | ({"seed": first} if first else {})


def without_folder(reference: str) -> str:
    """A reference without the folders of one machine; names and layer strings are as they were.

    >>> without_folder("/home/me/my_net.py:MyNet"), without_folder("lenet"), without_folder("my_net.py:A")
    ('my_net.py:MyNet', 'lenet', 'my_net.py:A')
    >>> without_folder("lenet@/home/me/runs/lenet-f1-s0")
    'lenet@lenet-f1-s0'
    """
    model, start = divide(reference)
    if start:
        return f"{without_folder(model)}@{without_folder(start)}"
    return PurePath(reference).name if PurePath(reference).is_absolute() else reference
