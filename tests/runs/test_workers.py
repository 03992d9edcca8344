import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nablab.data.dataset import Dataset
from nablab.errors import CannotWrite
from nablab.models.reference import resolve_all
from nablab.runs import checkpoint
from nablab.runs.execute import RunDone, RunFailed, execute
from nablab.runs.plan import DataReference, Plan, make_plan, read_plan
from nablab.runs.store import RunFolder, find_runs
from nablab.training.recipe import Recipe

NETS = """
import os, signal, time
from torch import nn

class Good(nn.Linear):
    def __init__(self):
        super().__init__(36, 3)
        with open(os.environ.get("PIDS", os.devnull), "a") as file:
            print(os.getpid(), file=file)
        print("what a module prints does not disturb")
    def forward(self, x):
        return super().forward(x.flatten(1))

class Killed(Good):
    def forward(self, x):
        if self.training and len(x) > 2:  # not in the trial before training
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)

class Slow(Good):
    def forward(self, x):
        time.sleep(0.05 * self.training)
        return super().forward(x)

class Raises(Good):
    def forward(self, x):
        if self.training:
            raise ValueError("not today")
        return super().forward(x)
"""

#: Executes a plan that was written before, as `nablab compare --resume` would.
PARENT = """
import sys
from nablab.data import load
from nablab.runs.execute import execute
from nablab.runs.plan import read_plan

try:
    for event in execute(read_plan(sys.argv[1], dataset=load(sys.argv[2])), resume=True):
        print(event.run, event.kind, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


#: Without the data that a worker needs.
SETUP = '{"out": "o", "parent": 1, "descriptor": 0, "data": {}, "die_with_thread": false}'


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture
def data_file(tmp_path: Path, squares: Dataset) -> Path:
    path = tmp_path / "squares.npz"
    np.savez(path, X=squares.x_train, y=squares.y_train, X_test=squares.x_test, y_test=squares.y_test)
    return path


def plan_of(names: list[str], data: Dataset, out: Path, recipe: Recipe, **options: object) -> Plan:
    return make_plan(resolve_all(names), data, recipe.but(threads=1), out=out, **options)


def end_of(plan: Plan, label: str) -> RunFolder:
    return plan.folder(next(run for run in plan.runs if run.label == label))


def test_two_at_a_time_is_as_one_at_a_time(tmp_path: Path, squares: Dataset, nets: Path) -> None:
    recipe = Recipe(epochs=2, batch_size=32, augmentation="shift:1")
    names = [f"{nets}:Killed", "4C3-ReLU-Dropout0.5-K", f"{nets}:Raises", f"{nets}:Good"]
    together = plan_of(names, squares, tmp_path / "together", recipe, jobs=2)
    events = list(execute(together))

    failures = {event.run: event.failure for event in events if isinstance(event, RunFailed)}
    killed, raised = (failures[run.id] for run in together.runs if run.id in failures)
    assert killed.kind == "memory"
    assert "was killed" in killed.message
    line = 1 + NETS[: NETS.index("raise ValueError")].count("\n")
    assert raised.message == f"ValueError: not today (nets.py, line {line}, in forward)"
    assert len([event for event in events if isinstance(event, RunDone)]) == 2
    assert {run.record().status for run in find_runs(tmp_path / "together")} == {"done", "failed"}
    assert end_of(together, together.models[0].label).record().failure == killed

    alone = plan_of([names[1], names[3]], squares, tmp_path / "alone", recipe, jobs=1)
    list(execute(alone))
    for run in alone.runs:
        here, there = alone.folder(run), together.folder(run)
        assert_array_equal(here.predictions().scores, there.predictions().scores)
        assert (here.record().environment.jobs, there.record().environment.jobs) == (1, 2)
        assert here.record().environment.threads == there.record().environment.threads == 1


def test_a_worker_that_cannot_write_stops_all(tmp_path: Path, squares: Dataset) -> None:
    plan = plan_of(["K"], squares, tmp_path / "out", Recipe(epochs=1), jobs=2)
    plan.out.mkdir()
    (plan.out / "runs").touch()  # a file where the folder should be
    with pytest.raises(CannotWrite, match="cannot write in"):
        list(execute(plan, resume=True))


def test_a_stop_between_two_runs_waits_for_nobody(tmp_path: Path, squares: Dataset) -> None:
    """The worker is done with its run, and listens for the next one."""
    plan = plan_of(["K"], squares, tmp_path / "out", Recipe(epochs=1), seeds=3, jobs=2)
    events = execute(plan)
    assert any(isinstance(event, RunDone) for event in events)
    time.sleep(0.5)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("setup", "said"), [("", ""), (SETUP, "KeyError")])
def test_a_worker_that_cannot_begin_ends_at_once(setup: str, said: str) -> None:
    """Its input stays open: it must not wait for more. Without any, its parent has gone: no error."""
    with subprocess.Popen(
        [sys.executable, "-m", "nablab.runs.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        assert worker.stdin is not None
        assert worker.stderr is not None
        if setup:
            worker.stdin.write(setup + "\n")
            worker.stdin.flush()
        else:
            worker.stdin.close()
        assert worker.wait(timeout=30) == 1
        assert (worker.stderr.read().splitlines() or [""])[-1].partition(":")[0] == said


def start(plan: Plan, data_file: Path, pids: Path) -> subprocess.Popen[str]:
    from nablab.runs.plan import write_plan

    write_plan(plan)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(plan.out), str(data_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PIDS": str(pids)},
    )


def wait_for(text: str, lines: Iterator[str], times: int) -> None:
    for line in lines:
        times -= text in line
        if times == 0:
            return
    raise AssertionError(f"it ended without {text}")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("how", "workers"), [(signal.SIGINT, 2), (signal.SIGKILL, 1)])
def test_workers_end_with_their_parent_and_can_be_resumed(
    tmp_path: Path, nets: Path, data_file: Path, how: signal.Signals, workers: int
) -> None:
    from nablab.data import load

    dataset, pids = load(data_file), tmp_path / "pids"
    recipe = Recipe(
        batch_size=1, threads=1
    )  # the first epoch takes over five seconds: no end of it is reached
    plan = make_plan(
        resolve_all([f"{nets}:Slow"]), dataset, recipe, out=tmp_path / "out", seeds=workers, jobs=2,
        data=DataReference(str(data_file)),
    )  # fmt: skip
    parent = start(plan, data_file, pids)
    assert parent.stdout is not None
    with parent, parent.stdout as lines:
        wait_for("progress", lines, times=workers)
        parent.send_signal(how)
        assert parent.wait(timeout=30) == (130 if how is signal.SIGINT else -how)
    started = {int(line) for line in pids.read_text().split()} - {os.getpid()}
    runs = find_runs(plan.out)
    deadline = time.monotonic() + 10
    while (any(map(alive, started)) or any(run.is_live for run in runs)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) == workers
    assert not any(map(alive, started))
    assert not any(run.is_live for run in runs)
    assert {run.record().status for run in runs} == {"interrupted" if how is signal.SIGINT else "running"}
    for run in runs:
        kept = checkpoint.read_checkpoint(run.path)
        assert (kept is not None and kept.loop.step > 0) == (how is signal.SIGINT)
    assert len(read_plan(plan.out, dataset=dataset).runs) == workers
