"""Learning rates that change: each schedule says what the rate is after `t` steps, by PyTorch's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import cos, inf, pi
from typing import Any

from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer


class LRScheduler(ABC):
    """Sets `lr` in the optimiser's groups, at once and after each `step()`.

    Where something else has changed `lr`, another schedule or the user, it is multiplied by as much as this
    schedule changes: a warm-up and a decay can be stepped side by side, as in PyTorch.
    """

    #: Whether it multiplies; else it sets what it says, whatever was there.
    multiplies = True

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._said = list(self.base_lrs)
        self.last_epoch = -1
        self.step()

    @abstractmethod
    def rate(self, base: float, t: int) -> float:
        """The learning rate after `t` steps of a group that began with `base`."""

    def step(self) -> None:
        """One step on: after each epoch, or each batch, whichever the schedule was counted in."""
        self.last_epoch += 1
        before, self._said = self._said, [self.rate(base, self.last_epoch) for base in self.base_lrs]
        for group, last, now in zip(self.optimizer.param_groups, before, self._said, strict=True):
            changed = self.multiplies and last != 0 and group["lr"] != last
            group["lr"] = group["lr"] * (now / last) if changed else now

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {
            "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "_last_lr": self.get_last_lr()
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.base_lrs = list(state_dict["base_lrs"])
        self.last_epoch = state_dict["last_epoch"]
        self._said = [self.rate(base, self.last_epoch) for base in self.base_lrs]
        for group, lr in zip(self.optimizer.param_groups, state_dict["_last_lr"], strict=True):
            group["lr"] = lr


class LambdaLR(LRScheduler):
    """base * lr_lambda(t)."""

    multiplies = False

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.lr_lambda(t)


class StepLR(LRScheduler):
    """Times gamma every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """Times gamma at each milestone."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** sum(t >= milestone for milestone in self.milestones)


class ExponentialLR(LRScheduler):
    """Times gamma at each step."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return float(base * self.gamma**t)


class LinearLR(LRScheduler):
    """From base * start_factor to base * end_factor along a line of `total_iters` steps: a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        part = min(t / self.total_iters, 1.0) if self.total_iters else 0.0  # of no steps: stays at the start
        return base * (self.start_factor + (self.end_factor - self.start_factor) * part)


class CosineAnnealingLR(LRScheduler):
    """From base down to eta_min along half a cosine of T_max steps (Loshchilov and Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * t / self.T_max)) / 2


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to a `final_div_factor`-th of the start.

    The rise takes `pct_start` of the steps. Momentum (or Adam's first beta) goes the opposite way unless
    `cycle_momentum` is False. Source: Smith and Topin 2019; PyTorch's two-phase form.
    """

    multiplies = False

    def __init__(
        self, optimizer: Optimizer, max_lr: float, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: float = 0.85, max_momentum: float = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4,
    ) -> None:  # fmt: skip
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise AutogradError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise AutogradError(f"anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
        self.total_steps, self.max_lr, self.anneal_strategy = total_steps, max_lr, anneal_strategy
        self.peak = float(pct_start * total_steps) - 1
        self.start = max_lr / div_factor
        self.end = self.start / final_div_factor
        self.momenta = (max_momentum, base_momentum) if cycle_momentum else None
        for group in optimizer.param_groups:
            group["initial_lr"] = self.start
        super().__init__(optimizer)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2 * (1 + cos(pi * part))

    def _path(self, t: int, low: float, high: float, last: float) -> float:
        if t > self.total_steps:
            raise AutogradError(f"OneCycleLR was made for {self.total_steps} steps, this is step {t}")
        if t <= self.peak:
            return self._between(low, high, t / self.peak if self.peak else 1.0)
        return self._between(high, last, (t - self.peak) / (self.total_steps - 1 - self.peak))

    def rate(self, base: float, t: int) -> float:
        return self._path(t, self.start, self.max_lr, self.end)

    def step(self) -> None:
        super().step()
        self._move_momentum()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._move_momentum()

    def _move_momentum(self) -> None:
        if self.momenta is None:
            return
        high, low = self.momenta
        momentum = self._path(self.last_epoch, high, low, high)
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum


class ReduceLROnPlateau:
    """Times `factor` when a metric has not improved for more than `patience` steps.

    Improved means: better than the best by `threshold`, relatively ("rel") or absolutely ("abs"). After a
    change, `cooldown` steps are not counted.
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0, min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1 or mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise AutogradError(
                "ReduceLROnPlateau needs factor < 1, mode min or max, threshold_mode rel or abs"
            )
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown = threshold, threshold_mode, cooldown
        self.min_lr, self.eps = min_lr, eps
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def _improved(self, metric: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        margin = abs(self.best) * self.threshold if self.threshold_mode == "rel" else self.threshold
        if abs(self.best) == inf:
            return sign * metric > sign * self.best
        return sign * metric > sign * self.best + margin

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
            for group in self.optimizer.param_groups:
                lower = max(group["lr"] * self.factor, self.min_lr)
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
