"""Students' own files: run only when asked, apart, and ended at their limits with all that they started."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace

import numpy as np
import pytest

import nablab
from nablab.errors import UserError
from nablab.grading.rescoring import NotAsked
from nablab.grading.sandbox import Limits, Sandbox
from nablab.runs.store import RunFolder

GOOD = """
import os
from torch import nn
from beside import WIDTH

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a module in a file, which imports another one beside it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "beside.py").write_text("WIDTH = 12\n")
    (folder / "net.py").write_text(GOOD)
    run = nablab.train(
        f"{folder / 'net.py'}:Net", "digits", epochs=1, threads=1, out=folder / "results", progress=False
    )
    return RunFolder(run.folder)


def asked(trained, source=None, *, seconds=120.0, memory=8 * 2**30):
    """What the model says when the file is `source`, which the record is made to know."""
    record = trained.record()
    path = trained.path.parents[2] / "net.py"
    text = GOOD if source is None else source
    path.write_text(text)
    known = replace(record.model.source_file, sha256=hashlib.sha256(text.encode()).hexdigest())
    record = replace(record, model=replace(record.model, source_file=known))
    dataset = nablab.load("digits")
    scorer = Sandbox(Limits(seconds, memory)).scorer(trained, record, dataset)
    place = {int(number): row for row, number in enumerate(dataset.test_ids)}
    rows = np.array([place[int(index)] for index in trained.predictions().indices])
    return scorer(dataset.x_test[rows])


def test_a_student_s_module_gives_its_recorded_scores(trained):
    assert np.allclose(asked(trained), trained.predictions().scores, atol=1e-4)


def test_without_being_asked_it_is_not_run(trained):
    from nablab.grading.rescoring import scorer_of

    with pytest.raises(NotAsked, match="--run-code"):
        scorer_of(trained, trained.record(), nablab.load("digits"))


def test_a_file_that_changed_or_is_gone_is_not_run(trained):
    record = trained.record()
    path = trained.path.parents[2] / "net.py"
    path.write_text(GOOD + "\nopen('sprung', 'w')\n")
    with pytest.raises(NotAsked, match="has changed"):
        Sandbox(Limits(60, 2**33)).scorer(trained, record, nablab.load("digits"))
    path.unlink()
    with pytest.raises(NotAsked, match="is not in the delivery"):
        Sandbox(Limits(60, 2**33)).scorer(trained, record, nablab.load("digits"))


def test_it_works_in_a_folder_of_its_own_that_goes_and_sees_no_environment(trained, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    spy = "import os\nassert 'SECRET' not in os.environ\nopen('left', 'w').write('x')\n"
    spy += "assert os.path.basename(os.getcwd()).startswith('nablab-verify-')\n"
    assert asked(trained, spy + GOOD).shape == (358, 10)
    assert not os.path.exists("left")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise KeyError('mine')", "KeyError"),
        ("import os; os._exit(0)", "without an answer"),
        ("import sys; sys.exit(3)", "ends the program"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("x = bytearray(2**40)", "MemoryError"),
    ],
)
def test_whatever_it_does_the_check_goes_on(trained, source, said):
    with pytest.raises(UserError, match=said):
        asked(trained, f"{source}\n{GOOD}")


def test_out_of_time_it_and_what_it_started_are_ended(trained, tmp_path):
    alive = tmp_path / "alive"
    child = (
        f"import time\nwhile True:\n    open({str(alive)!r}, 'w').write(str(time.time())); time.sleep(.05)"
    )
    start = f"subprocess.Popen([sys.executable, '-c', {child!r}])"
    source = f"import subprocess, sys, time\n{start}\ntime.sleep(600)\n"
    began = time.monotonic()
    with pytest.raises(UserError, match="more than 8 s"):
        asked(trained, source + GOOD, seconds=8)
    assert time.monotonic() - began < 60
    time.sleep(0.3)
    before = alive.read_text()
    time.sleep(0.5)
    assert alive.read_text() == before
