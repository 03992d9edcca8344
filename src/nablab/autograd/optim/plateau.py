"""A learning rate that follows a metric."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer
from nablab.autograd.optim.schedules import per_group


class ReduceLROnPlateau:
    """Times `factor` when a metric has not improved for more than `patience` steps; no lower than `min_lr`.

    Improved means, for the mode "min": below best * (1 - threshold), or with `threshold_mode` "abs" below
    best - threshold; for "max" above best * (1 + threshold), or best + threshold. After a change, `cooldown`
    steps are not counted. `min_lr` is one for all groups, or a list.
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1 or mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise AutogradError(
                "ReduceLROnPlateau needs factor < 1, mode min or max, threshold_mode rel or abs"
            )
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown = threshold, threshold_mode, cooldown
        self.min_lrs, self.eps = per_group("min_lr", min_lr, optimizer), eps
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def _improved(self, metric: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        limit = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric < limit if self.mode == "min" else metric > limit

    def step(self, metrics: float) -> None:
        """Look at the metric of another epoch."""
        metric = float(metrics)
        if self._improved(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lower = max(group["lr"] * self.factor, lowest)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """What it has seen; the rates are in the optimiser's own state."""
        return {name: getattr(self, name) for name in ("best", "num_bad_epochs", "cooldown_counter")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.num_bad_epochs, self.cooldown_counter = (
            state_dict[name] for name in ("best", "num_bad_epochs", "cooldown_counter")
        )

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]
