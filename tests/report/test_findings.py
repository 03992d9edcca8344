"""Findings in a terminal and as a figure: what is shown of many, and which images are drawn where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nablab.api.data_checks import DataCheck
from nablab.api.sheet import as_text
from nablab.data import Dataset
from nablab.data.checks import Examination, Finding, Row
from nablab.data.checks.finding import SEVERITIES
from nablab.data.dataset import make_dataset
from nablab.errors import UserError
from nablab.report.findings import evidence, render, row_name
from nablab.report.plots_findings import findings_figure


def dataset(channels: int = 1, names: tuple[str, str] = ("cat", "dog")) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (60, channels, 7, 5)).astype(np.uint8)
    y = np.arange(60) % 2
    return make_dataset("d", x[:40], y[:40], x[40:], y[40:], names, source="drawn in a test")


def examination(**options: object) -> Examination:
    return Examination(dataset(**options), (), ())  # type: ignore[arg-type]


def pair(first: int, second: int) -> tuple[Row, ...]:
    return (Row("train", first), Row("test", second))


def test_evidence_names_the_first_and_counts_the_others() -> None:
    many = tuple(Row("train", row) for row in range(9))
    finding = Finding("r", "note", "c", "m", (many, *(pair(n, n) for n in range(6))), ("a",) * 7)
    lines = evidence(examination(), finding)
    assert lines == [
        "train 0 (cat), train 1 (dog), train 2 (cat), train 3 (dog), 5 more: a",
        "train 0 (cat), test 0 (cat): a",
        "train 1 (dog), test 1 (dog): a",
        "train 2 (cat), test 2 (cat): a",
        "and 3 more (--json lists them)",
    ]
    files = Finding("r", "note", "c", "m", files=("one", "two"))
    assert evidence(examination(), files) == ["one", "two"]


def test_rows_from_files_go_by_them() -> None:
    files = tuple(Path(f"cat/{n}.png") for n in range(40))
    found = replace(examination(), train_files=files, test_files=files[:20])
    assert row_name(found, Row("train", 7)) == "cat/7.png (dog)"


def test_every_severity_is_printed_with_claim_and_remedy() -> None:
    findings = tuple(Finding(f"rule-{s}", s, f"claim of {s}", f"remedy of {s}") for s in SEVERITIES)
    text = as_text(render("title", examination(), findings))
    for severity in SEVERITIES:
        assert f"{severity}  rule-{severity}\n  claim of {severity}\n  -> remedy of {severity}" in text


def test_each_image_is_drawn_with_its_row_and_label() -> None:
    found = examination()
    findings = [
        Finding("leak", "serious", "some " * 60, "m", (pair(3, 4), pair(5, 6)), ("correlation 1", "two")),
        Finding("files", "note", "nothing to draw", "m", files=("one",)),
        Finding("blank", "note", "c", "m", tuple((Row("train", n),) for n in range(30))),
    ]
    figure = findings_figure(found, findings)
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels[:4] == ["train 3\ndog", "test 4\ncat", "train 5\ndog", "test 6\ncat"]
    assert labels[4:] == [f"train {n}\n{('cat', 'dog')[n % 2]}" for n in range(len(labels) - 4)]
    assert 8 <= len(labels) - 4 < 30, "as many as fit into a line"
    data = found.dataset
    assert data is not None
    low, high = float(data.x_train.min()), float(data.x_train.max())
    drawn = figure.axes[1].images[0].get_array()
    expected = np.clip((data.x_test[4, 0].astype(float) - low) / (high - low), 0, 1) * 255
    np.testing.assert_allclose(drawn, np.rint(expected))
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1 for box in boxes)
    assert not any(
        min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)
        for n, a in enumerate(boxes)
        for b in boxes[n + 1 :]
    ), "images do not cover each other"
    assert [text.get_text() for text in figure.texts[1:3]] == ["correlation 1", "two"]


def test_names_that_are_formulas_or_in_another_script_are_drawn(tmp_path: Path) -> None:
    found = examination(channels=3, names=("$x^", "狗"))
    findings = (Finding("blank", "note", "c_$1", "m", (pair(0, 1),)),)
    figure = findings_figure(found, findings)
    assert DataCheck("d", found, findings, ()).picture(tmp_path / "found.png").stat().st_size > 1_000
    assert figure.axes[0].get_xlabel() == "train 0\n$x^"
    assert figure.axes[0].images[0].get_array().shape == (7, 5, 3)


def test_where_there_is_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="no images to draw"):
        findings_figure(examination(), [Finding("files", "note", "c", "m", files=("one",))])
    with pytest.raises(UserError, match="no images to draw"):
        findings_figure(Examination(None, (), ()), [])
