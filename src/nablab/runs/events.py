"""What a comparison says while it runs. Every event is plain data, so that it can cross a process as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from nablab.runs.record import Failure, Totals
from nablab.training.signals import EpochMetrics

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class RunSkipped:
    """The run had ended before: done, or diverged, which it would do again."""

    run: str  #: id of the planned run
    status: Literal["done", "failed"]
    kind: Literal["skipped"] = "skipped"


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or goes on from its checkpoint."""

    run: str
    epochs: int  #: that it will do at most; 0 for estimators
    from_epoch: int = 0  #: epochs that the checkpoint had done
    note: str = ""  #: a warning that it takes long
    kind: Literal["started"] = "started"


@dataclass(frozen=True)
class RunProgress:
    """Steps were taken. Sent a few times a second, not at every step."""

    run: str
    epoch: int  #: epochs done
    step: int  #: steps done of the epoch under way
    steps: int  #: of an epoch
    loss: float  #: mean over the epoch so far, in nats
    accuracy: float  #: the same, in [0, 1]
    train_seconds: float  #: steps only, since the start of the run
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True)
class RunEpoch:
    """An epoch ended and was measured."""

    run: str
    metrics: EpochMetrics
    kind: Literal["epoch"] = "epoch"


@dataclass(frozen=True)
class RunDone:
    """A run is complete and stored."""

    run: str
    totals: Totals
    kind: Literal["done"] = "done"


@dataclass(frozen=True)
class RunFailed:
    """A run could not finish; that is recorded, and the others go on."""

    run: str
    failure: Failure
    kind: Literal["failed"] = "failed"


RunEvent = RunSkipped | RunStarted | RunProgress | RunEpoch | RunDone | RunFailed


def to_json(event: RunEvent) -> str:
    """One line, without its newline.

    >>> to_json(RunSkipped("lenet-f1-s0", "done"))
    '{"run": "lenet-f1-s0", "status": "done", "kind": "skipped"}'
    """
    import json

    return json.dumps(asdict(event))


def from_json(line: str | bytes) -> RunEvent:
    """The inverse of `to_json`."""
    return _adapter().validate_json(line)


@cache
def _adapter() -> TypeAdapter[RunEvent]:
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[RunEvent, Field(discriminator="kind")])
