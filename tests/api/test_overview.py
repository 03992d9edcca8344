"""What progress says, on a plan with hand-worked weights and a clock that we turn."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nablab.api.overview import Overview
from nablab.api.progress import LineDisplay, progress_html, summary
from nablab.data import load
from nablab.models.language import parse
from nablab.models.model import Model
from nablab.runs.events import RunDone, RunEpoch, RunFailed, RunProgress, RunSkipped, RunStarted
from nablab.runs.planned import DataReference, Estimate, Plan
from nablab.runs.record import Failure, Totals
from nablab.training.recipe import Recipe
from nablab.training.signals import EpochMetrics

SMALL, LARGE = "small-f1-s0", "large-f1-s0"
TOTALS = Totals(epochs=4, steps=8, train_seconds=2.5, wall_seconds=3.0, test_accuracy=0.875, test_loss=0.4)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def plan() -> Plan:
    """Two runs of four epochs; the large one is expected to take three times as long as the small one."""
    models = tuple(
        Model(label=name, reference="K", kind="network", detail="K", spec=parse("K"))
        for name in ("small", "large")
    )
    return Plan(
        out=Path("nowhere"),
        models=models,
        dataset=load("digits"),
        data=DataReference("digits"),
        recipe=Recipe(epochs=4),
        fractions=(1.0,),
        seeds=(0,),
        estimates={("small", 1.0): Estimate(0.0, 2.5, 0), ("large", 1.0): Estimate(0.0, 7.5, 0)},
    )


def measured(epoch: int) -> EpochMetrics:
    return EpochMetrics(epoch, 2 * epoch, 0.1, 0.5, 0.8, 0.4, 0.85, None, None, 0.45, 0.82, 1.0, 1.0)


def test_shares_are_weighed_by_what_runs_are_expected_to_take(plan: Plan) -> None:
    clock = Clock()
    overview = Overview(plan, clock)
    assert overview.remaining == pytest.approx(40.0)  # the plan's: 10 s and 30 s
    overview.take(RunStarted(SMALL, 4))
    clock.now = 8.0
    overview.take(RunDone(SMALL, TOTALS))
    assert (overview.ended, overview.total) == (1, 2)
    assert overview.share == pytest.approx(0.25)
    assert overview.remaining == pytest.approx(24.0)  # a quarter took 8 s
    overview.take(RunStarted(LARGE, 4))
    overview.take(RunProgress(LARGE, epoch=1, step=1, steps=2, loss=1.0, accuracy=0.5, train_seconds=1.0))
    assert overview.share == pytest.approx(0.25 + 0.75 * 1.5 / 4)


def test_what_was_done_before_does_not_make_us_look_fast(plan: Plan) -> None:
    clock = Clock()
    overview = Overview(plan, clock)
    overview.take(RunSkipped(SMALL, "done"))
    overview.take(RunStarted(LARGE, 4, from_epoch=2))
    assert overview.share == pytest.approx(0.25 + 0.375)
    assert overview.remaining == pytest.approx(40 * 0.375)  # nothing done here yet: by the plan
    clock.now = 6.0
    overview.take(RunEpoch(LARGE, measured(3)))
    assert overview.remaining == pytest.approx(6.0)  # one epoch of two took 6 s
    assert overview.run_remaining(LARGE) == pytest.approx(6.0)


def test_lines_say_what_came_of_a_run(plan: Plan) -> None:
    overview = Overview(plan, Clock())
    overview.take(RunStarted(SMALL, 4))
    assert overview.take(RunProgress(SMALL, 0, 1, 2, 1.0, 0.5, 1.0)) == ""
    assert overview.running[SMALL].detail == "epoch 1/4, loss 1.000, accuracy 50.0 %"
    line = overview.take(RunEpoch(SMALL, measured(1)))
    assert line == f"{SMALL}: epoch 1/4, training loss 0.500, training 85.0 %, test 82.0 %"
    assert "87.5 %" in overview.take(RunDone(SMALL, TOTALS))
    overview.take(RunStarted(LARGE, 4))
    failed = RunFailed(LARGE, Failure("the loss is not a number", "diverged", 0, 3))
    assert overview.take(failed) == f"{LARGE}: failed: the loss is not a number"
    assert (overview.failed, overview.share, overview.running) == (1, 1.0, {})


def test_an_estimator_announces_itself(plan: Plan) -> None:
    overview = Overview(plan, Clock())
    assert overview.take(RunStarted(SMALL, 0, note="takes about an hour")) == f"{SMALL}: takes about an hour"
    assert overview.running[SMALL].detail == "takes about an hour"


def test_without_estimates_runs_weigh_by_their_images(plan: Plan) -> None:
    overview = Overview(replace(plan, estimates={}, fractions=(0.1, 1.0)), Clock())
    assert overview.remaining is None
    overview.take(RunSkipped("large-f0.1-s0", "done"))
    overview.take(RunSkipped(LARGE, "done"))
    assert overview.share == pytest.approx(0.5)
    assert overview.remaining is None  # what was done before says nothing about how fast we are
    overview.take(RunSkipped(SMALL, "done"))
    assert overview.share == pytest.approx(2.1 / 2.2)


def test_small_fractions_do_not_promise_an_early_end(plan: Plan) -> None:
    clock = Clock()
    overview = Overview(replace(plan, estimates={}, fractions=(0.01, 0.1, 1.0), seeds=(0, 1)), clock)

    def does(run: str, seconds: float) -> None:
        overview.take(RunStarted(run, 4))
        clock.now += seconds
        overview.take(RunDone(run, TOTALS))

    does("small-f0.01-s0", 3.0)
    assert overview.remaining == pytest.approx(3 * (1 + 2 + 4 * 10 + 4 * 100))  # others as slow, by images
    does("large-f0.01-s0", 5.0)
    assert overview.remaining == pytest.approx((3 + 5) * (1 + 2 * 10 + 2 * 100))
    does("small-f0.01-s1", 3.0)
    does("large-f0.01-s1", 7.0)  # 6 s in the mean
    assert overview.remaining == pytest.approx((3 + 6) * (2 * 10 + 2 * 100))
    does("small-f0.1-s0", 12.0)  # 2 s, and 100 s for all images: a line
    assert overview.remaining == pytest.approx(12 + 2 * 102 + 6 * (2 * 10 + 2 * 100))


def test_two_at_a_time_end_sooner(plan: Plan) -> None:
    overview = Overview(replace(plan, jobs=2), Clock())
    assert overview.remaining == pytest.approx(30.0)  # 10 s beside 30 s


def test_a_run_under_way_tells_of_those_of_its_model(plan: Plan) -> None:
    clock = Clock()
    overview = Overview(replace(plan, estimates={}, seeds=(0, 1)), clock)
    overview.take(RunStarted(SMALL, 4))
    clock.now = 5.0
    overview.take(RunEpoch(SMALL, measured(1)))
    assert overview.remaining == pytest.approx(15 + 20 + 2 * 20)


def test_plain_lines_leave_out_the_epochs_of_many_runs(plan: Plan) -> None:
    def printed(runs: int) -> str:
        stream = io.StringIO()
        display, overview = LineDisplay(runs, stream), Overview(plan, Clock())
        for event in (RunStarted(SMALL, 4), RunEpoch(SMALL, measured(1)), RunDone(SMALL, TOTALS)):
            display.show(overview, event, overview.take(event))
        return stream.getvalue()

    assert "epoch 1/4" in printed(runs=2)
    assert "epoch 1/4" not in printed(runs=20)
    assert printed(runs=20).startswith(f"[1/2] {SMALL}: test accuracy 87.5 %")


def test_notebook_html_is_escaped(plan: Plan) -> None:
    overview = Overview(plan, Clock())
    overview.take(RunStarted(SMALL, 0, note="<b>"))
    assert "&lt;b&gt;" in progress_html(overview, ["x < y"])
    assert "x &lt; y" in progress_html(overview, ["x < y"])
    assert "interrupted" in summary(overview, interrupted=True)
    assert "0 of 2 runs" in summary(overview)
