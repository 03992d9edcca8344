"""Which runs are of one method: a model trained in one way on one share of the data, whatever the seed.

Two runs are of the same method where everything agrees but the seed and what cannot change a result
(threads, device).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nablab.analysis.exams import folder_of
from nablab.runs.planned import fraction_text
from nablab.runs.record import RunRecord
from nablab.training.recipe import Recipe

if TYPE_CHECKING:
    from nablab.analysis.results import RunData

#: Of a recipe, what belongs to a run and not to a method.
_OF_A_RUN = frozenset({"seed", "split_seed", "threads", "device", "train_sample"})
#: Of a recipe, what an estimator is trained by.
_OF_ESTIMATORS = ("preprocessing", "validation")
#: Settings that a label spells out; where more differ, it names the folder.
_SPELLED_OUT = 2


def methods(runs: Sequence[RunData]) -> list[tuple[str, tuple[RunData, ...]]]:
    """The runs by method, each with a label of its own; one run a seed, by seed.

    A seed that is there twice counts once: the same training again says nothing more about chance.
    """
    found = [_once(some) for group in _alike(runs) for some in _by_draw(group)]
    return [(label, tuple(some)) for label, some in zip(_labels(found), found, strict=True)]


def split_seed(run: RunData) -> int:
    """What drew its training images."""
    return int(run.record.recipe.get("split_seed", 0))


def _alike(runs: Sequence[RunData]) -> list[list[RunData]]:
    groups: dict[Any, list[RunData]] = {}
    for run in runs:
        groups.setdefault((way_of(run.record), run.fraction), []).append(run)
    return list(groups.values())


def way_of(record: RunRecord) -> tuple[Any, ...]:
    """Which model a run trained, and how: what all seeds and fractions of a method have in common."""
    model = record.model
    source = model.source_file.sha256 if model.source_file else ""
    start = record.start.sha256 if record.start else ""
    settings = tuple(sorted((name, str(value)) for name, value in _settings(record).items()))
    return model.label, source or model.reference, model.detail, start, settings


def _settings(record: RunRecord) -> dict[str, Any]:
    """What its recipe says of the method; what an earlier nablab did not set yet is at its default."""
    values = Recipe().to_dict() | record.recipe
    if record.model.kind == "estimator":
        return {name: values[name] for name in _OF_ESTIMATORS}
    return {name: value for name, value in values.items() if name not in _OF_A_RUN}


def _by_draw(runs: Sequence[RunData]) -> list[list[RunData]]:
    """As one method where every run drew its own training images, else by the draw that they share.

    Copies of a run draw nothing.
    """
    runs = list({(split_seed(run), run.seed): run for run in reversed(runs)}.values())[::-1]
    draws = Counter(split_seed(run) for run in runs)
    if max(draws.values()) == 1:
        return [list(runs)]
    return [[run for run in runs if split_seed(run) == draw] for draw in draws]


def _once(runs: Sequence[RunData]) -> list[RunData]:
    """One run a seed, by seed; one in all of a method that only its training images could change."""
    by_chance: dict[int, RunData] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_chance.setdefault(run.seed if run.record.model.seeded else split_seed(run), run)
    return list(by_chance.values())


def _labels(found: Sequence[Sequence[RunData]]) -> list[str]:
    """The models' labels; those that several methods share say what sets these apart."""
    names = [runs[0].record.model.label for runs in found]
    shared = Counter(names)
    for position, runs in enumerate(found):
        name = runs[0].record.model.label
        if shared[name] > 1:
            alike = [other[0] for other in found if other[0].record.model.label == name]
            names[position] = f"{name} ({_apart(runs[0], alike)})"
    taken: Counter[str] = Counter()
    for position, name in enumerate(names):
        taken[name] += 1
        if taken[name] > 1:
            names[position] = f"{name} #{taken[name]}"
    return names


def _apart(run: RunData, alike: Sequence[RunData]) -> str:
    """What sets a method apart from those of the same model: share, settings, or else the folder."""
    described = [_described(one) for one in alike]
    own = _described(run)
    differing = [name for name in own if len({str(one.get(name)) for one in described}) > 1]
    if 0 < len(differing) <= _SPELLED_OUT:
        return ", ".join(own[name] if name == "data" else f"{name} {own[name]}" for name in differing)
    return folder_of(run.folder).resolve().name


def _described(run: RunData) -> dict[str, Any]:
    share = f"{fraction_text(round(100 * run.fraction, 6))} %"
    return {"data": share, "split_seed": split_seed(run)} | _settings(run.record)
