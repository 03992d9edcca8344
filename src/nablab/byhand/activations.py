"""Activations with their derivatives: what a hidden unit makes of what it receives.

`o` is what comes in, `h` what goes out. A derivative is written in whichever of the two reads best, and
takes both. Where it is small over long stretches, the gradient of every layer below vanishes with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Activation:
    """One activation.

    >>> tanh = ACTIVATIONS["tanh"]
    >>> o = np.array([0.0, 1.0])
    >>> tanh.slope(o, tanh.value(o)).round(4)
    array([1.  , 0.42])
    """

    name: str
    formula: str  #: of o
    slope_formula: str  #: the derivative, in o or h
    value: Callable[[Array], Array]  #: h of o, entry by entry
    slope: Callable[[Array, Array], Array]  #: dh/do of (o, h), entry by entry
    steepest: float  #: the largest slope: each layer multiplies gradients by no more than this
    vanishes: str  #: where the slope goes to zero
    kinks: tuple[float, ...] = ()  #: where the slope jumps; there it is that of the left side


def logistic(o: Array) -> Array:
    """1 / (1 + exp(-o)), by whichever of its two forms does not overflow.

    >>> logistic(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(o))  # in (0, 1]
    return np.asarray(np.where(o >= 0, 1, small) / (1 + small))


def softplus(o: Array) -> Array:
    """log(1 + exp(o)) = max(o, 0) + log(1 + exp(-|o|)), a smooth ReLU.

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return np.asarray(np.maximum(o, 0) + np.log1p(np.exp(-np.abs(o))))


def normal_cdf(o: Array) -> Array:
    """Phi(o), the chance that a standard normal number is below o."""
    erf = np.vectorize(math.erf, otypes=[float])
    return np.asarray((1 + erf(o / math.sqrt(2))) / 2, dtype=np.asarray(o).dtype)


def _normal_density(o: Array) -> Array:
    return np.asarray(np.exp(-o * o / 2) / math.sqrt(2 * math.pi))


def leaky_relu(slope: float = 0.01, name: str = "leaky relu") -> Activation:
    """max(o, slope * o): a ReLU that still learns where it is negative (Maas, Hannun and Ng 2013).

    The parametric ReLU (He et al. 2015) is the same with a slope that is learned: see `prelu_slope_gradient`.
    """
    return Activation(
        name,
        f"o for o > 0, {slope:g} o else",
        f"1 for o > 0, {slope:g} else",
        lambda o: np.where(o > 0, o, slope * o),
        lambda o, h: np.where(o > 0, np.ones_like(o), slope),
        max(1.0, abs(slope)),
        "nowhere",
        kinks=(0.0,),
    )


def prelu_slope_gradient(g: Array, o: Array) -> float:
    """dL/da of a parametric ReLU h = max(o, 0) + a min(o, 0), from `g` = dL/dh: the sum of g * min(o, 0).

    >>> prelu_slope_gradient(np.array([1.0, 2.0]), np.array([-3.0, 5.0]))
    -3.0
    """
    return float(np.sum(g * np.minimum(o, 0)))


def elu(alpha: float = 1.0) -> Activation:
    """The exponential linear unit (Clevert, Unterthiner and Hochreiter 2016)."""
    return Activation(
        "elu",
        f"o for o > 0, {alpha:g} (exp(o) - 1) else",
        f"1 for o > 0, h + {alpha:g} else",
        lambda o: np.where(o > 0, o, alpha * np.expm1(np.minimum(o, 0))),
        lambda o, h: np.where(o > 0, np.ones_like(o), h + alpha),
        max(1.0, alpha),
        "for very negative o",
        kinks=() if alpha == 1 else (0.0,),
    )


#: By name. `half tanh` is the hyperbolic tangent as it is often written with the logistic function.
ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("identity", "o", "1", lambda o: o, lambda o, h: np.ones_like(o), 1.0, "nowhere"),
        Activation(
            "logistic",
            "1 / (1 + exp(-o))",
            "h (1 - h)",
            logistic,
            lambda o, h: h * (1 - h),
            0.25,
            "for large o of either sign; never above 1/4",
        ),
        Activation(
            "tanh", "tanh(o)", "1 - h^2", np.tanh, lambda o, h: 1 - h * h, 1.0, "for large o of either sign"
        ),
        Activation(
            "half tanh",
            "tanh(o/2) = 2 logistic(o) - 1",
            "(1 - h^2)/2",
            lambda o: np.tanh(o / 2),
            lambda o, h: (1 - h * h) / 2,
            0.5,
            "for large o of either sign; never above 1/2",
        ),
        Activation(
            "relu",
            "max(o, 0)",
            "1 for o > 0, 0 else",
            lambda o: np.maximum(o, 0),
            lambda o, h: (o > 0).astype(o.dtype),
            1.0,
            "for every negative o: a unit that is negative for all inputs is dead",
            kinks=(0.0,),
        ),
        leaky_relu(),
        leaky_relu(0.25, "prelu"),
        elu(),
        Activation(
            "softplus",
            "log(1 + exp(o))",
            "logistic(o)",
            softplus,
            lambda o, h: logistic(o),
            1.0,
            "for very negative o",
        ),
        Activation(
            "silu",
            "o logistic(o)",
            "logistic(o) (1 + o (1 - logistic(o)))",
            lambda o: o * logistic(o),
            lambda o, h: logistic(o) * (1 + o * (1 - logistic(o))),
            1.0998393,
            "for very negative o",
        ),
        Activation(
            "gelu",
            "o Phi(o), Phi the normal distribution function",
            "Phi(o) + o phi(o), phi the normal density",
            lambda o: o * normal_cdf(o),
            lambda o, h: normal_cdf(o) + o * _normal_density(o),
            1.1289043,
            "for very negative o",
        ),
    )
}
