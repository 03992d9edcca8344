"""Whether a value is what it should be, and both of them in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: An array of at most so many elements is written out; of a larger one the ends are said.
WRITTEN_OUT = 12


@dataclass(frozen=True, eq=False)
class Bounds:
    """What a value is held against: `expected` up to `tolerance`, or the range `between`."""

    expected: Any
    tolerance: float = 0.0
    between: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.between is None:
            near = f" ± {number(self.tolerance)}" if self.tolerance else ""
            return f"{worded(self.expected)}{near}"
        least, greatest = self.between
        if (least, greatest) == (-float("inf"), float("inf")):
            return "any number"
        if greatest == float("inf"):
            return f"at least {number(least)}"
        if least == -float("inf"):
            return f"at most {number(greatest)}"
        return f"{number(least)} to {number(greatest)}"


def measure(found: Any, bounds: Bounds) -> tuple[str, bool]:
    """What was found, in words, and whether every element of it is within the bounds (nan never is).

    Texts, and values that are no numbers, are within them when they are equal.
    """
    import numpy as np

    if isinstance(found, str) or isinstance(bounds.expected, str):
        return worded(found), bool(found == bounds.expected)
    value, text = _array(found), worded(found)
    if value.size == 0:
        return text, False
    if bounds.between is not None:
        least, greatest = bounds.between
        return text, bool(np.all((value >= least) & (value <= greatest)))
    expected = _array(bounds.expected)
    if value.dtype == object or expected.dtype == object:
        return text, bool(found == bounds.expected)
    if value.dtype == bool or expected.dtype == bool:
        return text, value.dtype == expected.dtype and bool(np.all(value == expected))
    with np.errstate(invalid="ignore"):  # infinity less infinity is nan
        near = np.abs(value - expected) <= bounds.tolerance
    return text, bool(np.all(near | (value == expected)))


def worded(value: Any) -> str:
    """A value as it is printed: at most six digits, a constant array as its one value."""
    if isinstance(value, str):
        return value
    array = _array(value)
    if array.dtype == object:
        return str(value)
    if array.ndim == 0:
        return _element(array.item())
    flat = array.ravel()
    if not flat.size:
        return "nothing"
    if (flat == flat[0]).all():
        return f"{_element(flat[0].item())} ({_shape(array.shape)})"
    if flat.size <= WRITTEN_OUT:
        return f"[{', '.join(_element(element) for element in flat.tolist())}]"
    return f"{number(flat.min().item())} to {number(flat.max().item())} ({_shape(array.shape)})"


def number(value: float) -> str:
    """
    >>> number(4.5), number(431080), number(1 / 3), number(2.3e-9)
    ('4.5', '431,080', '0.333333', '2.3e-09')
    """
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    return f"{value:.6g}"


def _element(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} of them" if len(shape) == 1 else "×".join(map(str, shape))


def _array(value: Any) -> Any:
    """An array of numbers, truth values or objects: of a tensor its values, whichever engine made it."""
    import numpy as np

    value = value.detach() if hasattr(value, "detach") else value
    array = np.asarray(value)
    return array if array.dtype.kind in "biuf" else np.asarray(value, dtype=object)
