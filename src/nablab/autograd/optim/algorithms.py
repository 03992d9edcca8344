"""The optimisers. Each update reads as its formula; settings and defaults are PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer, Settings, State, not_negative
from nablab.autograd.tensor import Tensor

Params = Iterable[Tensor | Settings]


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum v + (1 - dampening) g;  p -= lr v.

    `g` includes `weight_decay` p. With `nesterov`, p -= lr (g + momentum v).
    Source: Sutskever et al. 2013, in PyTorch's form, where lr multiplies v when it is used.
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
        weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise AutogradError("nesterov needs a momentum, and no dampening")
        super().__init__(
            params,
            {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
             "nesterov": nesterov, "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        momentum = group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if momentum:
            v = state.get("momentum_buffer")
            if v is None:
                v = state["momentum_buffer"] = np.array(g)
            else:
                v *= momentum
                v += (1 - group["dampening"]) * g
            g = g + momentum * v if group["nesterov"] else v
        p -= group["lr"] * g


class RMSprop(Optimizer):
    """s = alpha s + (1 - alpha) g^2;  p -= lr g / (sqrt(s) + eps).

    `centered` takes the mean gradient's square off s. Source: Tieleman and Hinton 2012, lecture 6.5.
    """

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        super().__init__(
            params,
            {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
             "centered": centered, "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        alpha = group["alpha"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        square = _follow(state, "square_avg", g * g, alpha)
        if group["centered"]:
            mean = _follow(state, "grad_avg", g, alpha)
            square = square - mean * mean
        step = g / (np.sqrt(square) + group["eps"])
        if group["momentum"]:
            v = state.setdefault("momentum_buffer", np.zeros_like(p))
            v *= group["momentum"]
            v += step
            step = v
        p -= group["lr"] * step


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g;  s = b2 s + (1 - b2) g^2;  p -= lr m' / (sqrt(s') + eps).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) undo the start from zero. `weight_decay` p is added to g.
    With `amsgrad`, s' is the largest s seen so far. Sources: Kingma and Ba 2015; Reddi et al. 2018.
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1):
            raise AutogradError(f"betas must lie in [0, 1), they are {betas}")
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
             "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = self._decay(p, g, group)
        b1, b2 = group["betas"]
        t = state["step"] = state.get("step", 0) + 1
        m = _follow(state, "exp_avg", g, b1)
        s = _follow(state, "exp_avg_sq", g * g, b2)
        if group["amsgrad"]:
            largest = state.setdefault("max_exp_avg_sq", np.zeros_like(p))
            s = np.maximum(largest, s, out=largest)
        p -= (group["lr"] / (1 - b1**t)) * m / (np.sqrt(s) / np.sqrt(1 - b2**t).item() + group["eps"])

    def _decay(self, p: Array, g: Array, group: Settings) -> Array:
        return g + group["weight_decay"] * p if group["weight_decay"] else g


class AdamW(Adam):
    """Adam whose weight decay shrinks p itself, by lr weight_decay p (Loshchilov and Hutter 2019)."""

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def _decay(self, p: Array, g: Array, group: Settings) -> Array:
        p *= 1 - group["lr"] * group["weight_decay"]
        return g


def _follow(state: State, name: str, now: Array, rate: float) -> Array:
    """The moving average state[name] = rate state[name] + (1 - rate) now, from zero; in place."""
    average: Any = state.get(name)
    if average is None:
        average = state[name] = np.zeros_like(now)
    average *= rate
    average += (1 - rate) * now
    return np.asarray(average)
