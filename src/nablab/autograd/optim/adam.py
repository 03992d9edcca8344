"""Adam and its relatives; settings and defaults are PyTorch's."""

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.optim.optimizer import Optimizer, Params, Settings, State, decayed, follow, not_negative


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
        _check_betas(betas)
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
             "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = self._decay(p, g, group)
        b1, b2 = group["betas"]
        t = state["step"] = state.get("step", 0) + 1
        m = follow(state, "exp_avg", g, b1)
        s = follow(state, "exp_avg_sq", g * g, b2)
        if group["amsgrad"]:
            largest = state.setdefault("max_exp_avg_sq", np.zeros_like(p))
            s = np.maximum(largest, s, out=largest)
        p -= (group["lr"] / (1 - b1**t)) * m / (np.sqrt(s) / np.sqrt(1 - b2**t).item() + group["eps"])

    def _decay(self, p: Array, g: Array, group: Settings) -> Array:
        return decayed(p, g, group)


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


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, which grows with time (Dozat 2016).

    mu = b1 (1 - 0.96^(t momentum_decay) / 2), mu' the same of t + 1, and M the product of all mu so far;
    p -= lr ((1 - mu) g / (1 - M) + mu' m / (1 - M mu')) / (sqrt(s / (1 - b2^t)) + eps).
    """

    def __init__(
        self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, momentum_decay: float = 4e-3, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        _check_betas(betas)
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
             "momentum_decay": momentum_decay, "maximize": maximize},
        )  # fmt: skip

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = decayed(p, g, group)
        b1, b2 = group["betas"]
        t = state["step"] = state.get("step", 0) + 1
        now, then = (b1 * (1 - 0.5 * 0.96 ** (u * group["momentum_decay"])) for u in (t, t + 1))
        product = state["mu_product"] = state.get("mu_product", 1.0) * now
        m = follow(state, "exp_avg", g, b1)
        s = follow(state, "exp_avg_sq", g * g, b2)
        ahead = (1 - now) / (1 - product) * g + then / (1 - product * then) * m
        p -= group["lr"] * ahead / (np.sqrt(s / (1 - b2**t)) + group["eps"])


class Adamax(Adam):
    """Adam by the largest gradient: u = max(b2 u, |g| + eps);  p -= lr / (1 - b1^t) m / u."""

    def __init__(
        self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)

    def _update(self, p: Array, g: Array, state: State, group: Settings) -> None:
        g = decayed(p, g, group)
        b1, b2 = group["betas"]
        t = state["step"] = state.get("step", 0) + 1
        m = follow(state, "exp_avg", g, b1)
        largest = state.setdefault("exp_inf", np.zeros_like(p))
        largest *= b2
        np.maximum(largest, np.abs(g) + group["eps"], out=largest)
        p -= group["lr"] / (1 - b1**t) * m / largest


def _check_betas(betas: tuple[float, float]) -> None:
    """Raises AutogradError where they are no shares of what was."""
    if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1):
        raise AutogradError(f"betas must lie in [0, 1), they are {betas}")
