"""Verdicts as rows: for a terminal, as CSV, as one HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from nablab import atomic
from nablab.grading.verdict import Verdict


def to_csv(verdicts: Sequence[Verdict]) -> str:
    """One row a delivery: points by part, their sum, what was found. Texts that a spreadsheet would take for
    formulas are quoted."""
    parts = _parts(verdicts)
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(("delivery", *parts, "points", "of", "findings", "first findings", "unusable"))
    for verdict in verdicts:
        points = {mark.part: f"{mark.points:g}" for mark in verdict.marks}
        found = "; ".join(map(str, verdict.findings[:5]))
        total = (f"{verdict.points:g}", f"{verdict.of:g}") if verdict.marks else ("", "")
        row = (verdict.delivery, *(points.get(part, "") for part in parts), *total)
        writer.writerow(
            [_harmless(cell) for cell in (*row, str(len(verdict.findings)), found, verdict.error)]
        )
    return page.getvalue()


def rows(verdicts: Sequence[Verdict]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Headings, and a row a delivery, as texts."""
    parts = _parts(verdicts)
    headings = ("delivery", *(f"{part} ({of:g})" for part, of in parts.items()), "points", "found")
    lines = []
    for verdict in verdicts:
        points = {mark.part: f"{mark.points:.2f}" for mark in verdict.marks}
        total = f"{verdict.points:.2f} of {verdict.of:g}" if verdict.marks else ""
        lines.append((verdict.delivery, *(points.get(part, "") for part in parts), total, summary(verdict)))
    return headings, tuple(lines)


def summary(verdict: Verdict) -> str:
    """What was found, by subject, in a line."""
    if verdict.error:
        return f"unusable: {verdict.error}"
    if not verdict.findings:
        return "everything is right"
    subjects: dict[str, int] = {}
    for finding in verdict.findings:
        subjects[finding.subject] = subjects.get(finding.subject, 0) + 1
    return ", ".join(f"{subject}: {count}" for subject, count in subjects.items())


def write_html(verdicts: Sequence[Verdict], title: str, path: Path | str) -> None:
    """Write the page: the table, and each delivery's marks with their reasons. Everything is escaped.

    Raises:
        NablabError: it cannot be written.
    """
    atomic.write_text(path, render_html(verdicts, title))


def render_html(verdicts: Sequence[Verdict], title: str) -> str:
    """The page as a text. It asks for nothing from anywhere and has no script."""
    from jinja2 import ChoiceLoader, PackageLoader

    from nablab.report.html import environment
    from nablab.report.html_matrix import CELL_DARK, CELL_LIGHT
    from nablab.report.plots_svg import css_variables

    report = environment()
    loaders = [PackageLoader("nablab.grading", "templates"), PackageLoader("nablab.report", "templates")]
    headings, lines = rows(verdicts)
    return (
        report.overlay(loader=ChoiceLoader(loaders))
        .get_template("deliveries.html")
        .render(
            title=title,
            headings=headings,
            rows=list(zip(lines, verdicts, strict=True)),
            light=css_variables(dark=False) | {"--cell": CELL_LIGHT},
            dark=css_variables(dark=True) | {"--cell": CELL_DARK},
        )
    )


def _parts(verdicts: Sequence[Verdict]) -> dict[str, float]:
    return {mark.part: mark.of for verdict in verdicts for mark in verdict.marks}


def _harmless(cell: str) -> str:
    """A text that no spreadsheet computes.

    >>> _harmless("=1+1"), _harmless("4.5")
    ("'=1+1", '4.5')
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
