"""What to call the tensors of a graph when it is shown: by the variables that hold them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.graph import Node
from nablab.autograd.show import numbers
from nablab.autograd.variable import Variable

#: From this many numbers on, the shape is shown in their place.
LONGEST = 9


class Names:
    """Labels for the nodes and leaves of a graph.

    By the given names, else by the variables of the function (or notebook) that asked; what no variable
    holds is called after the operation that made it.
    """

    def __init__(self, given: Mapping[str, Variable] | None, asking: inspect.FrameInfo | None) -> None:
        found: Mapping[str, Any] = given or {}
        if given is None and asking is not None:
            found = {**asking.frame.f_globals, **asking.frame.f_locals}
        self._tensors = {
            name: value for name, value in found.items()
            if isinstance(value, Variable) and (given is not None or not name.startswith("_"))
        }  # fmt: skip
        self._unnamed: dict[int, str] = {}

    def of(self, place: Node | Variable) -> str:
        """The name of a leaf, or of the result of a node."""
        tensor = place.output() if isinstance(place, Node) and place.output is not None else place
        for name, other in self._tensors.items():
            if other is tensor:
                return name
        if isinstance(place, Node):
            return self._unnamed.setdefault(id(place), f"{place.operation}{len(self._unnamed) + 1}")
        return self._unnamed.setdefault(id(place), f"leaf{len(self._unnamed) + 1}")

    def of_array(self, array: Array) -> str | None:
        """The name of the tensor that holds just this array."""
        return next((name for name, tensor in self._tensors.items() if tensor.value is array), None)


def caller() -> inspect.FrameInfo | None:
    """Who called the function that calls this."""
    stack = inspect.stack(context=0)
    return stack[2] if len(stack) > 2 else None


def brief(value: Any) -> str:
    """A value on one line: its numbers where they are few, else dtype and shape."""
    if not isinstance(value, np.ndarray):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if value.size > LONGEST:
        return f"{value.dtype} {value.shape}"
    if value.ndim == 0:
        return f"{value.item():g}" if value.dtype.kind == "f" else str(value.item())
    return " ".join(numbers(value).split()).replace("[ ", "[").replace(".]", "]").replace(".,", ",")
