"""The optimisers. Each update reads as its formula; settings and defaults are PyTorch's."""

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer, Params, Settings, State, decayed, follow, not_negative


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
        g = decayed(p, g, group)
        square = follow(state, "square_avg", g * g, alpha)
        if group["centered"]:
            mean = follow(state, "grad_avg", g, alpha)
            square = square - mean * mean
        step = g / (np.sqrt(square) + group["eps"])
        if group["momentum"]:
            v = state.setdefault("momentum_buffer", np.zeros_like(p))
            v *= group["momentum"]
            v += step
            step = v
        p -= group["lr"] * step


class Adagrad(Optimizer):
    """s += g^2;  p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps) (Duchi et al. 2011)."""

    def __init__(
        self, params: Params, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0, eps: float = 1e-10, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps,
                     initial_accumulator_value=initial_accumulator_value)  # fmt: skip
        super().__init__(
            params,
            {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps,
             "initial_accumulator_value": initial_accumulator_value, "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = decayed(p, g, group)
        t = state["step"] = state.get("step", 0) + 1
        total = state.setdefault("sum", np.full_like(p, group["initial_accumulator_value"]))
        total += g * g
        p -= group["lr"] / (1 + (t - 1) * group["lr_decay"]) * g / (np.sqrt(total) + group["eps"])


class Adadelta(Optimizer):
    """p -= lr d, where d = g sqrt(u + eps) / sqrt(s + eps) (Zeiler 2012).

    s = rho s + (1 - rho) g^2;  u = rho u + (1 - rho) d^2.
    """

    def __init__(
        self, params: Params, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0,
        *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = decayed(p, g, group)
        rho, eps = group["rho"], group["eps"]
        square = follow(state, "square_avg", g * g, rho)
        moved = state.setdefault("acc_delta", np.zeros_like(p))
        step = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
        follow(state, "acc_delta", step * step, rho)
        p -= group["lr"] * step
