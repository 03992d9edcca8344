"""Everything about one model: its curves, matrix, mistakes, layers and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nablab.analysis.cost import mean
from nablab.analysis.curves import Curves, curves
from nablab.analysis.metrics import brier, calibration_error, probabilities
from nablab.analysis.results import Results, RunData
from nablab.models.model import SourceFile
from nablab.report.sections_confusion import confusion_view
from nablab.report.view_context import failures, without_folder
from nablab.report.view_pictures import decided
from nablab.report.view_types import Picture, RowView, SectionView
from nablab.report.words import listed


def section(results: Results, row: RowView, images: Mapping[int, Picture]) -> SectionView:
    """The section of the model in `row`.

    Raises:
        UserError: predictions or curves of a finished run that cannot be read.
    """
    every, finished = results.of(row.label), results.done(row.label)
    largest = finished[-1].fraction if finished else None
    shown = results.done(row.label, largest) if finished else ()
    record = (finished or every)[-1].record
    calibration, squared = _calibration(shown)
    return SectionView(
        label=row.label,
        detail=row.detail,
        reference=without_folder(record.model.reference),
        kind=row.kind,
        row=row,
        fraction=largest,
        curves=_curves(results, row.label),
        confusion=confusion_view(shown, images) if shown else None,
        calibration_error=calibration,
        brier=squared,
        layers=record.model.layers,
        graph=record.model.graph,
        spec=record.model.spec,
        input_shape=record.data.input_shape,
        kept=_kept(shown),
        source_file=_source_file(record.model.source_file),
        failures=failures(every),
        remarks=tuple(dict.fromkeys(line.rstrip(":") for run in finished for line in run.record.remarks)),
        tried=shown[0].record.tried if shown else (),
        deciding=decided(shown[0]) if shown else (),
    )


def _curves(results: Results, label: str) -> tuple[Curves, ...]:
    found = []
    for fraction in results.fractions:
        runs = results.done(label, fraction)
        kept = [run.record.totals.kept_epoch for run in runs if run.record.totals is not None]
        known = [epoch for epoch in kept if epoch is not None]
        found.append(curves(label, fraction, [run.metrics for run in runs], known))
    return tuple(one for one in found if one is not None)


def _calibration(runs: Sequence[RunData]) -> tuple[float | None, float | None]:
    """Expected calibration error and Brier score, means over seeds; None for margins."""
    errors, squares = [], []
    for run in runs:
        p = probabilities(run.predictions.scores, run.record.model.score_kind)
        if p is not None:
            errors.append(calibration_error(run.predictions.y, p))
            squares.append(brier(run.predictions.y, p))
    return mean(errors), mean(squares)


def _kept(runs: Sequence[RunData]) -> str:
    totals = [run.record.totals for run in runs if run.record.totals is not None]
    if not totals:
        return ""
    if totals[0].kept == "best":
        epochs = [str(one.kept_epoch) for one in totals]
        return f"the weights of the epoch with the best validation loss ({listed(epochs)})"
    words = {
        "last": "the weights after the last epoch",
        "averaged": "the averaged weights",
        "fit": "the fitted estimator",
    }
    return words[totals[0].kept]


def _source_file(source: SourceFile | None) -> str:
    if source is None:
        return ""
    commit = f", commit {source.commit[:10]}" if source.commit else ""
    changed = " with changes that are not committed" if source.modified else ""
    return f"{without_folder(source.path)} (SHA-256 {source.sha256[:12]}{commit}{changed})"
