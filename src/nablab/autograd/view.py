"""A graph as plain data, before anything is drawn: boxes with lines of text, and arrows between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.graph import OPS, Node, Parent
from nablab.autograd.names import Names, brief
from nablab.autograd.variable import Variable


@dataclass(frozen=True)
class Box:
    """A leaf, a constant that was saved, or an operation together with its result."""

    kind: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class GraphView:
    """Boxes, inputs before the results made from them, and arrows (from, to) by number."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]


def view(out: Variable, names: Names) -> GraphView:
    """The graph that led to `out`: values, what was saved, gradients where they have been computed."""
    boxes: list[Box] = []
    arrows: list[tuple[int, int]] = []
    numbers: dict[int, int] = {}
    places = _in_order(out if out.grad_fn is None else out.grad_fn)
    known = _known_values(places)

    def add(box: Box) -> int:
        boxes.append(box)
        return len(boxes) - 1

    for place in places:
        if not isinstance(place, Node):
            numbers[id(place)] = add(_leaf(place, names))
            continue
        sources = [numbers[id(parent)] for parent in place.parents if parent is not None]
        sources += [add(box) for box in _constants(place, names)]
        numbers[id(place)] = add(_operation(place, names, known.get(id(place))))
        arrows += [(source, numbers[id(place)]) for source in sources]
    return GraphView(tuple(boxes), tuple(arrows))


def _in_order(start: Node | Variable) -> list[Node | Variable]:
    """Everything that led to `start`: leaves first, then the nodes as they were made."""
    leaves: dict[int, Variable] = {}
    nodes: dict[int, Node] = {}
    waiting = [start]
    while waiting:
        place = waiting.pop()
        if not isinstance(place, Node):
            leaves[id(place)] = place
        elif id(place) not in nodes:
            nodes[id(place)] = place
            waiting += [parent for parent in place.parents if parent is not None]
    found = [*nodes.values()][::-1]  # of two with one number, hooks stand behind the node that they see
    return [*reversed(leaves.values()), *sorted(found, key=lambda node: node.number)]


def _leaf(leaf: Variable, names: Names) -> Box:
    lines = [f"{names.of(leaf)} = {brief(leaf.value)}", f"requires_grad = {leaf.requires_grad}"]
    lines.append(f"grad = {'None' if leaf.grad is None else brief(leaf.grad.value)}")
    return Box("leaf", "leaf", tuple(lines))


def _constants(node: Node, names: Names) -> list[Box]:
    """Inputs that need no gradient and are known because a rule saved them."""
    boxes = []
    for value, parent in _saved_inputs(node):
        if parent is None and value is not None:
            label = names.of_array(value) if isinstance(value, np.ndarray) else None
            lines = [f"{label} = {brief(value)}" if label else brief(value), "requires_grad = False"]
            boxes.append(Box("constant", "constant", tuple(lines)))
    return boxes


def _saved_inputs(node: Node) -> list[tuple[Any, Parent]]:
    """For each input: what a rule saved of it, and where its gradient goes."""
    inputs = getattr(OPS.get(node.operation), "inputs", ())
    return [
        ((node.saved or {}).get(name), parent) for name, parent in zip(inputs, node.parents, strict=False)
    ]


def _known_values(places: list[Node | Variable]) -> dict[int, Array]:
    """The result of each node: from the tensor, while it lives, else from whoever saved it."""
    known: dict[int, Array] = {}
    for node in places:
        if isinstance(node, Node):
            result = None if node.output is None else node.output()
            saved = [(value, parent) for value, parent in _saved_inputs(node) if isinstance(parent, Node)]
            known |= {id(parent): value for value, parent in saved if isinstance(value, np.ndarray)}
            value = result.value if result is not None else (node.saved or {}).get("out")
            if value is not None:
                known[id(node)] = value
    return known


def _operation(node: Node, names: Names, value: Array | None) -> Box:
    result = None if node.output is None else node.output()
    lines = [f"{names.of(node)} = {'(not kept)' if value is None else brief(value)}"]
    if node.saved is None:
        lines.append("saved values: freed")
    else:
        lines += [f"saved {name} = {brief(value)}" for name, value in node.saved.items()]
    if result is not None and result.grad is not None:
        lines.append(f"grad = {brief(result.grad.value)}")
    return Box("operation", node.name(), tuple(lines))
