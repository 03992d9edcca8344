"""Learning rates that change by a formula: each says what the rate is after `t` steps, by PyTorch's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import cos, pi
from typing import Any, TypeVar

from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer

Setting = TypeVar("Setting")


def per_group(name: str, given: Setting | Sequence[Setting], optimizer: Optimizer) -> list[Setting]:
    """A setting for each of the optimiser's groups: as many as were given, or the one for all.

    Raises AutogradError where there are others than groups.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(given, Sequence):
        return [given] * groups
    if len(given) != groups:
        raise AutogradError(f"{name} has {len(given)} entries, the optimizer has {groups} groups")
    return list(given)


class LRScheduler(ABC):
    """Sets `lr` in the optimiser's groups, at once and after each `step()`.

    Where something else has changed `lr`, another schedule or the user, it is multiplied by as much as this
    schedule changes: a warm-up and a decay can be stepped side by side, as in PyTorch.

    To go on with one, make it anew and load its `state_dict()`.
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
    def rates(self, t: int) -> list[float]:
        """The learning rate of each group after `t` steps."""

    def step(self) -> None:
        """One step on: after each epoch, or each batch, whichever the schedule was counted in."""
        self.last_epoch += 1
        before, self._said = self._said, self.rates(self.last_epoch)
        for group, last, now in zip(self.optimizer.param_groups, before, self._said, strict=True):
            changed = self.multiplies and last != 0 and group["lr"] != last
            group["lr"] = group["lr"] * (now / last) if changed else now

    def begin(self) -> None:
        """Set the rates of the beginning, whatever was there."""
        self.last_epoch, self._said = 0, self.rates(0)
        for group, lr in zip(self.optimizer.param_groups, self._said, strict=True):
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {
            "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "_last_lr": self.get_last_lr()
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.base_lrs = list(state_dict["base_lrs"])
        self.last_epoch = state_dict["last_epoch"]
        self._said = self.rates(self.last_epoch)
        for group, lr in zip(self.optimizer.param_groups, state_dict["_last_lr"], strict=True):
            group["lr"] = lr


class LambdaLR(LRScheduler):
    """base * lr_lambda(t), of one function, or one for each group."""

    multiplies = False

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        self.lr_lambdas = per_group("lr_lambda", lr_lambda, optimizer)
        super().__init__(optimizer)

    def rates(self, t: int) -> list[float]:
        return [base * factor(t) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class OneFormula(LRScheduler):
    """The same formula for every group, of the rate with which the group began."""

    @abstractmethod
    def rate(self, base: float, t: int) -> float:
        """The learning rate after `t` steps of a group that began with `base`."""

    def rates(self, t: int) -> list[float]:
        return [self.rate(base, t) for base in self.base_lrs]


class StepLR(OneFormula):
    """Times gamma every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(OneFormula):
    """Times gamma at each milestone."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** sum(t >= milestone for milestone in self.milestones)


class ExponentialLR(OneFormula):
    """Times gamma at each step."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return float(base * self.gamma**t)


class LinearLR(OneFormula):
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


class ConstantLR(OneFormula):
    """base * factor for `total_iters` steps, then base."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.factor if t < self.total_iters else base


class PolynomialLR(OneFormula):
    """From base to zero in `total_iters` steps, by a power of what is left of them."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return float(base * (1 - min(t, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(OneFormula):
    """From base down to eta_min along half a cosine of T_max steps (Loshchilov and Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * t / self.T_max)) / 2
