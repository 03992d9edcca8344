"""Bringing what is claimed into the shape of its parameter, and saying what had to be done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nablab.court.calls import Array
from nablab.court.problem import Problem
from nablab.court.report import Cause


@dataclass(frozen=True)
class Fitted:
    """A claim in the shape of its parameter.

    Attributes:
        values: float64 in that shape; None where it cannot be brought there.
        fault: what is wrong even if the values are right; None for nothing.
        single: whether it was given in less than double precision.
    """

    values: Array | None
    fault: Cause | None = None
    single: bool = False


def fit(claims: dict[str, Any], name: str, shape: tuple[int, ...], problem: Problem) -> Fitted:
    """The claim for one parameter."""
    if name not in claims or claims[name].dtype == object:
        return Fitted(None, Cause("missing", "the gradient has nothing for it" + _called(claims, name)))
    if claims[name].dtype.kind == "c":
        return Fitted(None, Cause("shape", "its numbers are complex, and those of the parameter are real"))
    try:
        given = np.asarray(claims[name], np.float64)
    except (TypeError, ValueError):
        return Fitted(None, Cause("shape", "it is no array of numbers"))
    if not np.isfinite(given).all():
        count = int((~np.isfinite(given)).sum())
        return Fitted(None, Cause("not finite", f"{count} of {given.size} entries are not finite numbers"))
    values, how = _in_shape(given, shape, problem)
    if values is None:
        return Fitted(None, Cause("shape", _shapes(given, shape) + _why(given.shape, shape, problem)))
    fault = None
    if how:
        code = "transposed" if how.startswith("it is the transpose") else "shape"
        fault = Cause(code, f"{how}: {_shapes(given, shape)}")
    return Fitted(values, fault, single=claims[name].dtype.itemsize < 8)


def _shapes(given: Array, shape: tuple[int, ...]) -> str:
    return f"its shape is {given.shape}, the parameter's is {shape}"


def _called(claims: dict[str, Any], name: str) -> str:
    """By which other name it may be there: `dW1`, `grad_W1` or `w1` for `W1`."""
    similar = [other for other in claims if str(other).lower().endswith(name.lower())]
    return f"; if {similar[0]} is meant for it, call it {name}" if len(similar) == 1 else ""


def _why(given: tuple[int, ...], shape: tuple[int, ...], problem: Problem) -> str:
    """How such a shape comes about, where that can be told."""
    N, axis = problem.samples, int(problem.columns)
    if N and shape[1:] == (1,) and given == (shape[0], N):
        return f": (N, 1) and (N,) of the {N} samples were broadcast to (N, N)"
    if max(shape, default=0) < 2 or len(shape) != 1 + axis * (len(shape) - 1):
        return ""
    if given == ():
        return f": it is summed over the units, too; sum over the samples only, with axis={axis}"
    if N and math.prod(given) == N:
        return f": it is summed over the units, not over the samples; those are axis {axis}"
    return ""


def _in_shape(given: Array, shape: tuple[int, ...], problem: Problem) -> tuple[Array | None, str]:
    """The values in that shape, and what is to be said of it."""
    if given.shape == shape:
        return given, ""
    if len(shape) == 2 and given.shape == shape[::-1] and min(shape) > 1:
        return given.T, "it is the transpose of the right gradient"
    if given.size == math.prod(shape) and tuple(n for n in given.shape if n > 1) == tuple(
        n for n in shape if n > 1
    ):
        return given.reshape(shape), "its axes of length 1 are wrong"
    axis = _axis_of_samples(given.shape, shape, problem)
    if axis is not None:
        return given.sum(axis=axis).reshape(shape), "it is not summed over the samples"
    return None, ""


def _axis_of_samples(given: tuple[int, ...], shape: tuple[int, ...], problem: Problem) -> int | None:
    """Which axis of a claim still counts the samples, where the others are those of the parameter."""
    N = problem.samples
    if N is None:
        return None
    if problem.columns:
        return (
            1
            if given in ((*shape, N), (*shape[:-1], N)) and len(given) == 2 and shape[1:] in ((), (1,))
            else None
        )
    return 0 if given == (N, *shape) or (shape[:1] == (1,) and given == (N, *shape[1:])) else None
