"""The whole of training, to be read aloud: a generator of events."""

from __future__ import annotations

from nablab.training.events import EpochDone, Event, Finished, StepDone
from nablab.training.state import LoopState

__all__ = ["EpochDone", "Event", "Finished", "LoopState", "StepDone"]
