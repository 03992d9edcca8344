"""A leader board: all finished runs of one exam, from any number of folders, the seeds of a method as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nablab.analysis.comparison import Pair, compare_all, ranks
from nablab.analysis.cost import Clock, clock, mean, number_clocks
from nablab.analysis.exams import Exam, choose, exam_of, find_all, folder_of
from nablab.analysis.methods import methods, split_seed
from nablab.analysis.pareto import front
from nablab.analysis.results import RunData
from nablab.analysis.verdicts import sample
from nablab.errors import UserError
from nablab.runs.record import DataRecord, RunRecord, Totals

#: What accuracy is weighed against, by name: an attribute of `Entry`, and whether it is a time.
COSTS: Mapping[str, bool] = {
    "train_seconds": True,
    "parameters": False,
    "predict_seconds_1": True,
    "predict_seconds_256": True,
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A method on the board. `runs` are its finished ones, by seed; means are over them."""

    label: str  #: unique on its board
    runs: tuple[RunData, ...]

    @property
    def record(self) -> RunRecord:
        """Of its first run: model, data and recipe are those of all."""
        return self.runs[0].record

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """Test accuracy of each run."""
        return tuple(one.test_accuracy for one in self._totals)

    @property
    def accuracy(self) -> float:
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds (n - 1); None for one run."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.runs) > 1 else None

    @property
    def resampled(self) -> bool:
        """Whether seeds also drew the training images."""
        return len({split_seed(run) for run in self.runs}) > 1

    @property
    def seeded(self) -> bool:
        """Whether another seed could give another result."""
        return self.record.model.seeded or self.resampled

    @property
    def parameters(self) -> float | None:
        return mean([run.record.model.parameters for run in self.runs])

    @property
    def macs(self) -> float | None:
        return mean([run.record.model.macs for run in self.runs])

    @property
    def train_seconds(self) -> float | None:
        return mean([one.train_seconds for one in self._totals])

    @property
    def predict_seconds_1(self) -> float | None:
        return mean([one.predict_seconds_1 for one in self._totals])

    @property
    def predict_seconds_256(self) -> float | None:
        return mean([one.predict_seconds_256 for one in self._totals])

    @property
    def size_bytes(self) -> float | None:
        return mean([one.size_bytes for one in self._totals])

    @property
    def clock(self) -> Clock | None:
        """How its times were taken; None where its runs were not timed alike."""
        found = {clock(run.record.environment) for run in self.runs}
        return found.pop() if len(found) == 1 else None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of the comparisons that its runs are in."""
        return tuple(dict.fromkeys(folder_of(run.folder) for run in self.runs))

    @property
    def _totals(self) -> list[Totals]:
        return [run.record.totals for run in self.runs if run.record.totals is not None]


@dataclass(frozen=True, eq=False)
class Board:
    """The methods of one exam, the highest mean first.

    Attributes:
        exam: what they were measured on.
        data: of one of the runs.
        entries: at least one.
        unfinished: runs that failed or have not ended; they do not count.
        repeated: runs that are there twice (same method, same seed); the later ones do not count.
    """

    exam: Exam
    data: DataRecord
    entries: tuple[Entry, ...]
    unfinished: int = 0
    repeated: int = 0

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every two methods whose answers are stored, better mean first; Holm's family is all of them."""
        samples = []
        for entry in self.entries:
            runs = [replace(run) for run in entry.runs]  # copies: what they read is let go of with them
            try:
                samples.append(replace(sample(runs, resampled=entry.resampled), label=entry.label))
            except UserError:
                continue  # only its record was copied: it has a mean, and no verdict
        return compare_all(samples)

    @cached_property
    def ranks(self) -> dict[str, int | None]:
        """Places from 1; methods that cannot be told from the best of their group share one."""
        return ranks({entry.label: entry.accuracy for entry in self.entries}, self.pairs)

    @cached_property
    def leader(self) -> Entry:
        """The highest mean of those that share rank 1, or of all where nothing could be decided."""
        first = (entry for entry in self.entries if self.ranks[entry.label] == 1)
        return next(first, self.entries[0])

    def against_leader(self, entry: Entry) -> Pair | None:
        """The verdict on an entry, held against the leader; None for the leader, or without answers."""
        for pair in self.pairs:
            if {pair.a, pair.b} == {entry.label, self.leader.label}:
                return pair if pair.a == entry.label else pair.turned()
        return None

    @cached_property
    def common_clock(self) -> Clock:
        """How most runs were timed: only such times are compared."""
        numbers = number_clocks(clock(run.record.environment) for entry in self.entries for run in entry.runs)
        return next(iter(numbers))

    def is_timed_alike(self, entry: Entry) -> bool:
        """Whether its times may be held against those of the others."""
        return entry.clock == self.common_clock

    def points(self, cost: str) -> dict[str, tuple[float, float]]:
        """(cost, accuracy) by label, of those whose cost is known and may be compared.

        Args:
            cost: one of `COSTS`.
        """
        found = {}
        for entry in self.entries:
            value = getattr(entry, cost)
            if value is not None and (not COSTS[cost] or self.is_timed_alike(entry)):
                found[entry.label] = (float(value), entry.accuracy)
        return found

    @cached_property
    def fronts(self) -> dict[str, tuple[str, ...]]:
        """By cost: the labels of the Pareto front, cheapest first."""
        return {cost: front(self.points(cost)) for cost in COSTS}


def load_board(folders: Sequence[Path | str], data: str | None = None) -> Board:
    """The board of all runs below some folders.

    Args:
        data: which, where they are on several: a name, the beginning of a fingerprint, or an exam's `id`.

    Raises:
        UserError: no folder, or none with runs; different data; no run that has finished.
    """
    if not folders:
        raise UserError("which runs? give folders that hold some, such as runs")
    chosen = choose(find_all(folders), data)
    runs = [RunData(run, record, record.model.label) for run, record in chosen]
    done = [run for run in runs if run.done]
    if not done:
        raise UserError(f"none of the {len(runs)} runs in {', '.join(map(str, folders))} has finished")
    entries = [Entry(label, runs) for label, runs in methods(done)]
    return Board(
        exam=exam_of(chosen[0][1]),
        data=max((run.record.data for run in done), key=lambda data: data.fraction),
        entries=tuple(sorted(entries, key=lambda entry: -entry.accuracy)),
        unfinished=len(runs) - len(done),
        repeated=len(done) - sum(len(entry.runs) for entry in entries),
    )
