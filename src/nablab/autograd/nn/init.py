"""Initial weights, drawn in place; the names and the distributions are PyTorch's."""

from __future__ import annotations

from math import erf, prod, sqrt

import numpy as np

from nablab.autograd.create import default_generator
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.tensor import Tensor
from nablab.errors import did_you_mean

Generator = np.random.Generator


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs reach a unit, and how many units an input reaches. Weight (O, I, ...).

    Raises AutogradError for fewer than two dimensions: a bias has neither.
    """
    if tensor.ndim < 2:
        raise AutogradError(
            f"this initialisation is for weights of two dimensions or more, not for shape {tensor.shape}"
        )
    window = prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


_calculate_fan_in_and_fan_out = fans  # PyTorch's name, which layers of users' own call


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly over [a, b)."""
    return tensor.copy_(np.asarray((generator or default_generator()).uniform(a, b, tensor.shape)))


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    return tensor.copy_(np.asarray((generator or default_generator()).normal(mean, std, tensor.shape)))


@no_grad()
def constant_(tensor: Tensor, value: float) -> Tensor:
    return tensor.fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 1.0)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights must grow to make up for an activation; `param` is the slope of a leaky ReLU.

    Raises AutogradError for one that is not known.
    """
    slope = 0.01 if param is None else param
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2), "selu": 3 / 4,
             "leaky_relu": sqrt(2 / (1 + slope * slope))}  # fmt: skip
    if nonlinearity not in gains:
        raise AutogradError(f"the gain of {nonlinearity!r} is not known{did_you_mean(nonlinearity, gains)}")
    return gains[nonlinearity]


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Keeps the variance through leaky ReLUs of slope `a` (He et al. 2015), forward, or back ("fan_out")."""
    bound = sqrt(3) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """As `kaiming_uniform_`, with normal values."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity), generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The deviation."""
    if mode not in ("fan_in", "fan_out"):
        raise AutogradError(f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    return calculate_gain(nonlinearity, a) / sqrt(fans(tensor)[mode == "fan_out"])


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Keeps the variance forward and backward (Glorot and Bengio 2010)."""
    bound = gain * sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """As `xavier_uniform_`, with normal values."""
    return normal_(tensor, 0.0, gain * sqrt(2 / sum(fans(tensor))), generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal values, those outside of [a, b] drawn again.

    Raises AutogradError where hardly any would be inside.
    """
    inside = (erf((b - mean) / (std * sqrt(2))) - erf((a - mean) / (std * sqrt(2)))) / 2
    if not inside > 1e-3:
        raise AutogradError(f"normal values of mean {mean} and deviation {std} hardly lie in [{a}, {b}]")
    rng = generator or default_generator()
    values = rng.normal(mean, std, tensor.shape)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = rng.normal(mean, std, int(outside.sum()))
    return tensor.copy_(np.asarray(values))


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Rows, of all inputs to a unit, at right angles; or columns if there are fewer (Saxe et al. 2014)."""
    fans(tensor)  # of two dimensions or more
    rows, columns = tensor.shape[0], prod(tensor.shape[1:])
    drawn = (generator or default_generator()).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # makes the distribution uniform
    return tensor.copy_(gain * (q if rows >= columns else q.T).reshape(tensor.shape))


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix, zeros elsewhere."""
    if tensor.ndim != 2:
        raise AutogradError(f"eye_ is for a matrix, not for shape {tensor.shape}")
    return tensor.copy_(np.eye(tensor.shape[0], tensor.shape[1]))
