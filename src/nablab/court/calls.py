"""What is exchanged with a user's functions: calls, arrays, and what is said when they fail."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import NablabError, UserError

Array = NDArray[Any]


def call(function: Callable[..., Any], what: str, *arguments: Any) -> Any:
    """A user's function; what goes wrong in it is told with its line."""
    try:
        # Overflow on the way to a finite loss is not what is judged here.
        with np.errstate(all="ignore"):
            return function(*arguments)
    except NablabError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        place = place_of(error) or f"it is called as {what}(params, x, y)"
        raise UserError(f"{what} fails: {type(error).__name__}: {reason} ({place})") from error


def place_of(error: Exception) -> str:
    """`file:line` of the user's own line that an error comes from, empty where there is none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "site-packages" not in frame.filename
    ]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


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


def plain(value: Any) -> Any:
    """Tensors of PyTorch as arrays, also those that require a gradient."""
    return np.asarray(value.detach()) if hasattr(value, "detach") else value


def claimed_array(name: object, value: Any) -> Array:
    """A copy of what a gradient has for a parameter."""
    try:
        return np.array(plain(value))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"gradient: what it has for {name} is no array: {reason}") from None


def parameter_array(name: object, value: Any) -> Array:
    """A parameter in float64."""
    try:
        array = np.array(plain(value), dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"parameter {name} must be an array of numbers, not {described(value)}") from None
    if not np.isfinite(array).all():
        raise UserError(f"parameter {name} has entries that are not finite")
    return array


def a_copy(value: Any) -> Any:
    """Of an array; what is none is shared."""
    return value.copy() if isinstance(value, np.ndarray) else value


def is_same(value: Any, given: Any) -> bool:
    """Whether an array is still what was given; what is no array is not looked into."""
    if value is given or not isinstance(given, np.ndarray):
        return True
    return np.shape(value) == given.shape and bool(np.all((value == given) | (value != value)))


def is_close(once: Any, again: Any) -> bool:
    """Whether two claims are one, but for rounding."""
    if once is None or again is None or once.dtype.kind not in "biuf" or again.dtype.kind not in "biuf":
        return True
    if once.shape != again.shape:
        return False
    once, again = once.astype(np.float64), again.astype(np.float64)
    size = np.max(np.abs(once), initial=0.0, where=np.isfinite(once))
    return np.allclose(once, again, rtol=1e-6, atol=1e-9 * size, equal_nan=True)


def described(value: Any) -> str:
    """What something is, short enough for a message."""
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape else f"{value!r:.60} ({type(value).__name__})"
