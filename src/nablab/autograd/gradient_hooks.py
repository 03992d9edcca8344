"""Functions that are called with a gradient on its way through a tensor: `Tensor.register_hook`.

A tensor without hooks takes no part in this. On the result of an operation, hooks become a node of their own
in front of the one that made it; those on leaves are found in a table at the end of a walk.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import finalize

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import Node, Rule

if TYPE_CHECKING:
    from nablab.autograd.variable import Variable

#: From the gradient to another in its place, or to None where it stays.
Hook = Callable[[Any], Any]


class Hooks:
    """Those of one tensor, called in the order in which they were registered."""

    def __init__(self, wrap: Callable[[Array], Variable]) -> None:
        self.functions: dict[int, Hook] = {}
        self._wrap = wrap

    def register(self, hook: Hook) -> RemovableHandle:
        """call it behind the others"""
        return RemovableHandle(self.functions, hook, lambda: None)

    def apply(self, g: Array) -> Array:
        """what the hooks make of g"""
        for function in tuple(self.functions.values()):
            result = function(self._wrap(g))
            if result is None:
                continue
            if result.shape != g.shape:
                raise AutogradError(
                    f"a hook made a gradient of shape {result.shape} of one of shape {g.shape}"
                )
            g = result.value
        return g


class RemovableHandle:
    """What registering a hook returns: `remove()` takes it off again, as the end of a `with` block does."""

    _numbers: ClassVar = count()

    def __init__(
        self, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any], changed: Callable[[], None]
    ) -> None:
        """Add the hook to others, behind them; `changed` is called then, and when it is removed."""
        self._hooks, self._number, self._changed = hooks, next(self._numbers), changed
        hooks[self._number] = hook
        changed()

    def remove(self) -> None:
        """Call the hook no more. A second time does nothing."""
        if self._hooks.pop(self._number, None) is not None:
            self._changed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


#: The hooks of leaves, by the identity of the leaf.
of_leaves: dict[int, Hooks] = {}


def hooks_of(tensor: Variable) -> Hooks:
    """Where the hooks of a tensor that requires gradients are, or now can be, registered."""
    place = tensor._parent()
    if isinstance(place, Node):
        return _of_node(place, tensor)
    if id(place) not in of_leaves:
        of_leaves[id(place)] = Hooks(tensor._plain)
        finalize(place, of_leaves.pop, id(place), None)
    return of_leaves[id(place)]


def _of_node(node: Node, tensor: Variable) -> Hooks:
    """The node stays, for all that was computed from it already, and what it did another does behind it."""
    known = getattr(node.rules[0].function, "__self__", None)
    if isinstance(known, Hooks):
        return known
    behind = Node(node.operation, node.rules, node.parents, node.forms, node.saved or {}, node.checks)
    behind.saved, behind.number, behind.output = node.saved, node.number, node.output
    hooks = Hooks(tensor._plain)
    node.operation, node.rules, node.parents = "hook", (Rule(hooks.apply, (), (0,), False),), (behind,)
    node.forms, node.saved, node.checks, node.output = ((tensor.shape, tensor.dtype),), {}, [], None
    return hooks
