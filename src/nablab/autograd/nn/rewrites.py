"""Neighbours in a `Sequential` that may change places: the same numbers and gradients, sooner."""

from __future__ import annotations

from collections.abc import Iterable

from nablab.autograd.nn.activations import ReLU
from nablab.autograd.nn.module import Module
from nablab.autograd.nn.shaping import MaxPool2d

#: (first, second) that are run as (second, first). The largest of a window does not change its place when
#: what is negative becomes zero, and after pooling by 2 there is only a quarter left to do. Where a whole
#: window is negative, no gradient passes either way.
SWAPS: frozenset[tuple[type[Module], type[Module]]] = frozenset({(ReLU, MaxPool2d)})


def in_order(modules: Iterable[Module]) -> list[Module]:
    """The modules in the order in which they are run. Those with hooks, which see values, stay in place."""
    order: list[Module] = []
    for module in modules:
        if order and (type(order[-1]), type(module)) in SWAPS and not (order[-1].hooked or module.hooked):
            order.insert(-1, module)
        else:
            order.append(module)
    return order
