"""The graph: one node for each recorded operation, pointing at the nodes that made its inputs.

The graph knows no operator. A node holds the rules that its operation brought along, the values that
those rules asked for, and where each gradient goes. It never holds more: a value that no rule needs is
freed as soon as the user lets go of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, final
from weakref import ReferenceType

import numpy as np

from nablab.autograd.dtypes import Array, DType
from nablab.autograd.errors import AutogradError

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor
    from nablab.autograd.variable import Variable

#: Where a gradient goes: to the node that made an input, to a leaf, or (None) nowhere.
Parent: TypeAlias = "Node | Variable | None"

#: Every operation by its name; `op.py` fills it, `Tensor`'s methods look it up.
OPS: dict[str, Callable[..., Tensor]] = {}

_numbers = count()


class Version:
    """How often the memory behind a tensor, and behind all views of it, was changed in place.

    `recorded` counts those changes that are part of a graph: they leave other views without a history.
    """

    __slots__ = ("changes", "recorded")

    def __init__(self) -> None:
        self.changes = 0
        self.recorded = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A vector-Jacobian product: `function(g, *wants)` is the gradient for the inputs at `positions`.

    `wants` are the names of the values that it needs, read off its signature. A `joint` rule returns
    one gradient for each of its inputs.
    """

    function: Callable[..., Any]
    wants: tuple[str, ...]
    positions: tuple[int, ...]
    joint: bool


#: A saved tensor by name, and the number of changes that its memory had seen when it was saved.
Check: TypeAlias = tuple[str, Version, int]

#: The shape and dtype of an input, which its gradient must have too.
Form: TypeAlias = tuple[tuple[int, ...], DType]


@final
class Node:
    """One recorded operation; what PyTorch calls a `grad_fn`.

    Attributes:
        operation: its name, such as "mul"
        number: nodes are numbered as they are made, so a parent's number is smaller (or the same: see
            `gradient_hooks.py`)
        parents: for each input, where its gradient goes
        forms: for each input, the shape and dtype of its gradient
        saved: the values that the rules want, by name; None once the graph was freed
        output: the tensor that it made, while that lives
    """

    __slots__ = (
        "__weakref__",
        "checks",
        "forms",
        "number",
        "operation",
        "output",
        "parents",
        "rules",
        "saved",
    )

    def __init__(
        self,
        operation: str,
        rules: tuple[Rule, ...],
        parents: tuple[Parent, ...],
        forms: tuple[Form, ...],
        saved: dict[str, Any],
        checks: list[Check],
    ) -> None:
        self.operation = operation
        self.rules = rules
        self.parents = parents
        self.forms = forms
        self.saved: dict[str, Any] | None = saved
        self.checks = checks
        self.number = next(_numbers)
        self.output: ReferenceType[Variable] | None = None

    def name(self) -> str:
        """As PyTorch names it, without the trailing number: `MulBackward`."""
        return "".join(word.capitalize() for word in self.operation.split("_")) + "Backward"

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple[tuple[Node | AccumulateGrad | None, int], ...]:
        """The parents as PyTorch shows them: (node, output number); leaves are `AccumulateGrad`."""
        return tuple(
            (AccumulateGrad(p) if p is not None and not isinstance(p, Node) else p, 0) for p in self.parents
        )

    @property
    def saved_tensors(self) -> dict[str, Array]:
        """The saved arrays by name. Raises AutogradError after the graph was freed."""
        return {name: value for name, value in self._unpack().items() if isinstance(value, np.ndarray)}

    def pull(self, g: Array, rules: Sequence[Rule] | None = None) -> list[tuple[int, Array]]:
        """The gradient of each input that requires one, from that of the output, `g`; by some rules, or all.

        Pairs of (position of the input, gradient); un-broadcast to the input's shape, in its dtype.
        Raises AutogradError where the graph was freed, or where a saved value was changed since.
        """
        return self._apply(self._unpack(), g, self.rules if rules is None else rules)

    def promise(self, g: Array, rules: Sequence[Rule]) -> Callable[[], list[tuple[int, Array]]]:
        """As `pull`, to be called later. It holds the saved values itself: the node may be freed before."""
        return partial(self._apply, self._unpack(), g, rules)

    def _apply(self, saved: dict[str, Any], g: Array, rules: Sequence[Rule]) -> list[tuple[int, Array]]:
        sent = []
        for rule in rules:
            result = rule.function(g, *[saved[name] for name in rule.wants])
            one = ((rule.positions[0], result),)
            for position, part in zip(rule.positions, result, strict=False) if rule.joint else one:
                if self.parents[position] is not None:
                    sent.append((position, fit(part, self.forms[position])))
        return sent

    def free(self) -> None:
        """Let go of the saved values. A node that saved no tensor can still be walked again."""
        if self.saved:
            for value in self.saved.values():
                if type(value) is np.ndarray:
                    self.saved = None
                    return

    def _unpack(self) -> dict[str, Any]:
        if self.saved is None:
            raise AutogradError(
                f"trying to go backward through the graph a second time: the values that {self.name()} saved "
                "were freed after the first; call backward(retain_graph=True) the first time if you need both"
            )
        for name, version, changes in self.checks:
            if version.changes != changes:
                raise AutogradError(
                    f"{self.name()} needs the value of `{name}` as it was going forward, but an in-place "
                    f"operation has changed it since (version {version.changes}, expected {changes}); "
                    "use the form without the trailing underscore, or clone() it first"
                )
        return self.saved


class AccumulateGrad:
    """Stands at the end of the graph: adds what arrives to `variable.grad`."""

    __slots__ = ("variable",)

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def name(self) -> str:
        return "AccumulateGrad"

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


def fit(gradient: Array, form: Form) -> Array:
    """`gradient` in the shape and dtype of the input that it is for.

    Undoes broadcasting, for all operations at once: what was repeated in the forward pass collects the
    sum of its copies' gradients. No rule needs to know.
    """
    shape, dtype = form
    if type(gradient) is not np.ndarray:
        gradient = np.asarray(gradient)
    if gradient.shape != shape:
        if gradient.ndim < len(shape):  # an assignment of (1, 3) to (3,)
            return fit(gradient.reshape((1,) * (len(shape) - gradient.ndim) + gradient.shape), form)
        surplus = gradient.ndim - len(shape)
        stretched = [surplus + i for i, n in enumerate(shape) if n == 1 and gradient.shape[surplus + i] != 1]
        gradient = gradient.sum(axis=(*range(surplus), *stretched), keepdims=True).reshape(shape)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)
