"""What all optimisers share: groups of parameters with their settings, and a state for each parameter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import enable_grad
from nablab.autograd.tensor import Tensor

Settings = dict[str, Any]
State = dict[str, Any]
Params = Iterable[Tensor | Settings]


class Optimizer(ABC):
    """Changes parameters along their gradients.

    Args:
        params: tensors, or dicts `{"params": [...], "lr": ...}` that give a group settings of its own
        defaults: the settings of every group that does not say otherwise

    Attributes:
        param_groups: the settings, which schedulers change, and the `params` that they hold for
        state: for each parameter what the optimiser remembers of it
    """

    def __init__(self, params: Params, defaults: Settings) -> None:
        self.defaults = defaults
        self.param_groups: list[Settings] = []
        self.state: dict[Tensor, State] = {}
        given = list(params)
        if not given:
            raise AutogradError("the optimizer got no parameters; an iterator can only be used once")
        groups = [entry for entry in given if isinstance(entry, dict)]
        if groups and len(groups) < len(given):
            raise AutogradError(
                "an optimizer takes parameters or groups, not both: make a group of the others"
            )
        for group in groups or [{"params": given}]:
            self.add_param_group(dict(group))

    def add_param_group(self, group: Settings) -> None:
        """Further parameters, with settings of their own.

        Raises AutogradError for tensors that are no leaves, or that belong to another group already.
        """
        params = group["params"]
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for p in group["params"]:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise AutogradError("an optimizer takes leaf tensors, such as a module's parameters()")
            if id(p) in known:
                raise AutogradError("a parameter belongs to two groups of the optimizer")
        self.param_groups.append({**self.defaults, **group})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; or, where `set_to_none` is False, make them zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.zero_()

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient.

        A `closure` is called first: it sets gradients to zero, computes the loss, goes backward and returns
        the loss, which comes back.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    g = -p.grad.value if group["maximize"] else p.grad.value
                    state = self.state.get(p)
                    if state is None:
                        state = self.state[p] = {}
                    self._update(p.value, g, state, group)
                    p._version.changes += 1
        return loss

    def __repr__(self) -> str:
        """The settings of each group, one a line."""
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

    @abstractmethod
    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        """Change the values `p` in place, given their gradient `g`, which must stay as it is."""

    def state_dict(self) -> dict[str, Any]:
        """State and settings, with parameters by number, in the form of PyTorch's: arrays for its tensors."""
        numbers = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        return {
            "state": {
                numbers[p]: {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in state.items()}
                for p, state in self.state.items()
            },
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, also PyTorch's, for the same parameters in the same order."""
        sizes = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in state_dict["param_groups"]]
        if sizes != theirs:
            raise AutogradError(f"the state is for groups of {theirs} parameters, this optimizer has {sizes}")
        params = [p for group in self.param_groups for p in group["params"]]
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({k: v for k, v in saved.items() if k != "params"})
        self.state = {
            params[i]: {k: _taken_over(k, v) for k, v in state.items()}
            for i, state in state_dict["state"].items()
        }


def _taken_over(name: str, value: Any) -> Any:
    """A copy: arrays for PyTorch's tensors, numbers for what counts steps."""
    if not hasattr(value, "shape"):
        return value
    return value.item() if name in ("step", "mu_product") else np.asarray(value).copy()


def not_negative(**numbers: float) -> None:
    """Raises AutogradError for the first setting below zero."""
    for name, number in numbers.items():
        if not number >= 0:
            raise AutogradError(f"{name} must not be negative, it is {number}")


def decayed(p: Array, g: Array, group: Settings) -> Array:
    """The gradient of the loss and of weight_decay / 2 |p|^2."""
    return g + group["weight_decay"] * p if group["weight_decay"] else g


def follow(state: State, name: str, now: Array, rate: float) -> Array:
    """The moving average state[name] = rate state[name] + (1 - rate) now, from zero; in place."""
    average: Any = state.get(name)
    if average is None:
        average = state[name] = np.zeros_like(now)
    average *= rate
    average += (1 - rate) * now
    return np.asarray(average)
