"""Backward, step by step, in words: what a student would write on the blackboard."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nablab.autograd.backward import seed, walk
from nablab.autograd.dtypes import Array
from nablab.autograd.graph import Node
from nablab.autograd.names import Names, brief, caller
from nablab.autograd.tensor import Tensor
from nablab.autograd.variable import Variable


@dataclass(frozen=True)
class Sent:
    """One gradient on its way: to whom, by which expression, what it is, and the sum there so far."""

    to: str
    formula: str
    gradient: Array
    total: Array


@dataclass(frozen=True)
class NodeStep:
    """One node: what arrived at its result, what it had saved, what it sends to its inputs."""

    operation: str
    result: str
    gradient: Array
    saved: dict[str, Any]
    sent: tuple[Sent, ...]

    def __str__(self) -> str:
        lines = [f"{self.operation}, which made {self.result}", f"    arrives: g = {brief(self.gradient)}"]
        if self.saved:
            kept = ", ".join(f"{name} = {brief(value)}" for name, value in self.saved.items())
            lines.append(f"    saved:   {kept}")
        for one in self.sent:
            sum_so_far = "" if np.array_equal(one.total, one.gradient) else f"; so far {brief(one.total)}"
            lines.append(f"    to {one.to}: {one.formula} = {brief(one.gradient)}{sum_so_far}")
        return "\n".join(lines)


@dataclass(frozen=True)
class LeafStep:
    """One leaf: what arrived in all, and what backward() would make of its `grad`."""

    leaf: str
    gradient: Array
    before: Array | None

    def __str__(self) -> str:
        after = np.asarray(self.gradient if self.before is None else self.before + self.gradient)
        old = "nothing" if self.before is None else brief(self.before)
        return f"{self.leaf} is a leaf\n    {self.leaf}.grad: {old} + {brief(self.gradient)} = {brief(after)}"


@dataclass(frozen=True)
class Explanation:
    """The steps in order; printed, the text."""

    start: str
    steps: tuple[NodeStep | LeafStep, ...]

    def __str__(self) -> str:
        numbered = [f"{i}. {step}" for i, step in enumerate(self.steps, 1)]
        return "\n".join([f"backward from {self.start}", *numbered])

    __repr__ = __str__


def explain(
    out: Tensor, gradient: Tensor | Array | None = None, names: Mapping[str, Tensor] | None = None
) -> Explanation:
    """What `out.backward(gradient)` would do, node by node: the arriving gradient, the saved values, the
    expression of the rule, and what is added to whom. Changes no `grad` and frees nothing.

    Args:
        out: the tensor to start from
        gradient: as in `backward()`
        names: what to call tensors; by default, the caller's variables

    Raises AutogradError where `backward()` would.

    >>> from nablab import autograd
    >>> a = autograd.tensor(2.0, requires_grad=True)
    >>> b = autograd.tensor(3.0)
    >>> c = a * b
    >>> autograd.explain(c, names={"a": a, "b": b, "c": c})
    backward from c = 6
    1. MulBackward, which made c
        arrives: g = 1
        saved:   b = 3
        to a: g * b = 3
    2. a is a leaf
        a.grad: nothing + 3 = 3
    """
    labels = Names(names, caller())
    start, first = seed(out, gradient)
    with np.errstate(all="ignore"):
        steps = tuple(_steps(start, first, labels))
    return Explanation(f"{labels.of(start)} = {brief(out.value)}", steps)


def _steps(start: Node | Variable, first: Array, labels: Names) -> Iterator[NodeStep | LeafStep]:
    totals: dict[int, Array] = {}
    for place, g, sent, _ in walk(start, first, retain_graph=True):
        if not isinstance(place, Node):
            yield LeafStep(labels.of(place), g, None if place.grad is None else place.grad.value.copy())
            continue
        parts = []
        for position, part in sent:
            parent = place.parents[position]
            assert parent is not None
            total = totals[id(parent)] = totals.get(id(parent), 0) + part
            formula = _formula(place, position)
            parts.append(Sent(labels.of(parent), formula, part.copy(), np.asarray(total)))
        yield NodeStep(place.name(), labels.of(place), g, dict(place.saved or {}), tuple(parts))


def _formula(node: Node, position: int) -> str:
    rule = next(rule for rule in node.rules if position in rule.positions)
    return _expression(rule.function) or "the rule's result"


def _expression(rule: Callable[..., Any]) -> str | None:
    """What a rule says of itself, else what it returns, as written in its source (None without a source)."""
    if rule.__doc__:
        return rule.__doc__.splitlines()[0].rstrip(".")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    except (OSError, TypeError, SyntaxError):
        return None
    returns = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None
    ]
    return ast.unparse(returns[-1]) if returns else None
