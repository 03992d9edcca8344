"""Fine-tuning through Python and the command line: what is said, shown, reported and repeated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import nablab
from nablab.cli import main
from nablab.errors import UserError
from nablab.runs.store import WEIGHTS, RunFolder

NET = "4C3-BatchNorm-ReLU-MaxPool2-8-ReLU-K"
LABEL = "4c3-8-k"
QUICK = ["--data", "digits", "--epochs", "1", "--jobs", "1"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "run"
    run = nablab.train(NET, "digits", epochs=1, threads=1, out=folder, progress=False)
    return run.folder


def test_both_starts_in_one_comparison_are_told_and_reported(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [NET, f"{NET}@{source}", *QUICK, "--freeze", "0,1", "--seeds", "1", "--out", str(out)]
    assert main(["compare", *words, "--no-notebook"]) == 0
    told = capsys.readouterr()
    assert f"{LABEL}-tuned starts from {source} (trained on digits, weights " in told.err
    note = next(note for note in nablab.results(out).view.notes if "tuned starts from" in note)
    assert "0, 1, 4, 6 taken over; nothing is new; it trains" in note
    assert str(source.parent) not in note
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "taken over; nothing is new" in report
    assert str(source.parent) not in report.replace(f"{NET}@{source}", "")
    shown = repr(nablab.show_run(out / "runs" / f"{LABEL}-tuned-f1-s0"))
    assert "starts from" in shown
    assert "of which" in shown


def test_the_network_is_the_runs_where_none_is_named(source: Path, tmp_path: Path) -> None:
    run = nablab.train(init=source, data="digits", epochs=1, threads=1, out=tmp_path / "a", progress=False)
    assert run.record.model.spec == RunFolder(source).record().model.spec
    assert run.record.start is not None
    assert main(["train", "--init", str(source), *QUICK[:4], "--out", str(tmp_path / "b"), "--quiet"]) == 0
    same = nablab.show_run(tmp_path / "b")
    np.testing.assert_array_equal(same.weights()["6.bias"].shape, run.weights()["6.bias"].shape)
    with pytest.raises(UserError, match="which model"):
        nablab.train(data="digits")


def test_all_models_start_from_init_or_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="net_linear is another network than that of"):
        nablab.plan([NET, "net_linear"], "digits", init=source, out=tmp_path / "out")
    with pytest.raises(UserError, match="knn has no weights to start from"):
        nablab.plan([NET, "knn"], "digits", init=source, out=tmp_path / "out")
    with pytest.raises(UserError, match=r"does not say of which network it is; name that too"):
        nablab.plan([], "digits", init=source / WEIGHTS, out=tmp_path / "out")
    planned = nablab.plan([NET, f"numpy:{NET}"], "digits", init=source, epochs=1, out=tmp_path / "out")
    assert planned.document()["models"] == [f"{LABEL}-tuned", f"{LABEL}-numpy-tuned"]


def test_a_live_class_starts_from_a_file(source: Path, tmp_path: Path) -> None:
    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(64, 10))

    first = nablab.train(Net, "digits", epochs=1, threads=1, out=tmp_path / "a", progress=False)
    weights = first.folder / WEIGHTS
    again = nablab.train(
        Net, "digits", init=weights, freeze="", epochs=1, threads=1, out=tmp_path / "b", progress=False
    )
    assert again.record.start is not None
    assert again.record.start.taken == ("1",)
    with pytest.raises(UserError, match="is a run of a class of a Python session; give that class too"):
        nablab.train(init=first.folder, data="digits")


def test_an_experiment_is_not_repeated_with_other_weights(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(source, tmp_path / "source")
    out = tmp_path / "out"
    words = ["compare", f"{NET}@{copy}", *QUICK, "--seeds", "1", "--no-notebook", "--quiet"]
    assert main([*words, "--out", str(out)]) == 0
    config = str(out / "experiment.toml")
    assert (
        main(["compare", "--config", config, "--no-notebook", "--quiet", "--out", str(tmp_path / "b")]) == 0
    )
    first, again = (RunFolder(folder / "runs" / f"{LABEL}-tuned-f1-s0") for folder in (out, tmp_path / "b"))
    for name, value in first.weights().items():
        np.testing.assert_array_equal(again.weights()[name], value)
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-4] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(UserError, match="are others than when the experiment was planned"):
        nablab.plan(config=config, out=tmp_path / "c")


def test_plans_count_what_is_frozen(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--init", str(source), *QUICK, "--freeze", "*", "--new-head", "--dry-run", "--json"]
    assert main([*words, "--quiet", "--out", str(tmp_path / "out")]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["recipe"]["freeze"], planned["recipe"]["new_head"]) == ("*", True)
    assert not (tmp_path / "out").exists()
