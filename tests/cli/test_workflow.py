"""What a user does from the first comparison to the delivery, through the command line, on digits."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nablab
from nablab.cli import main
from nablab.runs.store import RunFolder


def document(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command prints with --json; it must be the whole of stdout."""
    assert main([*words, "--json", "--quiet"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_compare_add_and_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "results")
    words = ["compare", "net_linear", "--data", "digits", "--epochs", "1", "--seeds", "1", "--jobs", "1"]
    assert main([*words, "--out", out]) == 0
    captured = capsys.readouterr()
    assert "net_linear" in captured.out
    assert captured.out.rstrip().endswith(f"notebook  {out}/delivery.ipynb")
    assert f"report    {out}/report.html" in captured.out
    assert "[1/1] net_linear-f1-s0: test accuracy" in captured.err
    assert (tmp_path / "results" / "report.html").stat().st_size > 10_000
    cells = json.loads((tmp_path / "results" / "delivery.ipynb").read_text())["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))

    more = document(capsys, "compare", "--add", "8-ReLU-K", out, "--no-notebook")
    assert len(more["models"]) == 2
    assert main([*words, "--out", out]) == 2
    assert "--resume" in capsys.readouterr().err


def test_tables_are_written(capsys: pytest.CaptureFixture[str], digits_results: Path, tmp_path: Path) -> None:
    wanted = {"markdown": "t.md", "latex": "t.tex", "csv": "t.csv", "html": "r.html"}
    options = [word for what, name in wanted.items() for word in (f"--{what}", str(tmp_path / name))]
    written = document(capsys, "report", str(digits_results), *options)
    assert set(written) == {"markdown", "latex", "csv", "report"}
    assert all(Path(path).stat().st_size > 100 for path in written.values())
    assert not (digits_results / "delivery.ipynb").exists()


def test_runs_are_listed_shown_and_deleted(
    capsys: pytest.CaptureFixture[str], digits_results: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(digits_results, tmp_path / "copy")
    listed = document(capsys, "runs", "list", str(folder))
    assert len(listed) == 5
    assert {row["status"] for row in listed} == {"done"}
    run = next(row["run"] for row in listed if "mlp-f1-s1" in row["run"])
    shown = document(capsys, "runs", "show", run)
    assert (shown["model"]["label"], shown["recipe"]["seed"]) == ("mlp", 1)
    assert main(["runs", "show", run]) == 0
    assert "accuracy" in capsys.readouterr().out
    (damaged,) = folder.rglob("mlp-f1-s0/run.json")
    damaged.write_text("{")
    states = {Path(row["run"]).name: row["status"] for row in document(capsys, "runs", "list", str(folder))}
    assert states.pop("mlp-f1-s0") == "unreadable"
    assert set(states.values()) == {"done"}
    assert main(["runs", "delete", run, str(folder / "gone")]) == 2
    assert "nothing was deleted" in capsys.readouterr().err
    with RunFolder(damaged.parent).lock():
        assert main(["runs", "delete", run, str(damaged.parent)]) == 2
    assert "a process works on" in capsys.readouterr().err
    assert document(capsys, "runs", "delete", run, f"{run}/") == {"deleted": [run]}
    assert len(document(capsys, "runs", "list", str(folder))) == 4


def test_train_and_predict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "one"
    options = ["--data", "digits", "--epochs", "3", "--early-stopping", "2", "--seed", "7"]
    run = document(capsys, "train", "32-ReLU-K", *options, "--out", str(out))
    assert run["recipe"]["seed"] == 7
    assert run["totals"]["epochs"] <= 3
    Image.new("L", (20, 20), 200).save(tmp_path / "a.png")
    answers = document(capsys, "predict", str(out), str(tmp_path / "a.png"), "--csv", str(tmp_path / "a.csv"))
    assert answers[0]["prediction"] in "0123456789"
    assert (tmp_path / "a.csv").read_text().startswith("picture,prediction,0,1,2")


def test_a_failed_run_is_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from torch import nn\n\n"
        "class Bad(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, 10))\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) * (float('nan') if self.training else 1)\n"
    )
    words = [f"{tmp_path / 'bad.py'}:Bad", "net_linear", "--data", "digits", "--epochs", "1", "--seeds", "1"]
    result = document(capsys, "compare", *words, "--no-notebook", "--out", str(tmp_path / "out"), code=1)
    assert [failure["kind"] for failure in result["failures"]] == ["diverged"]
    assert result["models"][0]["results"][0]["accuracy"] > 0
    assert main(["train", *words[:1], *words[2:6], "--out", str(tmp_path / "one"), "--quiet"]) == 1
    assert "loss" in capsys.readouterr().err
    assert main(["train", "--resume", str(tmp_path / "one"), "--quiet"]) == 1
    assert "loss" in capsys.readouterr().err
    assert len(document(capsys, "train", "--resume", str(tmp_path / "out"), code=1)["models"]) == 2


def test_a_dry_run_leaves_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = document(capsys, "compare", "mlp", "knn", "--data", "digits", "--dry-run", "--out", str(out))
    assert len(planned["runs"]) == 3 + 1
    assert planned["seconds"] > 0
    assert not out.exists()


def test_inspect(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (found,) = document(capsys, "inspect", "lenet5", "--svg", str(tmp_path))[:1]
    assert (found["parameters"], found["flops"]) == (61_706, 2 * found["macs"])
    assert (tmp_path / "lenet5.svg").exists()
    document(capsys, "inspect", "8-ReLU-K", "8-relu-k", "--svg", str(tmp_path))
    assert {path.name for path in tmp_path.glob("8*")} == {"8-relu-k.svg", "8-relu-k-2.svg"}


def test_data(capsys: pytest.CaptureFixture[str]) -> None:
    names = [row["name"] for row in document(capsys, "data", "list")]
    assert {"fashion-mnist", "digits", "spiral"} <= set(names)
    assert document(capsys, "data", "show", "digits")["input_shape"] == [1, 8, 8]


def test_ctrl_c_and_resume_end_where_no_interruption_ends(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["128-ReLU-Dropout0.5-K", "--data", "digits", "--epochs", "12", "--seeds", "2", "--jobs", "1"]
    words += ["--threads", "1", "--batch-size", "8"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    command = [sys.executable, "-m", "nablab", "compare", *words, "--out", str(broken), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    metrics = broken / "runs" / "128-relu-dropout0.5-k-f1-s0" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        error == f"nablab: interrupted; what was done is kept, and nablab compare --resume {broken} goes on\n"
    )

    nablab.resume(broken, progress=False)
    nablab.compare(
        words[0], "digits", epochs=12, seeds=2, jobs=1, threads=1, batch_size=8, out=whole, progress=False
    )
    for run in ("128-relu-dropout0.5-k-f1-s0", "128-relu-dropout0.5-k-f1-s1"):
        one, two = (RunFolder(folder / "runs" / run) for folder in (broken, whole))
        assert [m.test_loss for m in one.metrics()] == [m.test_loss for m in two.metrics()]
        assert all((one.weights()[name] == value).all() for name, value in two.weights().items())
