"""Ctrl-C while a class is checked keeps what was found out until then."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import nablab
from nablab.cli import main
from nablab.grading import delivery
from nablab.grading.verdict import Finding, Verdict


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class of four, at the third of which the user stops."""
    for name in ("ada", "bo", "cy", "di"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "delivery.ipynb").write_text("{}")

    def check(path: Path, options: delivery.Options, name: str = "") -> Verdict:
        if path.parent.name == "cy":
            raise KeyboardInterrupt
        return Verdict(name, findings=(Finding("order", "cell 1", "it was not run"),))

    monkeypatch.setattr(delivery, "check_delivery", check)
    return tmp_path / "class"


def test_what_was_judged_is_shown_and_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, page = tmp_path / "marks.csv", tmp_path / "marks.html"
    code = main(["verify", str(folder), "--csv", str(sheet), "--html", str(page)])
    assert code == 130
    assert "interrupted: 2 of 4 deliveries were checked" in capsys.readouterr().out
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8").splitlines()))
    assert [row["delivery"] for row in rows] == ["ada/delivery.ipynb", "bo/delivery.ipynb"]
    assert "interrupted: 2 of 4 deliveries were checked" in page.read_text(encoding="utf-8")


def test_the_object_says_that_it_is_not_all(folder: Path) -> None:
    done = nablab.verify(folder, progress=False)
    assert done.interrupted == done.document()["interrupted"]
    assert len(done.verdicts) == 2
    assert done.exit_code == 130


def test_where_nothing_was_judged_it_is_an_interrupt(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        nablab.verify(folder / "cy", progress=False)
