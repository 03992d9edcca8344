"""What every report shows, computed once: terminal, tables, HTML and notebook only draw it."""

from __future__ import annotations

from collections.abc import Mapping

from nablab.analysis.cost import conventions
from nablab.analysis.curves import Band, Curves
from nablab.analysis.results import Results
from nablab.analysis.verdicts import verdicts
from nablab.report.sections import section
from nablab.report.view_answer import headline, notes
from nablab.report.view_context import data_view, environments, failures, recipes, repeat
from nablab.report.view_pictures import pictures
from nablab.report.view_rows import rows
from nablab.report.view_types import (
    CellView,
    ClassView,
    ComparisonView,
    ConfusedPair,
    ConfusionView,
    DataView,
    Difference,
    EnvironmentView,
    ExampleView,
    FailureView,
    Picture,
    PointView,
    RecipeView,
    RepeatView,
    RowView,
    SectionView,
)

__all__ = [
    "Band",
    "CellView",
    "ClassView",
    "ComparisonView",
    "ConfusedPair",
    "ConfusionView",
    "Curves",
    "DataView",
    "Difference",
    "EnvironmentView",
    "ExampleView",
    "FailureView",
    "Picture",
    "PointView",
    "RecipeView",
    "RepeatView",
    "RowView",
    "SectionView",
    "comparison_view",
]


def comparison_view(results: Results) -> ComparisonView:
    """The view of a comparison, or of a single run.

    Raises:
        UserError: predictions or curves of a finished run that cannot be read.
    """
    pairs = {fraction: verdicts(results, fraction) for fraction in results.fractions}
    table = rows(results, pairs)
    images = pictures(results)
    sections = tuple(section(results, row, images) for row in table)
    data = data_view(results, images)
    how = recipes(results)
    return ComparisonView(
        title=_title(results),
        headline=headline(table, results.fractions, pairs),
        notes=notes(results, table, pairs, how),
        data=data,
        fractions=results.fractions,
        rows=table,
        sections=sections,
        curves=_last_curves(sections),
        pairs=pairs,
        time_points=_time_points(table),
        parameter_points=_parameter_points(table),
        environments=environments(results),
        recipes=how,
        repeat=repeat(results, how),
        failures=failures(results.runs),
        conventions=conventions(row.counted for row in table),
        images=_shown(images, data, sections),
    )


def _title(results: Results) -> str:
    models, fractions = len(results.labels), len(results.fractions)
    seeds = len({run.seed for run in results.runs})
    counts = [
        f"{n} {word}{'' if n == 1 else 's'}"
        for n, word in ((models, "model"), (fractions, "fraction"), (seeds, "seed"))
    ]
    return f"{results.runs[0].record.data.name}: {' × '.join(counts)}"


def _shown(
    images: Mapping[int, Picture], data: DataView, sections: tuple[SectionView, ...]
) -> dict[int, Picture]:
    """Those pictures that anything in the view points to."""
    shown = {index for index, _ in data.samples}
    for one in sections:
        if one.confusion is not None:
            shown |= {example.index for cell in one.confusion.cells.values() for example in cell}
            shown |= {example.index for example in one.confusion.mistakes}
    return {index: picture for index, picture in images.items() if index in shown}


def _last_curves(sections: tuple[SectionView, ...]) -> tuple[Curves, ...]:
    """Every model's curves at the largest fraction that any of them has curves for."""
    every = [curves for one in sections for curves in one.curves]
    largest = max((curves.fraction for curves in every), default=None)
    return tuple(curves for curves in every if curves.fraction == largest)


def _time_points(table: tuple[RowView, ...]) -> tuple[PointView, ...]:
    return tuple(
        _point(row, cell, cell.train_seconds)
        for row in table
        for cell in row.cells
        if cell and cell.n and cell.clock == 0 and cell.train_seconds is not None
    )


def _parameter_points(table: tuple[RowView, ...]) -> tuple[PointView, ...]:
    return tuple(
        _point(row, cell, float(row.parameters))
        for row in table
        if row.parameters and (cell := row.cells[-1]) is not None and cell.n
    )


def _point(row: RowView, cell: CellView, x: float) -> PointView:
    assert cell.accuracy is not None
    assert cell.accuracy_low is not None
    assert cell.accuracy_high is not None
    return PointView(
        row.label, cell.fraction, x, cell.accuracy, cell.accuracy_low, cell.accuracy_high, cell.n
    )
