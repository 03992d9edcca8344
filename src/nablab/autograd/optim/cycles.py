"""Learning rates that rise and fall, by PyTorch's names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import cos, floor, pi
from typing import Any

from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer
from nablab.autograd.optim.schedules import LRScheduler, OneFormula, per_group


class WithMomentum(LRScheduler):
    """Moves momentum (or Adam's first beta) as well, unless `cycle_momentum` is False."""

    multiplies = False
    cycle_momentum: bool

    @abstractmethod
    def momentum(self, t: int) -> float:
        """The momentum after `t` steps."""

    def step(self) -> None:
        super().step()
        self._move_momentum()

    def begin(self) -> None:
        super().begin()
        self._move_momentum()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._move_momentum()

    def _move_momentum(self) -> None:
        if self.cycle_momentum:
            momentum = self.momentum(self.last_epoch)
            for group in self.optimizer.param_groups:
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                elif "momentum" in group:
                    group["momentum"] = momentum


class OneCycleLR(WithMomentum):
    """Up from max_lr / div_factor to max_lr, then down to a `final_div_factor`-th of the start.

    The rise takes `pct_start` of the steps. Momentum (or Adam's first beta) goes the opposite way unless
    `cycle_momentum` is False. `max_lr` is one for all groups, or a list. Source: Smith and Topin 2019;
    PyTorch's two-phase form.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float = 0.85,
        max_momentum: float = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
    ) -> None:  # fmt: skip
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise AutogradError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise AutogradError(f"anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = (
            total_steps, anneal_strategy, cycle_momentum
        )  # fmt: skip
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.peak = float(pct_start * total_steps) - 1
        self.final_div_factor = final_div_factor
        self.momenta = max_momentum, base_momentum
        for group, highest in zip(optimizer.param_groups, self.max_lrs, strict=True):
            group["initial_lr"] = highest / div_factor
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

    def rates(self, t: int) -> list[float]:
        return [
            self._path(t, start, highest, start / self.final_div_factor)
            for start, highest in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def momentum(self, t: int) -> float:
        high, low = self.momenta
        return self._path(t, high, low, high)


class CyclicLR(WithMomentum):
    """Up from base_lr to max_lr in `step_size_up` steps, down in `step_size_down`, again and again.

    The height stays ("triangular"), is halved with each cycle ("triangular2") or is multiplied by gamma with
    each step ("exp_range"). Momentum goes the opposite way. Source: Smith 2017.
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: float | Sequence[float], max_lr: float | Sequence[float],
        step_size_up: int = 2000, step_size_down: int | None = None, mode: str = "triangular",
        gamma: float = 1.0, *, cycle_momentum: bool = True, base_momentum: float = 0.8,
        max_momentum: float = 0.9,
    ) -> None:  # fmt: skip
        if mode not in ("triangular", "triangular2", "exp_range"):
            raise AutogradError(f"mode is 'triangular', 'triangular2' or 'exp_range', not {mode!r}")
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise AutogradError(
                f"{type(optimizer).__name__} has no momentum for CyclicLR to move: cycle_momentum=False"
            )
        self.mode, self.gamma, self.cycle_momentum = mode, gamma, cycle_momentum
        self.up, self.length = step_size_up, step_size_up + (step_size_down or step_size_up)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.momenta = max_momentum, base_momentum
        self.lowest = per_group("base_lr", base_lr, optimizer)
        for group, low in zip(optimizer.param_groups, self.lowest, strict=True):
            group["lr"] = low
        super().__init__(optimizer)

    def height(self, t: int) -> float:
        """How far up after `t` steps: 0 for the base, 1 for the top of the first cycle."""
        cycle, place = divmod(t, self.length)
        part = place / self.up if place <= self.up else (self.length - place) / (self.length - self.up)
        if self.mode == "exp_range":
            return float(part * self.gamma**t)
        return part / 2**cycle if self.mode == "triangular2" else part

    def rates(self, t: int) -> list[float]:
        height = self.height(t)
        return [low + (high - low) * height for low, high in zip(self.lowest, self.max_lrs, strict=True)]

    def momentum(self, t: int) -> float:
        high, low = self.momenta
        return high - (high - low) * self.height(t)


class CosineAnnealingWarmRestarts(OneFormula):
    """Down half a cosine in T_0 steps, then from the top again, each time T_mult times as long.

    `step` may be told where it is, as a part of epochs: `step(epoch + batch / batches)`.
    Source: Loshchilov and Hutter 2017.
    """

    multiplies = False

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        if T_0 < 1 or T_mult < 1:
            raise AutogradError(f"T_0 and T_mult are 1 or more, they are {T_0} and {T_mult}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer)

    def rate(self, base: float, t: float) -> float:
        length = self.T_0
        while t >= length:
            t, length = t - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * t / length)) / 2

    def step(self, epoch: float | None = None) -> None:
        if epoch is None:
            super().step()
            return
        self.last_epoch = floor(epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(base, epoch)
