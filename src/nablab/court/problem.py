"""What stands before the court: a loss, the gradient that is claimed for it, and the point to try it at."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nablab.court.calls import (
    Array,
    a_copy,
    call,
    claimed_array,
    described,
    is_close,
    is_same,
    parameter_array,
    place_of,
    plain,
    told,
)
from nablab.errors import UserError

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
        x: inputs, as `loss` takes them; where it is an array, samples are its rows, or columns (`columns`).
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
        result = call(self.loss, "loss", self.params if params is None else params, self.x, self.y)
        try:
            number = plain(result)
            array = (
                np.empty(0) if number is None or np.iscomplexobj(number) else np.asarray(number, np.float64)
            )
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.size != 1:
            raise UserError(f"loss must return a number, it returns {described(result)}")
        return float(array.reshape(()))

    def claim(self) -> dict[str, Any]:
        """What the gradient says at the point. The loss is computed first: some keep values from it.

        Raises:
            UserError: the gradient fails, is no mapping, or changes what it is given.
        """
        own = {name: value.copy() for name, value in self.params.items()}
        x, y = a_copy(self.x), a_copy(self.y)
        replace(self, params=own, x=x, y=y).value()
        self._changed("loss", own, x, y)
        result = call(self.gradient, "gradient", own, x, y)
        if not isinstance(result, Mapping):
            raise UserError(
                f"gradient must return a dict with an array for each of {', '.join(self.params)}; "
                f"it returns {described(result)}"
            )
        self._changed("gradient", own, x, y)
        # Code that reuses its arrays from call to call would change what was claimed before.
        return {name: claimed_array(name, value) for name, value in result.items()}

    def _changed(self, who: str, params: Params, x: Any, y: Any) -> None:
        """Refuse functions that change what they are given.

        Raises:
            UserError: one did, and what.
        """
        after = [*params.items(), ("x", x), ("y", y)]
        before = [*(self.params.get(name) for name in params), self.x, self.y]
        changed = [name for (name, now), then in zip(after, before, strict=True) if not is_same(now, then)]
        if changed:
            raise UserError(
                f"{who} changes {', '.join(changed)} in place; it must leave what it is given as it is, and "
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
                function(own, a_copy(self.x), a_copy(self.y))
        except FloatingPointError as error:
            return f"{error} ({place_of(error)})"
        except Exception:  # has been told before, or is of no importance here
            return ""
        return ""

    def part(self, rows: slice | list[int] | Array) -> Problem:
        """The same on some of the samples."""
        return replace(self, x=self.taken(self.x, rows), y=self.taken(self.y, rows))

    def taken(self, array: Any, rows: slice | list[int] | Array) -> Any:
        """Some of the samples of inputs or labels."""
        return array[..., rows] if self.columns else array[rows]

    def at(self, params: dict[str, Array]) -> Problem:
        """The same at another point."""
        return replace(self, params=params)

    @property
    def samples(self) -> int | None:
        """N, where inputs and labels are arrays of one length."""
        if self.columns:
            return int(self.x.shape[1])
        if not (isinstance(self.x, np.ndarray) and isinstance(self.y, np.ndarray)):
            return None
        if not self.x.ndim or not self.y.ndim or len(self.x) != len(self.y):
            return None
        return len(self.x)

    @cached_property
    def columns(self) -> bool:
        """Whether samples are the columns of x, (D, N), beside labels (N,), (1, N) or one-hot (K, N)."""
        if not (isinstance(self.x, np.ndarray) and isinstance(self.y, np.ndarray)):
            return False
        if self.x.ndim != 2 or self.y.ndim not in (1, 2):
            return False
        return len(self.x) != len(self.y) and self.x.shape[1] == self.y.shape[-1]

    @property
    def labels(self) -> Array:
        """The labels with samples along the first axis."""
        return np.asarray(self.y.T if self.columns else self.y)

    @property
    def classes(self) -> int | None:
        """K, from one-hot labels or from the largest of whole-numbered ones."""
        if not isinstance(self.y, np.ndarray) or not self.y.size or self.y.dtype.kind not in "biuf":
            return None
        if self.labels.ndim == 2 and self.labels.shape[1] > 1:
            return int(self.labels.shape[1])
        whole = self.labels.ndim == 1 and bool(np.all(self.y == np.round(self.y))) and self.y.min() >= 0
        return int(self.y.max()) + 1 if whole else None


def make_problem(loss: LossFunction, gradient: GradientFunction, params: Any, x: Any, y: Any) -> Problem:
    """A problem that can be tried: the loss is a finite number, and the same when computed again.

    Raises:
        UserError: it cannot, and why.
    """
    if not isinstance(params, Mapping) or not params:
        raise UserError(f"params must be a dict of named arrays, not {described(params)}")
    if unnamed := [name for name in params if not isinstance(name, str)]:
        raise UserError(f"params must be named by texts; {unnamed[0]!r} is none")
    arrays = {name: parameter_array(name, value) for name, value in params.items()}
    problem = Problem(loss, gradient, arrays, x, y)
    with redirect_stdout(sys.stderr):  # what the functions print is shown once
        once = problem.claim()
    with redirect_stdout(io.StringIO()):
        again = problem.claim()
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
    if changing := [name for name in arrays if not is_close(once.get(name), again.get(name))]:
        raise UserError(
            f"the gradient of {', '.join(changing)} changes from call to call: it must be that of all "
            "samples, without random numbers (a minibatch, dropout, noise) and without what is left of an "
            "earlier call"
        )
    return problem
