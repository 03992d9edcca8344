"""What every number about a model comes to, from the redone runs: what claims are held against."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from statistics import fmean

from nablab.analysis.results import Results, RunData
from nablab.report.view import ComparisonView, comparison_view
from nablab.report.view_types import CellView, RowView

#: Names of quantities that a cell of the view holds.
_OF_CELL = {
    "lowest": "accuracy_low",
    "highest": "accuracy_high",
    "training time": "train_seconds",
    "wall time": "wall_seconds",
    "time for 1 image": "predict_seconds_1",
    "time for 1 of 256": "predict_seconds_256",
    "rank": "rank",
    "seeds": "n",
    "epochs": "epochs",
}

_OF_ROW = {"parameters": "parameters", "MACs": "macs", "FLOPs": "flops", "stored": "size_bytes"}

#: Of runs: what `Totals` and `EpochMetrics` both call by these names.
_OF_RUNS = {
    "train accuracy": "train_accuracy",
    "validation accuracy": "validation_accuracy",
    "train loss": "train_loss",
    "validation loss": "validation_loss",
}

TIMES = ("training time", "wall time", "time for 1 image", "time for 1 of 256")


class Truths:
    """The values that quantities have: means over seeds, and each seed's own.

    Attributes:
        results: the runs, redone.
        view: what a report of them shows.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.view: ComparisonView = comparison_view(results)

    def values(self, label: str, quantity: str, fraction: float | None = None) -> list[float]:
        """What `quantity` of a model may rightly be said to be: at one fraction, or at any."""
        row = self._rows.get(label)
        if row is None:
            return []
        if quantity in _OF_ROW:
            return self._costs(label, _OF_ROW[quantity], fraction)
        runs = [run for run in self.results.done(label, fraction) if run.record.totals]
        cells = [cell for cell in row.cells if cell is not None and fraction in (None, cell.fraction)]
        if quantity in ("accuracy", "test loss"):
            return _answers(runs, cells, quantity)
        if quantity in _OF_RUNS:
            return self._of_runs(runs, _OF_RUNS[quantity])
        if quantity == "some accuracy":
            return [*_answers(runs, cells, "accuracy"), *self._on_the_way(runs)]
        if quantity == "by class":
            return [*self._by_class(label), *_answers(runs, cells, "accuracy")]
        if quantity == "spread":
            return [value for cell in cells for value in _spreads(cell)]
        name = _OF_CELL[quantity]
        known = [value for cell in cells if (value := getattr(cell, name)) is not None]
        if quantity in TIMES:
            known += [value for run in runs if (value := getattr(run.record.totals, name)) is not None]
        return [float(value) for value in known]

    def differences(self, labels: Iterable[str]) -> list[float]:
        """By how much the accuracies of these models may be said to be apart, at any fraction."""
        known = [self.values(label, "accuracy") for label in labels]
        return [
            abs(a - b)
            for place, first in enumerate(known)
            for second in known[place + 1 :]
            for a in first
            for b in second
        ]

    @cached_property
    def _rows(self) -> dict[str, RowView]:
        return {row.label: row for row in self.view.rows}

    def _costs(self, label: str, name: str, fraction: float | None) -> list[float]:
        """By the row, and by each run: nearest neighbours cost more where they keep more images."""
        values = {getattr(self._rows[label], name)}
        for run in self.results.done(label, fraction):
            assert run.record.totals is not None
            source = run.record.totals if name == "size_bytes" else run.record.model
            values.add(getattr(source, name))
        return [float(value) for value in values if value is not None]

    def _of_runs(self, runs: list[RunData], name: str) -> list[float]:
        known = [value for run in runs if (value := getattr(run.record.totals, name)) is not None]
        return [*map(float, known), *([fmean(known)] if known else [])]

    def _on_the_way(self, runs: list[RunData]) -> list[float]:
        """Accuracies on test, training and validation images, of every epoch and of the end."""
        ends = [value for name in ("train accuracy", "validation accuracy")
                for value in self._of_runs(runs, _OF_RUNS[name])]  # fmt: skip
        return ends + [
            value
            for run in runs
            for line in run.metrics
            for value in (line.test_accuracy, line.train_accuracy, line.validation_accuracy)
            if value is not None
        ]

    def _by_class(self, label: str) -> list[float]:
        """Precision, recall and F1 of classes and their means, and the shares of images taken for another."""
        confusion = self.view.section(label).confusion
        if confusion is None:
            return []
        of_classes = [(one.precision, one.recall, one.f1) for one in confusion.classes]
        totals = confusion.counts.sum(axis=1, keepdims=True).clip(min=1)
        means = [fmean(column) for column in zip(*of_classes, strict=True)]
        return [
            *(v for row in of_classes for v in row),
            *means,
            *(confusion.counts / totals).ravel().tolist(),
        ]


def _spreads(cell: CellView) -> list[float]:
    """What may stand behind a ±: the deviation over n - 1 or, as NumPy has it, over n; the standard error."""
    sd, n = cell.accuracy_sd, cell.n
    return [] if sd is None else [sd, sd * ((n - 1) / n) ** 0.5, sd / n**0.5]


def _answers(runs: list[RunData], cells: list[CellView], quantity: str) -> list[float]:
    name = "test_accuracy" if quantity == "accuracy" else "test_loss"
    of_cells = [cell.accuracy if quantity == "accuracy" else cell.loss for cell in cells]
    of_runs = [getattr(run.record.totals, name) for run in runs]
    return [float(value) for value in (*of_cells, *of_runs) if value is not None]
