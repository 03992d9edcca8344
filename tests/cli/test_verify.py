"""`nablab verify` from the command line: what it prints and writes, and its exit codes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from nablab.cli import main

RUBRIC = """
title = "Digits"
given_models = ["net_linear"]
[[parts]]
name = "all"
points = 10
[parts.criteria]
given_models_trained = 1
matrices = 1
"""


@pytest.fixture(scope="module")
def folder(digits_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of three: a right delivery without pictures to compare, one that lies, one that is none."""
    home = tmp_path_factory.mktemp("class")
    cells = [
        ("import nablab\nfrom nablab.report import plots", []),
        ('comparison = nablab.results("results")\nview = comparison.view', []),
        ('section = view.section("net_linear")\nconfusion = section.confusion', [_picture()]),
        ('section = view.section("mlp")\nconfusion = section.confusion', [_picture()]),
        ('section = view.section("knn")\nconfusion = section.confusion', [_picture()]),
    ]
    for name, sentence in (("anna", "mlp has 7,510 parameters."), ("bert", "mlp has 510 parameters.")):
        shutil.copytree(digits_results, home / name / "results")
        (home / name / "delivery.ipynb").write_text(json.dumps(_notebook(cells, sentence)), encoding="utf-8")
    (home / "carla").mkdir()
    (home / "carla" / "delivery.ipynb").write_text("{", encoding="utf-8")
    (home / "rubric.toml").write_text(RUBRIC, encoding="utf-8")
    return home


def _picture() -> dict[str, object]:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo="}}


def _notebook(cells: list[tuple[str, list[dict[str, object]]]], sentence: str) -> dict[str, object]:
    code = [
        {
            "cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": n,
            "outputs": outputs, "source": source,
        }
        for n, (source, outputs) in enumerate(cells, start=1)
    ]  # fmt: skip
    text = {"cell_type": "markdown", "id": "t", "metadata": {}, "source": sentence}
    return {"cells": [*code, text], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["verify", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_exit_codes(capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    rubric = ["--rubric", str(folder / "rubric.toml")]
    code, out, err = run(capsys, str(folder / "anna" / "delivery.ipynb"), *rubric)
    assert (code, err) == (0, "")
    assert "everything that was checked is right" in out
    assert "10.00 of 10" in out
    code, out, _ = run(capsys, str(folder / "bert" / "delivery.ipynb"), *rubric)
    assert code == 1
    assert "✗ number: cell 6: says mlp: parameters 510; recomputed 7,510" in out
    code, out, _ = run(capsys, str(folder / "carla" / "delivery.ipynb"), *rubric)
    assert code == 2
    assert "is not a notebook" in out
    for words, said in (
        (["gone.ipynb"], "no file or folder gone.ipynb"),
        ([str(tmp_path)], "holds no notebook"),
        ([str(folder / "anna"), "--sample", "0"], "a whole number from 1"),
        ([str(folder / "anna"), "--runs", "gone"], "no folder gone"),
        ([str(folder), "--runs", str(folder)], "for one delivery"),
        ([str(folder / "anna"), "--rubric", "gone.toml"], "no file gone.toml"),
    ):
        code, out, err = run(capsys, *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_a_class_is_one_table(capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    words = [
        str(folder),
        "--rubric",
        str(folder / "rubric.toml"),
        "--quiet",
        "--no-pictures",
        "--sample",
        "20",
    ]
    sheet, page = tmp_path / "marks.csv", tmp_path / "marks.html"
    code, out, err = run(capsys, *words, "--csv", str(sheet), "--html", str(page))
    assert (code, err) == (1, "")
    assert next(line for line in out.splitlines() if line.startswith("anna")).rstrip().endswith("right")
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8").splitlines()))
    assert [row["delivery"].split("/")[0] for row in rows] == ["anna", "bert", "carla"]
    assert [row["points"] for row in rows] == ["10", "10", ""]
    assert "510" in rows[1]["first findings"]
    assert "not a notebook" in rows[2]["unusable"]
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == 3
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
    code, out, _ = run(capsys, *words, "--json")
    assert [one["points"] for one in json.loads(out)["deliveries"]] == [10, 10, 0]


def test_help_says_what_running_code_does_not_contain(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    text = " ".join(re.sub("[│|]", " ", out).split())
    assert code == 0
    assert "does not keep them from your files or the network" in text
