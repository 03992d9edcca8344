"""Results of somebody else: what their records name is not run, until its user names it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nablab
from nablab.errors import UserError
from nablab.models import named_code

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))
"""
BACKBONE = """
import torch
from torch import nn

class Body(nn.Module):
    mean, std = (0.5,), (0.5,)

    def forward(self, x):
        return x.flatten(1)
"""
#: What somebody else's file does, beside being a network.
MARK = "\nfrom pathlib import Path\nPath(__file__).with_name('it_ran').touch()\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivery: two files with models, and the results of comparing them."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "net.py").write_text(NET)
    (folder / "body.py").write_text(BACKBONE)
    models = [f"{folder}/net.py:Net", f"features:{folder}/body.py:Body", "sklearn.svm.SVC(C=1)"]
    nablab.compare(
        models, "digits", epochs=1, seeds=1, fractions=[0.1], out=folder / "results", progress=False
    )
    return folder


@pytest.fixture
def theirs(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The delivery as somebody hands it in who means harm: files that do more, and records that agree."""
    folder = tmp_path / "delivery"
    shutil.copytree(own, folder)
    before = hashlib.sha256((own / "net.py").read_bytes()).hexdigest()
    for name in ("net.py", "body.py"):
        (folder / name).write_text((own / name).read_text() + MARK)
    after = hashlib.sha256((folder / "net.py").read_bytes()).hexdigest()
    for record in [*folder.glob("results/runs/*/run.json"), *folder.glob("results/*.*")]:
        record.write_text(record.read_text().replace(str(own), str(folder)).replace(before, after))
    skops = next(folder.glob("results/runs/body*")) / "estimator.skops"
    _exchange(skops, str(own), str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(named_code, "_named", set())
    return folder


def _exchange(skops: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(skops) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(skops, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content.replace(old.encode(), new.encode()))


def _picture(folder: Path) -> Path:
    path = folder / "picture.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def _run(folder: Path, label: str) -> Path:
    return next((folder / "results" / "runs").glob(f"{label}*"))


FOLLOWED: dict[str, Callable[[Path], object]] = {
    "predict": lambda folder: nablab.predict(_run(folder, "net"), _picture(folder)),
    "predict by a backbone": lambda folder: nablab.predict(_run(folder, "body"), _picture(folder)),
    "export": lambda folder: nablab.export(_run(folder, "net"), folder / "x", format="safetensors"),
    "resume": lambda folder: nablab.resume(folder / "results", progress=False),
    "add": lambda folder: nablab.results(folder / "results").add("mlp", progress=False),
    "init": lambda folder: nablab.train(None, "digits", init=_run(folder, "net"), epochs=1, out=folder / "o"),
    "features": lambda folder: nablab.train(f"knn@{_run(folder, 'net')}:1", "digits", out=folder / "o"),
    "notebook": lambda folder: nablab.results(folder / "results").notebook(folder / "n.ipynb"),
    "notebook that trains": lambda folder: nablab.results(folder / "results").notebook(
        folder / "n.ipynb", train=True
    ),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_files_that_only_records_name_are_not_run(name: str, theirs: Path) -> None:
    with pytest.raises(
        UserError, match=r"you never named.*name it once yourself: nablab inspect \S+:(Net|Body)"
    ):
        FOLLOWED[name](theirs)
    assert not (theirs / "it_ran").exists()


def test_where_names_cannot_be_kept_the_way_on_says_so(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a read-only home: another process asked for the name for ever."""

    def in_another_process(*words: str) -> str:
        command = [sys.executable, "-m", "nablab", *words]
        return subprocess.run(command, capture_output=True, text=True).stderr

    asked = ("predict", str(_run(theirs, "net")), str(_picture(theirs)))
    named = ("inspect", f"{theirs}/net.py:Net", "--data", "digits")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "state"))  # nobody can write below a file
    assert in_another_process(*named) == ""
    refusal = in_another_process(*asked)
    assert refusal.count("\n") == 1
    assert f"set XDG_STATE_HOME to a folder of yours that can be written, for {tmp_path}/file" in refusal
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    assert "XDG_STATE_HOME" not in in_another_process(*asked)
    in_another_process(*named)
    assert in_another_process(*asked) == ""


def test_a_home_that_cannot_be_entered(tmp_path: Path) -> None:
    """As that of root for another user of a container: naming a file was a PermissionError."""
    (tmp_path / "home").mkdir(mode=0o000)
    (tmp_path / "net.py").write_text("")
    script = """
import os
from nablab.models.named_code import check_named, name_code
if os.getuid() == 0:
    os.setuid(65534)
name_code("net.py:Net", "net.py")
check_named("net.py:Net", "net.py")
try:
    check_named("other.py:Net", "other.py")
except Exception as error:
    print(error)
"""
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_STATE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "other.py, which may be" in done.stdout, done.stderr
    assert "set XDG_STATE_HOME" in done.stdout


def test_what_reads_alone_runs_nothing(theirs: Path) -> None:
    results = nablab.results(theirs / "results")
    results.report(theirs / "report.html")
    results.csv(theirs / "table.csv")
    nablab.leaderboard(theirs / "results").html(theirs / "board.html")
    nablab.show_run(_run(theirs, "net"))
    nablab.list_runs(theirs / "results")
    nablab.predict(_run(theirs, "svc"), _picture(theirs))
    assert not (theirs / "it_ran").exists()


def test_a_file_that_was_named_on_a_command_line_is_followed_in_other_processes(theirs: Path) -> None:
    inspect = [sys.executable, "-m", "nablab", "inspect", f"{theirs}/net.py:Net", "--data", "digits"]
    subprocess.run(inspect, capture_output=True, check=True)
    nablab.predict(_run(theirs, "net"), _picture(theirs))
    assert (theirs / "it_ran").exists()


def test_a_name_is_of_a_place_and_not_of_a_spelling(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(theirs)
    nablab.inspect("net.py:Net", "digits", latency=False)
    nablab.predict(_run(theirs, "net"), _picture(theirs))  # by its whole path
    (theirs / "net.py").write_text(NET + "\n# edited\n")
    with pytest.raises(UserError, match="has changed since"):
        nablab.predict(_run(theirs, "net"), _picture(theirs))


def test_a_home_that_cannot_be_written_keeps_names_for_the_process(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "no folder").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(theirs / "no folder"))
    nablab.inspect(f"{theirs}/net.py:Net", "digits", latency=False)
    nablab.predict(_run(theirs, "net"), _picture(theirs))


def test_workers_follow_what_was_named_without_a_home(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (theirs / "no folder").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(theirs / "no folder"))
    done = nablab.compare(f"{theirs}/net.py:Net", "digits", epochs=1, seeds=2,
                          fractions=[0.1], threads=1, jobs=2, out=theirs / "new", progress=False)  # fmt: skip
    assert not done.failures


def test_a_plan_cannot_name_a_folder_of_pickles(theirs: Path) -> None:
    """joblib loads what `memory` holds where a pipeline is fitted on the images that it is called by."""
    pipeline = f"sklearn.pipeline.Pipeline(steps=[[a,sklearn.svm.SVC()]],memory='{theirs}')"
    plan = json.loads((theirs / "results" / "plan.json").read_text())
    reference = f"sklearn.multiclass.OneVsRestClassifier(estimator={pipeline})"
    plan["models"] = [{**plan["models"][2], "reference": reference}]
    (theirs / "results" / "plan.json").write_text(json.dumps(plan))
    (theirs / "results" / "experiment.toml").unlink()
    with pytest.raises(UserError, match="leave out memory"):
        nablab.resume(theirs / "results", progress=False)
