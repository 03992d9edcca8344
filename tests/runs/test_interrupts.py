import os
import signal
import threading
from pathlib import Path

import pytest
from torch import Tensor, nn

from nablab.data.dataset import Dataset
from nablab.models.model import Model
from nablab.runs import perform
from nablab.runs.checkpoint import read_checkpoint
from nablab.runs.execute import RunDone, execute
from nablab.runs.interrupts import deferred_interrupts
from nablab.runs.plan import make_plan, read_plan
from nablab.training.recipe import Recipe


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_waits_and_the_second_does_not() -> None:
    with deferred_interrupts() as interrupt:
        interrupt.check()
        press()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_where_nothing_is_worth_waiting_for_it_is_raised_at_once() -> None:
    with deferred_interrupts() as interrupt, pytest.raises(KeyboardInterrupt), interrupt.immediate():
        press()


def test_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_leave_signals_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def look() -> None:
        with deferred_interrupts() as interrupt:
            interrupt.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_in_the_middle_of_a_step_leaves_a_checkpoint_that_goes_on(
    tmp_path: Path, squares: Dataset, monkeypatch: pytest.MonkeyPatch, presses: int
) -> None:
    """Once: the step is finished and stored. Twice: it is given up, and what was stored before counts."""

    class Pressed(nn.Linear):
        steps = 0

        def forward(self, x: Tensor) -> Tensor:
            self.steps += self.training
            if self.steps == 7:  # the third of the second epoch
                for _ in range(presses):
                    press()
            return super().forward(x.flatten(1))

    def model(kind: type[nn.Linear]) -> Model:
        build = lambda shape, classes: kind(36, classes)  # noqa: E731
        return Model("pressed", "pressed", "module", detail="", factory=build, live=True)

    class Plain(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.flatten(1))

    monkeypatch.setattr(perform, "CHECKPOINT_GAP", 0.0)
    recipe = Recipe(epochs=3, batch_size=32, threads=1)
    plan = make_plan([model(Pressed)], squares, recipe, out=tmp_path / "out", jobs=1)
    with pytest.raises(KeyboardInterrupt):
        list(execute(plan))
    folder = plan.folder(plan.runs[0])
    kept = read_checkpoint(folder.path)
    assert kept is not None
    assert (kept.loop.epoch, kept.loop.step) == (1, 3 if presses == 1 else 0)
    assert folder.record().status == "interrupted"

    resumed = read_plan(tmp_path / "out", dataset=squares, models=[model(Plain)])
    assert isinstance(list(execute(resumed, resume=True))[-1], RunDone)
    whole = make_plan([model(Plain)], squares, recipe, out=tmp_path / "whole", jobs=1)
    list(execute(whole))
    for name, value in whole.folder(whole.runs[0]).weights().items():
        assert (folder.weights()[name] == value).all()
