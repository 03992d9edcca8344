"""The rows of the table: one a model, with a cell for each fraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nablab.analysis.comparison import Pair, ranks
from nablab.analysis.cost import clock, mean, number_clocks
from nablab.analysis.results import Results, RunData
from nablab.report.view_types import CellView, RowView

Pairs = Mapping[float, tuple[Pair, ...]]


def rows(results: Results, pairs: Pairs) -> tuple[RowView, ...]:
    """Every model, the best at the largest fraction first, those without a result last."""
    table = [_row(results, label) for label in results.labels]
    placed = _with_ranks(table, results.fractions, pairs)
    return tuple(sorted(placed, key=_standing))


def _standing(row: RowView) -> tuple[float, ...]:
    """Ascending is best first: the largest fraction decides, smaller ones where that has no result."""
    results = [cell.accuracy if cell and cell.accuracy is not None else None for cell in row.cells]
    return tuple(1.0 if accuracy is None else -accuracy for accuracy in reversed(results))


def _row(results: Results, label: str) -> RowView:
    runs = results.of(label)
    finished = results.done(label)
    record = (finished or runs)[-1].record  # the largest fraction speaks for the model
    return RowView(
        label=label,
        detail=record.model.detail,
        kind=record.model.kind,
        parameters=record.model.parameters,
        macs=record.model.macs,
        flops=record.model.flops,
        counted=record.model.counted,
        size_bytes=record.totals.size_bytes if record.totals else None,
        cells=tuple(_cell(results, label, fraction) for fraction in results.fractions),
    )


def _cell(results: Results, label: str, fraction: float) -> CellView | None:
    planned, done = results.of(label, fraction), results.done(label, fraction)
    if not planned:
        return None
    totals = [run.record.totals for run in done if run.record.totals is not None]
    accuracies = tuple(one.test_accuracy for one in totals)
    record = (done or planned)[-1].record
    model = record.model
    return CellView(
        fraction=fraction,
        n_train=record.data.n_train,
        parameters=model.parameters,
        macs=model.macs,
        flops=model.flops,
        counted=model.counted,
        size_bytes=record.totals.size_bytes if record.totals else None,
        n=len(done),
        failed=sum(run.record.status in ("failed", "interrupted") for run in planned),
        accuracy=mean(accuracies),
        accuracy_sd=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        accuracy_low=min(accuracies, default=None),
        accuracy_high=max(accuracies, default=None),
        accuracies=accuracies,
        seeds=tuple(run.seed for run in done),
        loss=mean([one.test_loss for one in totals]),
        train_seconds=mean([one.train_seconds for one in totals]),
        wall_seconds=mean([one.wall_seconds for one in totals]),
        predict_seconds_1=mean([one.predict_seconds_1 for one in totals]),
        predict_seconds_256=mean([one.predict_seconds_256 for one in totals]),
        epochs=None if model.kind == "estimator" else mean([float(one.epochs) for one in totals]),
        clock=_clock(results, done),
        rank=None,
        seeded=model.seeded or results.resampled,
    )


def _clock(results: Results, runs: Sequence[RunData]) -> int | None:
    numbers = number_clocks(clock(run.record.environment) for run in results.runs if run.done)
    found = {numbers[clock(run.record.environment)] for run in runs}
    return found.pop() if len(found) == 1 else None


def _with_ranks(table: Sequence[RowView], fractions: Sequence[float], pairs: Pairs) -> list[RowView]:
    placed = []
    by_fraction = [_ranks(table, position, pairs[f]) for position, f in enumerate(fractions)]
    for row in table:
        cells = tuple(
            None if cell is None else replace(cell, rank=places.get(row.label))
            for cell, places in zip(row.cells, by_fraction, strict=True)
        )
        placed.append(replace(row, cells=cells))
    return placed


def _ranks(table: Sequence[RowView], position: int, pairs: Sequence[Pair]) -> dict[str, int | None]:
    cells = {row.label: row.cells[position] for row in table}
    means = {label: cell.accuracy for label, cell in cells.items() if cell and cell.accuracy is not None}
    return ranks(means, pairs)
