"""Costs of classical methods stand beside those of networks, and how they are counted under every table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from nablab.analysis.results import load_results
from nablab.models.model import Tried
from nablab.report import notebook_tables
from nablab.report.html import render_html
from nablab.report.tables import to_csv, to_latex, to_markdown
from nablab.report.terminal import render
from nablab.report.view import ComparisonView, comparison_view

COUNTED = "2,345 support vectors x (144 features + 3 coefficients)"
RULE = "MACs of kernel machines: support vectors x (features + coefficients)"


@pytest.fixture(scope="module")
def view(factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> ComparisonView:
    kernel = factory.Fake(
        "svc", 1.0, "estimator", parameters=344_718, macs=344_715, score_kind="margins", seeded=False,
        layers=(), counted=COUNTED,
        remarks=("--fast: fitted by scikit-learn-intelex 2026.2", "lbfgs failed:"),
        tried=(Tried("SVC(C=1)", 0.8, 2.0, False), Tried("SVC(C=10)", 0.85, 3.0, True)),
    )  # fmt: skip
    folder = factory.write_comparison(tmp_path_factory.mktemp("costs") / "results", [factory.BIG, kernel])
    return comparison_view(load_results(folder))


def in_terminal(view: ComparisonView) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(view))
    return " ".join(console.export_text().split())


SHOWN = {
    "terminal": in_terminal,
    "html": render_html,
    "markdown": to_markdown,
    "latex": to_latex,
    "notebook": notebook_tables.costs,
}


@pytest.mark.parametrize("where", SHOWN)
def test_conventions_stand_with_every_table(view: ComparisonView, where: str) -> None:
    text = SHOWN[where](view)
    assert RULE in text
    assert "FLOPs = 2 MACs" in text
    assert "trees: their depth" not in text  # there is none in this table
    assert "345 k" in text or "344,715" in text


def test_only_networks_need_no_other_convention(factory: ModuleType, tmp_path: Path) -> None:
    one = comparison_view(load_results(factory.write_comparison(tmp_path / "results", [factory.BIG])))
    assert len(one.conventions) == 1


def test_a_row_of_the_csv_has_the_costs_at_its_own_fraction(factory: ModuleType, tmp_path: Path) -> None:
    """Neighbours keep what they are trained on: a tenth of the images, a tenth of the work."""
    for fraction, kept in ((0.01, 540), (0.1, 5_400)):
        size = {
            "parameters": 144 * kept,
            "macs": 144 * kept,
            "counted": f"{kept:,} stored images x 144 features",
        }
        factory.write_comparison(tmp_path, [replace(factory.NEAREST, **size)], fractions=(fraction,))
    view = comparison_view(load_results(tmp_path))
    small, large = csv.DictReader(io.StringIO(to_csv(view)))
    for row, kept in ((small, 540), (large, 5_400)):
        assert [row[name] for name in ("parameters", "macs", "flops")] == [
            str(144 * kept), str(144 * kept), str(2 * 144 * kept)
        ]  # fmt: skip
        assert row["counted"].startswith(f"{kept:,} stored")
        assert row["size_bytes"] == str(4 * 144 * kept)
    assert view.rows[0].parameters == 144 * 5_400


def test_every_count_says_what_it_was(view: ComparisonView) -> None:
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(to_csv(view)))}
    assert rows["svc"]["counted"] == COUNTED
    assert (rows["svc"]["macs"], rows["svc"]["flops"]) == ("344715", str(2 * 344_715))
    assert rows["lenet"]["counted"] == ""
    assert COUNTED in render_html(view)
    assert f"svc: {COUNTED}" in notebook_tables.costs(view)


def test_what_was_tried_and_remarked_is_in_the_report(view: ComparisonView) -> None:
    text = render_html(view)
    chosen = text.index("<code>SVC(C=10)</code>")
    assert text.index("<code>SVC(C=1)</code>") < chosen
    assert "85.00 %" in text[chosen : chosen + 200]
    assert text.count("<td>chosen</td>") == 1
    assert "fitted by scikit-learn-intelex 2026.2" in text
    assert ">lbfgs failed<" in text
