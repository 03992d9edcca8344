"""What stands before the court: a loss, the gradient that is claimed for it, and the point to try it at."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import NablabError, UserError

Array = NDArray[Any]
Params = Mapping[str, Array]
LossFunction = Callable[[Any, Any, Any], Any]
GradientFunction = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Problem:
    """A loss and a claimed gradient at one point.

    Attributes:
        loss: of (params, x, y); a number.
        gradient: of (params, x, y); a mapping with an array for each parameter.
        params: float64, by name.
        x: inputs, as `loss` takes them; the first axis counts samples, where it is an array.
        y: labels or targets.
    """

    loss: LossFunction
    gradient: GradientFunction
    params: dict[str, Array]
    x: Any
    y: Any

    def value(self, params: Params | None = None) -> float:
        """The loss at `params`, by default at the point itself.

        Raises:
            UserError: the loss fails, or is no number.
        """
        result = _call(self.loss, "loss", self.params if params is None else params, self.x, self.y)
        try:
            array = np.empty(0) if result is None else np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.size != 1:
            raise UserError(f"loss must return a number, it returns {_what(result)}")
        return float(array.reshape(()))

    def claim(self) -> dict[str, Any]:
        """What the gradient says at the point. The loss is computed first: some keep values from it.

        Raises:
            UserError: the gradient fails, or is no mapping.
        """
        own = {name: value.copy() for name, value in self.params.items()}
        _call(self.loss, "loss", own, self.x, self.y)
        result = _call(self.gradient, "gradient", own, self.x, self.y)
        if not isinstance(result, Mapping):
            raise UserError(
                f"gradient must return a dict with an array for each of {', '.join(self.params)}; "
                f"it returns {_what(result)}"
            )
        changed = [name for name, value in own.items() if not np.array_equal(value, self.params[name])]
        if changed:
            raise UserError(
                f"gradient changes {', '.join(changed)} in place; it must leave the parameters as they are"
            )
        # Code that reuses its arrays from call to call would change what was claimed before.
        return {name: _copied(name, value) for name, value in result.items()}

    def try_claim(self) -> dict[str, Array] | None:
        """The claims if they have the shapes of the parameters; None if not, or if the gradient fails.

        For points and samples that the user did not choose.
        """
        try:
            claim = self.claim()
        except UserError:
            return None
        if any(name not in claim or np.size(claim[name]) != p.size for name, p in self.params.items()):
            return None
        return {name: np.asarray(claim[name], np.float64).reshape(p.shape) for name, p in self.params.items()}

    def part(self, rows: slice | list[int]) -> Problem:
        """The same on some of the samples."""
        return replace(self, x=self.x[rows], y=self.y[rows])

    def at(self, params: dict[str, Array]) -> Problem:
        """The same at another point."""
        return replace(self, params=params)

    @property
    def samples(self) -> int | None:
        """N, where inputs and labels are arrays of one length."""
        if not (isinstance(self.x, np.ndarray) and isinstance(self.y, np.ndarray)):
            return None
        if not self.x.ndim or not self.y.ndim or len(self.x) != len(self.y):
            return None
        return len(self.x)

    @property
    def classes(self) -> int | None:
        """K, from one-hot labels or from the largest of whole-numbered ones."""
        if not isinstance(self.y, np.ndarray) or not self.y.size or self.y.dtype.kind not in "biuf":
            return None
        if self.y.ndim == 2 and self.y.shape[1] > 1:
            return int(self.y.shape[1])
        whole = self.y.ndim == 1 and bool(np.all(self.y == np.round(self.y))) and self.y.min() >= 0
        return int(self.y.max()) + 1 if whole else None


def make_problem(loss: LossFunction, gradient: GradientFunction, params: Any, x: Any, y: Any) -> Problem:
    """A problem that can be tried: the loss is a finite number, and the same when computed again.

    Raises:
        UserError: it cannot, and why.
    """
    if not isinstance(params, Mapping) or not params:
        raise UserError(f"params must be a dict of named arrays, not {_what(params)}")
    if unnamed := [name for name in params if not isinstance(name, str)]:
        raise UserError(f"params must be named by texts; {unnamed[0]!r} is none")
    arrays = {name: _array(name, value) for name, value in params.items()}
    problem = Problem(loss, gradient, arrays, x, y)
    first, second = problem.value(), problem.value()
    if not np.isfinite(first):
        raise UserError(f"the loss is {first} at these parameters; there is no gradient to compare with")
    if first != second:
        raise UserError(
            f"the loss changes from call to call ({first:.10g}, {second:.10g}): fix its random numbers "
            "(dropout, noise) and do not change x, y or params in it"
        )
    return problem


def _copied(name: object, value: Any) -> Array:
    try:
        return np.array(value)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"gradient: what it has for {name} is no array: {reason}") from None


def _array(name: object, value: Any) -> Array:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"parameter {name} must be an array of numbers, not {_what(value)}") from None
    if not np.isfinite(array).all():
        raise UserError(f"parameter {name} has entries that are not finite")
    return array


def _call(function: Callable[..., Any], what: str, *arguments: Any) -> Any:
    """A user's function; what goes wrong in it is told with its line."""
    try:
        # Overflow on the way to a finite loss is not what is judged here.
        with np.errstate(all="ignore"):
            return function(*arguments)
    except NablabError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{what} fails: {type(error).__name__}: {reason} ({place})") from error


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape else f"{value!r:.60} ({type(value).__name__})"
