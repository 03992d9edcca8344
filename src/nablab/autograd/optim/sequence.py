"""Schedules one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer
from nablab.autograd.optim.schedules import LRScheduler


class SequentialLR:
    """Each of the schedules until its milestone, from where the next one begins: a warm-up and a decay.

    Raises AutogradError unless there is one milestone less than schedules, all of this optimiser.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        if len(milestones) != len(schedulers) - 1:
            raise AutogradError(
                f"{len(schedulers)} schedules have {len(schedulers) - 1} milestones between them, "
                f"not {len(milestones)}"
            )
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not optimizer:
                raise AutogradError(
                    f"SequentialLR: {type(scheduler).__name__} is no schedule of rates of this optimizer"
                )
        self.optimizer, self.schedulers, self.milestones = optimizer, list(schedulers), list(milestones)
        self.last_epoch = 0
        self._now().begin()

    def _now(self) -> LRScheduler:
        return self.schedulers[bisect_right(self.milestones, self.last_epoch)]

    def step(self) -> None:
        """One step on, of the schedule whose turn it is."""
        self.last_epoch += 1
        if self.last_epoch in self.milestones:
            self._now().begin()
        else:
            self._now().step()

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "_schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last_epoch = state_dict["last_epoch"]
        for scheduler, state in zip(self.schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)
