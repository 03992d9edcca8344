"""The runs of a comparison, read from their folders: where analysis begins."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nablab.analysis.exams import Found, folder_of
from nablab.analysis.methods import way_of
from nablab.errors import UserError
from nablab.runs.deciding import Deciding, read_deciding
from nablab.runs.record import RunRecord
from nablab.runs.store import Examples, Predictions, RunFolder, find_runs
from nablab.training.signals import EpochMetrics


@dataclass(frozen=True, eq=False)
class RunData:
    """One run. What it says about the test images is read when it is asked for, and then kept."""

    folder: RunFolder
    record: RunRecord
    label: str  #: of its model in these results; the record's, unless two comparisons share it

    @property
    def done(self) -> bool:
        """Whether it finished; only such a run counts in a mean."""
        return self.record.status == "done" and self.record.totals is not None

    @property
    def fraction(self) -> float:
        return self.record.data.fraction

    @property
    def seed(self) -> int:
        return int(self.record.recipe.get("seed", 0))

    @cached_property
    def metrics(self) -> tuple[EpochMetrics, ...]:
        """One a measured epoch; empty for estimators."""
        return tuple(self.folder.metrics())

    @cached_property
    def predictions(self) -> Predictions:
        """Labels, scores and positions of the test images.

        Raises:
            UserError: the run has none, or the file is damaged.
        """
        return self.folder.predictions()

    @cached_property
    def examples(self) -> Examples | None:
        """The few test images that reports show; None where the run kept none."""
        try:
            return self.folder.examples()
        except UserError:
            return None  # a report without pictures is still a report

    @cached_property
    def deciding(self) -> Deciding | None:
        """The neighbours that decided a few answers; None where the method asks none.

        Raises:
            UserError: the file is damaged.
        """
        return read_deciding(self.folder.path)


@dataclass(frozen=True, eq=False)
class Results:
    """Runs on one data set, by model, fraction and seed."""

    folder: Path
    runs: tuple[RunData, ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The models, in the order they were planned."""
        return tuple(dict.fromkeys(run.label for run in self.runs))

    @cached_property
    def fractions(self) -> tuple[float, ...]:
        """Of the full training set, ascending."""
        return tuple(sorted({run.fraction for run in self.runs}))

    @cached_property
    def resampled(self) -> bool:
        """Whether seeds also drew the training images anew, so that they concern every method."""
        draws: dict[tuple[str, float], set[object]] = {}
        for run in self.runs:
            draws.setdefault((run.label, run.fraction), set()).add(run.record.recipe.get("split_seed"))
        return any(len(seeds) > 1 for seeds in draws.values())

    def of(self, label: str, fraction: float | None = None) -> tuple[RunData, ...]:
        """The runs of one model, at one fraction or at all, by fraction and seed."""
        chosen = [run for run in self.runs if run.label == label and fraction in (None, run.fraction)]
        return tuple(sorted(chosen, key=lambda run: (run.fraction, run.seed)))

    def done(self, label: str, fraction: float | None = None) -> tuple[RunData, ...]:
        """As `of`, those that finished."""
        return tuple(run for run in self.of(label, fraction) if run.done)


def load_results(folder: Path | str) -> Results:
    """The results in a run folder, a comparison folder, or a folder of comparisons.

    Models of one name in several comparisons are told apart by the names of their folders, unless they were
    trained alike, with seeds of their own: then these are further seeds of one model.

    Raises:
        UserError: no runs there, a record that cannot be read, or runs on different data.
    """
    folder = Path(folder)
    found = [(run, run.record()) for run in find_runs(folder)]
    _check_one_data_set(folder, [record for _, record in found])
    apart = {label for label in {record.model.label for _, record in found} if _differ(label, found)}
    names = _names(folder, found)
    runs = tuple(
        RunData(run, record, f"{label} ({names[folder_of(run)]})" if label in apart else label)
        for run, record in found
        for label in (record.model.label,)
    )
    return Results(folder, runs)


def _differ(label: str, found: Sequence[Found]) -> bool:
    """Whether the runs of this label are several comparisons' and cannot have a mean in common."""
    runs = [(run, record) for run, record in found if record.model.label == label]
    draws = {(record.data.fraction, record.recipe.get("seed")) for _, record in runs}
    ways = {way_of(record) for _, record in runs}
    comparisons = {folder_of(run) for run, _ in runs}
    return len(comparisons) > 1 and (len(draws) < len(runs) or len(ways) > 1)


def _names(folder: Path, found: Sequence[Found]) -> dict[Path, str]:
    """What the comparisons are called: their folders' names, or where they lie if several have the same."""
    places = {place: place.resolve() for place in dict.fromkeys(folder_of(run) for run, _ in found)}
    times = Counter(place.name for place in places.values())
    return {
        place: whole.name if times[whole.name] == 1 else os.path.relpath(place, folder)
        for place, whole in places.items()
    }


def _check_one_data_set(folder: Path, records: Sequence[RunRecord]) -> None:
    kinds = {record.data.fingerprint: record.data.name for record in records}
    if len(kinds) > 1:
        names = ", ".join(f"{name} ({fingerprint[:8]})" for fingerprint, name in kinds.items())
        raise UserError(f"the runs in {folder} are on different data: {names}; report on one at a time")
