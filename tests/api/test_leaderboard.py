"""`nablab leaderboard` and its Python twin, on real runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import nablab
from nablab.cli import main


def test_runs_of_several_folders_are_ranked_and_shown(digits_results: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(digits_results, tmp_path / "copied")
    shutil.rmtree(copied / "runs" / "mlp-f1-s1")
    board = nablab.leaderboard(copied, digits_results / "runs" / "mlp-f1-s1")
    assert {entry.label: len(entry.runs) for entry in board.board.entries} == {
        "net_linear": 2,
        "mlp": 2,
        "knn": 1,
    }
    assert board.board.leader.label == "knn"
    assert repr(board).startswith("digits: 3 methods, 5 runs")
    html = board._repr_html_()
    assert html.startswith("<table>")
    assert "knn leads" in html
    assert set(board.fronts) == {"train_seconds", "parameters", "predict_seconds_1", "predict_seconds_256"}
    assert board.html(tmp_path / "b.html").stat().st_size > 10_000


def test_the_command_prints_and_writes(
    capsys: pytest.CaptureFixture[str], digits_results: Path, tmp_path: Path
) -> None:
    names = {what: tmp_path / f"b.{what}" for what in ("html", "svg", "png", "csv", "markdown")}
    options = [word for what, path in names.items() for word in (f"--{what}", str(path))]
    assert main(["leaderboard", str(digits_results), *options]) == 0
    said = capsys.readouterr().out
    assert "knn leads" in said
    assert all(f"{what:<9} {path}" in said and path.stat().st_size > 100 for what, path in names.items())
    assert main(["leaderboard", str(digits_results), "--json", "--csv", str(names["csv"])]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["methods"][0]["label"] == "knn"
    assert document["written"] == {"csv": str(names["csv"])}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone"], "no folder gone"),
        ([], "no folder runs"),
        (["gone", "--svg", "b.png"], "ends in .svg"),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["leaderboard", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert list(tmp_path.iterdir()) == []
