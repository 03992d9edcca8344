"""Derivatives from values of the loss alone: central differences that know how far they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nablab.court.calls import Array
from nablab.court.problem import Problem

#: The loss along a line: a function of how far to go from the point.
Line = Callable[[float], float]


@dataclass(frozen=True)
class Precision:
    """How exactly the loss is computed, and the step that suits it.

    Attributes:
        noise: typical error of one value of the loss, absolute.
        step: the step of central differences; a larger one is bent by curvature, a smaller one by noise.
        single: whether the loss is computed in no more than single precision.
    """

    noise: float
    step: float
    single: bool


@dataclass(frozen=True)
class Slope:
    """A derivative along a line.

    Attributes:
        value: the derivative.
        error: how far off it may be.
        kink: whether the loss has a kink here, so that there is no one derivative.
    """

    value: float
    error: float
    kink: bool = False


def measure_precision(problem: Problem, rng: np.random.Generator) -> Precision:
    """Estimate the noise of the loss from differences of high order along a few lines.

    Smooth functions leave next to nothing in a sixth difference of close points; what is left is rounding.
    After J. J. Moré and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011). The
    lines go out from the point to one side, since a kink right at it would look like noise.
    """
    scale = max(abs(problem.value()), 1e-3)
    lines = [_along_a_line(problem, rng) for _ in range(3)]
    noise = max(
        float(np.median([_noise_of(values) for values in lines])),
        _rounding(problem, np.stack(lines), rng) * scale,
    )
    relative = noise / scale
    # The error h^2 of curvature and noise / h are equal near the cube root; for float64 that is 6e-6.
    return Precision(noise, min(relative ** (1 / 3), 1e-2), single=relative > 1e-10)


def _along_a_line(problem: Problem, rng: np.random.Generator) -> Array:
    """The loss at eight points of a random line: close, but as far apart as it takes to tell them apart."""
    direction = {name: rng.standard_normal(p.shape) for name, p in problem.params.items()}
    length = math.sqrt(sum(float(np.sum(d * d)) for d in direction.values())) or 1.0
    values = np.zeros(8)
    for spacing in (1e-6, 1e-5, 1e-4, 1e-3):
        steps = (np.arange(8) * spacing / length).tolist()
        values = np.array(
            [
                problem.value({name: p + t * direction[name] for name, p in problem.params.items()})
                for t in steps
            ]
        )
        # Points so close that single precision does not tell them apart show no noise.
        if np.unique(values).size > 4:
            break
    return values


def _noise_of(values: Array) -> float:
    """The smallest of the estimates from differences of order 4 to 6."""
    if not np.isfinite(values).all():
        return 0.0
    estimates = []
    for order in (4, 5, 6):
        gamma = math.factorial(order) ** 2 / math.factorial(2 * order)
        differences = np.diff(values, n=order)
        estimates.append(math.sqrt(gamma * float(np.mean(differences**2))))
    return min(estimates)


def _rounding(problem: Problem, lines: Array, rng: np.random.Generator) -> float:
    """The relative error that a loss has at least, even where it is too coarse to change along a line.

    A loss is single if its values are, or if it does not see that parameters are rounded to single precision.
    """
    single = lines.all() and np.array_equal(lines, _to_single(lines))
    point = {name: p * (1 + 1e-3 * rng.standard_normal(p.shape)) for name, p in problem.params.items()}
    value = problem.value(point)
    blind = value == problem.value({name: _to_single(p) for name, p in point.items()})
    single = single or (blind and value != problem.value())
    return float(np.finfo(np.float32).eps) / 4 if single else float(np.finfo(np.float64).eps)


def _to_single(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def entry_line(problem: Problem, name: str, place: tuple[int, ...]) -> Line:
    """The loss as one entry of a parameter moves."""

    def line(t: float) -> float:
        moved = problem.params[name].copy()
        moved[place] += t
        return problem.value({**problem.params, name: moved})

    return line


def direction_line(problem: Problem, name: str, direction: Array) -> Line:
    """The loss as all entries of a parameter move along `direction`."""

    def line(t: float) -> float:
        return problem.value({**problem.params, name: problem.params[name] + t * direction})

    return line


def slope(line: Line, precision: Precision) -> Slope:
    """(f(h) - f(-h)) / 2h, for claims to be compared with."""
    h = precision.step
    return Slope((line(h) - line(-h)) / (2 * h), 2 * precision.noise / h)


def careful_slope(line: Line, precision: Precision) -> Slope:
    """The derivative from several steps, for where a first look disagrees with the claim.

    Of the estimates at h, h/4 and h/16, the one that moved least from the one before is taken: that gets past
    high curvature, and past a kink that is near but not here. Where the slopes to the two sides still differ
    at the smallest step, and not less than at the largest, the kink is here.
    """
    middle = line(0.0)
    steps = [precision.step / 4**i for i in range(3)]
    sides = [((line(h) - middle) / h, (middle - line(-h)) / h) for h in steps]
    values = [(right + left) / 2 for right, left in sides]
    rounding = [2 * precision.noise / h for h in steps]
    jumps = [abs(right - left) for right, left in sides]
    errors = [abs(values[i] - values[i - 1]) + rounding[i] for i in (1, 2)]
    if precision.single:
        # The steps are long, and may reach over kinks: no two of the estimates that are close prove anything.
        spread = float(np.ptp([value for value in values if math.isfinite(value)] or [0.0]))
        errors = [spread + jump / 2 + rounding[-1] for jump in jumps[1:]]
    best = 1 + int(
        np.argmin(np.nan_to_num(errors, nan=np.inf))
    )  # a long step may leave where the loss is finite
    here = jumps[2] > 0.3 * jumps[0] and jumps[2] > 20 * rounding[2] + 1e-4 * abs(values[2])
    return Slope(values[best], errors[best - 1], kink=here)
