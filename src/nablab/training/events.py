"""What the loop says while it trains. Listeners read; nobody is called back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nablab.training.signals import EpochMetrics
from nablab.training.state import LoopState
from nablab.training.trainable import StepResult

Reason = Literal["completed", "early stopping"]
Kept = Literal["last", "best", "averaged"]


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step was taken."""

    epoch: int  #: from 0: the epoch under way
    step: int  #: from 0: which step of it
    steps: int  #: of an epoch
    result: StepResult
    state: LoopState

    @property
    def loss(self) -> float:
        """Of this batch; waits for the device."""
        return float(self.result.loss)


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch ended and was measured."""

    metrics: EpochMetrics
    state: LoopState


@dataclass(frozen=True, slots=True)
class Finished:
    """Training ended; the network holds the weights that are kept."""

    reason: Reason
    kept: Kept
    kept_epoch: int  #: from 1: whose weights they are
    state: LoopState


Event = StepDone | EpochDone | Finished
