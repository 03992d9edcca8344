"""What a progress display shows, computed from the events of a comparison. Nothing is drawn here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nablab.api.pace import Pace
from nablab.report import words
from nablab.runs.events import (
    RunDone,
    RunEpoch,
    RunEvent,
    RunFailed,
    RunProgress,
    RunSkipped,
    RunStarted,
)
from nablab.runs.planned import Plan, makespan

#: Share of a run after which its pace tells how long the whole takes.
_TELLING = 0.05


@dataclass(frozen=True)
class Running:
    """A run under way."""

    run: str
    epochs: int  #: that it does at most; 0 for estimators
    begun: float  #: clock at its start here
    from_share: float = 0.0  #: done before it started here (resumed)
    share: float = 0.0  #: done of the whole run, in [0, 1]
    epoch: int = 0  #: epochs done
    loss: float | None = None
    accuracy: float | None = None
    note: str = ""

    @property
    def detail(self) -> str:
        """`epoch 2/5, loss 0.512, accuracy 81.3 %`"""
        if not self.epochs:
            return self.note or "fitting"
        if self.share >= 1:
            return "measuring"
        parts = [f"epoch {min(self.epoch + 1, self.epochs)}/{self.epochs}"]
        if self.loss is not None:
            parts += [f"loss {self.loss:.3f}", f"accuracy {words.percent(self.accuracy)}"]
        return ", ".join(parts)


class Overview:
    """Where a comparison stands: take each event in, then ask.

    Runs weigh what they are expected to take or, when nothing is known, their share of the training set.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._begun = clock()
        self._pace = Pace(plan)
        self._waiting = [run.id for run in plan.runs]
        self._done = 0.0  #: by size
        self.running: dict[str, Running] = {}
        self.total = len(self._waiting)
        self.ended = 0
        self.failed = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    @property
    def share(self) -> float:
        """How much of everything planned is done, in [0, 1]."""
        going = sum(self._pace.sizes[run] * going.share for run, going in self.running.items())
        whole = sum(self._pace.sizes.values())
        return min(1.0, (self._done + going) / whole) if whole else 1.0

    @property
    def remaining(self) -> float | None:
        """Seconds until the end, by the pace of what ran here; before that the plan's; None when unknown."""
        left = []
        for run in (*self.running, *self._waiting):
            seconds = self._pace.expect(run)
            if seconds is None:
                return None
            left.append(seconds * (1 - self.running[run].share) if run in self.running else seconds)
        return makespan(left, self._plan.jobs)

    def run_remaining(self, run: str) -> float | None:
        """Seconds until this run ends, by its own pace; None when that isn't known yet."""
        going = self.running[run]
        here = going.share - going.from_share
        if here < _TELLING:
            return None
        return (self._clock() - going.begun) * (1 - going.share) / here

    def take(self, event: RunEvent) -> str:
        """Take in what happened. Returns the line to remember it by; empty for what passes."""
        match event:
            case RunStarted():
                return self._start(event)
            case RunProgress():
                self._progress(event)
            case RunEpoch():
                return self._epoch(event)
            case RunSkipped():
                self._end(event.run)
                return f"{event.run}: {event.status} before"
            case RunDone():
                if event.run in self.running:
                    self._learn(replace(self.running[event.run], share=1.0))
                self._end(event.run)
                totals = event.totals
                took = f"trained {words.seconds(totals.train_seconds)}"
                return f"{event.run}: test accuracy {words.percent(totals.test_accuracy)}, {took}"
            case RunFailed():
                self._end(event.run)
                self.failed += 1
                return f"{event.run}: failed: {event.failure.message}"
        return ""

    def _start(self, event: RunStarted) -> str:
        share = event.from_epoch / event.epochs if event.epochs else 0.0
        self._waiting.remove(event.run)
        self.running[event.run] = Running(
            event.run, event.epochs, self._clock(), share, share, event.from_epoch, note=event.note
        )
        if event.from_epoch:
            return f"{event.run}: goes on after epoch {event.from_epoch}"
        return f"{event.run}: {event.note}" if event.note else ""

    def _progress(self, event: RunProgress) -> None:
        going = self.running[event.run]
        done = (event.epoch + event.step / max(event.steps, 1)) / max(going.epochs, 1)
        self.running[event.run] = replace(
            going, share=min(done, 1.0), epoch=event.epoch, loss=event.loss, accuracy=event.accuracy
        )
        self._learn(self.running[event.run])

    def _epoch(self, event: RunEpoch) -> str:
        going, metrics = self.running[event.run], event.metrics
        self.running[event.run] = replace(
            going,
            share=min(metrics.epoch / max(going.epochs, 1), 1.0),
            epoch=metrics.epoch,
            loss=metrics.running_loss,
            accuracy=metrics.running_accuracy,
        )
        self._learn(self.running[event.run])
        line = f"{event.run}: epoch {metrics.epoch}/{going.epochs}, training loss {metrics.running_loss:.3f}"
        for name, accuracy in (
            ("training", metrics.train_accuracy),
            ("validation", metrics.validation_accuracy),
            ("test", metrics.test_accuracy),
        ):
            line += f", {name} {words.percent(accuracy)}" if accuracy is not None else ""
        return line

    def _learn(self, going: Running) -> None:
        """How long the run takes, once enough of it is done here."""
        here = going.share - going.from_share
        if here >= _TELLING:
            self._pace.learn(going.run, (self._clock() - going.begun) / here)

    def _end(self, run: str) -> None:
        if self.running.pop(run, None) is None:
            self._waiting.remove(run)
        self._done += self._pace.sizes[run]
        self.ended += 1


def time_left(seconds: float | None) -> str:
    """How long it still takes, no finer than can be known; empty when it isn't known.

    >>> time_left(0.2), time_left(41.7), time_left(185)
    ('1 s left', '42 s left', '3 min 05 s left')
    """
    if seconds is None:
        return ""
    whole = max(1, round(seconds))
    return f"{whole} s left" if whole < 100 else f"{words.seconds(whole)} left"
