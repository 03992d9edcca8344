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
            number = _plain(result)
            array = (
                np.empty(0) if number is None or np.iscomplexobj(number) else np.asarray(number, np.float64)
            )
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.size != 1:
            raise UserError(f"loss must return a number, it returns {_what(result)}")
        return float(array.reshape(()))

    def claim(self) -> dict[str, Any]:
        """What the gradient says at the point. The loss is computed first: some keep values from it.

        Raises:
            UserError: the gradient fails, is no mapping, or changes what it is given.
        """
        own = {name: value.copy() for name, value in self.params.items()}
        x, y = _copy(self.x), _copy(self.y)
        replace(self, params=own, x=x, y=y).value()
        self._changed("loss", own, x, y)
        result = _call(self.gradient, "gradient", own, x, y)
        if not isinstance(result, Mapping):
            raise UserError(
                f"gradient must return a dict with an array for each of {', '.join(self.params)}; "
                f"it returns {_what(result)}"
            )
        self._changed("gradient", own, x, y)
        # Code that reuses its arrays from call to call would change what was claimed before.
        return {name: _copied(name, value) for name, value in result.items()}

    def _changed(self, what: str, params: Params, x: Any, y: Any) -> None:
        """Refuse functions that change what they are given.

        Raises:
            UserError: one did, and what.
        """
        given = {**self.params, "x": self.x, "y": self.y}
        changed = [
            name for name, value in {**params, "x": x, "y": y}.items() if not _same(value, given.get(name))
        ]
        if changed:
            raise UserError(
                f"{what} changes {', '.join(changed)} in place; it must leave what it is given as it is, and "
                "make a new array in its stead (parameters are updated after all gradients are taken)"
            )

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

    def overflow(self, function: Callable[..., Any]) -> str:
        """Where the numbers of the loss or the gradient first overflow or end; empty if nowhere."""
        own = {name: value.copy() for name, value in self.params.items()}
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                function(own, _copy(self.x), _copy(self.y))
        except FloatingPointError as error:
            return f"{error} ({_place(error)})"
        except Exception:  # has been told before, or is of no importance here
            return ""
        return ""

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
    once, again = problem.claim(), problem.claim()
    first, second = problem.value(), problem.value()
    if not np.isfinite(first):
        raise UserError(
            f"the loss is {first} at these parameters; there is no gradient to compare with"
            + told(problem.overflow(problem.loss))
        )
    if first != second:
        raise UserError(
            f"the loss changes from call to call ({first:.10g}, {second:.10g}): fix its random numbers "
            "(dropout, noise)"
        )
    if changing := [name for name in arrays if not _close(once.get(name), again.get(name))]:
        raise UserError(
            f"the gradient of {', '.join(changing)} changes from call to call: it must be that of all "
            "samples, without random numbers (a minibatch, dropout, noise) and without what is left of an "
            "earlier call"
        )
    return problem


def told(overflow: str) -> str:
    """What to do about numbers that are not finite."""
    if not overflow:
        return ""
    cures = {
        "exp": "; softmax can do without: subtract the largest score of each row first",
        "log": "; the logarithm of a softmax can do without: log p_y = z_y - log sum exp z",
    }
    cure = next((cures[function] for function in cures if f"in {function}" in overflow), "")
    return f": {overflow}{cure}"


def _plain(value: Any) -> Any:
    """Tensors of PyTorch as arrays, also those that require a gradient."""
    return np.asarray(value.detach()) if hasattr(value, "detach") else value


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _same(value: Any, given: Any) -> bool:
    """Whether an array is still what was given; what is no array is not looked into."""
    if value is given or not isinstance(given, np.ndarray):
        return True
    return np.shape(value) == given.shape and bool(np.all((value == given) | (value != value)))


def _close(once: Any, again: Any) -> bool:
    """Whether two claims are one, but for rounding."""
    if once is None or again is None or once.dtype.kind not in "biuf" or again.dtype.kind not in "biuf":
        return True
    if once.shape != again.shape:
        return False
    size = np.max(np.abs(once), initial=0.0, where=np.isfinite(once))
    return np.allclose(once, again, rtol=1e-6, atol=1e-9 * size, equal_nan=True)


def _copied(name: object, value: Any) -> Array:
    try:
        return np.array(_plain(value))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"gradient: what it has for {name} is no array: {reason}") from None


def _array(name: object, value: Any) -> Array:
    try:
        array = np.array(_plain(value), dtype=np.float64)
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
        reason = " ".join(str(error).split())[:300]
        place = _place(error) or f"it is called as {what}(params, x, y)"
        raise UserError(f"{what} fails: {type(error).__name__}: {reason} ({place})") from error


def _place(error: Exception) -> str:
    """`file:line` of the user's own line that an error comes from, empty where there is none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "site-packages" not in frame.filename
    ]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape else f"{value!r:.60} ({type(value).__name__})"
