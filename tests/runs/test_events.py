from collections.abc import Callable

import pytest
from pydantic import ValidationError

from nablab.runs import events
from nablab.runs.record import Failure, Totals
from nablab.training.signals import EpochMetrics

TOTALS = Totals(
    epochs=1, steps=2, train_seconds=0.1, wall_seconds=0.2, test_accuracy=1 / 3, test_loss=None, kept="best"
)


def every_event(measured: Callable[[int], EpochMetrics]) -> list[events.RunEvent]:
    return [
        events.RunSkipped("a", "done"),
        events.RunStarted("a", epochs=3, from_epoch=1, note="takes long"),
        events.RunProgress("a", epoch=1, step=2, steps=3, loss=1 / 3, accuracy=0.1, train_seconds=1e-9),
        events.RunEpoch("a", measured(2)),
        events.RunDone("a", TOTALS),
        events.RunFailed("a", Failure("it diverged", "diverged", epoch=0, step=7)),
    ]


def test_events_cross_a_process_unchanged(measured: Callable[[int], EpochMetrics]) -> None:
    everything = every_event(measured)
    assert {type(event) for event in everything} == set(events.RunEvent.__args__)
    for event in everything:
        line = events.to_json(event)
        assert "\n" not in line
        assert events.from_json(line) == event


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(ValidationError):
        events.from_json('{"kind": "exploded", "run": "a"}')
