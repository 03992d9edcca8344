"""The walk backward through the graph. It knows no operator: nodes bring their own rules.

Nodes are visited in the opposite order of their making. A node's inputs were made before it, so by the
time a node is visited, every gradient that flows into it has arrived and has been added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import Node

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor
    from nablab.autograd.variable import Variable


#: One stop of the walk: (place, gradient, sent, fresh). All that has arrived at `place`, which is a node or a
#: leaf; what is sent on from there, as pairs of (position among the node's inputs, gradient); and whether
#: nobody else holds the memory of the gradient.
Step: TypeAlias = "tuple[Node | Variable, Array, Sequence[tuple[int, Array]], bool]"


def walk(start: Node | Variable, gradient: Array, *, retain_graph: bool = False) -> Iterator[Step]:
    """Go from `start` back to all leaves, carrying gradients.

    Frees what each node had saved, unless `retain_graph`. Changes no tensor: that is up to the caller.
    """
    waiting: list[tuple[int, int, Node]] = []  # a heap: the node made last comes first
    arrived: dict[int, Array] = {id(start): gradient}
    fresh: set[int] = set()  # places whose gradient nobody else holds: it may be added to in place
    leaves: dict[int, Variable] = {}

    def announce(place: Node | Variable) -> None:
        if isinstance(place, Node):
            heappush(waiting, (-place.number, id(place), place))
        else:
            leaves[id(place)] = place

    announce(start)
    while waiting:
        _, key, node = heappop(waiting)
        g = arrived.pop(key)
        sent = node.pull(g)
        if not retain_graph:
            node.free()
        held = [_memory(g), *[_memory(part) for _, part in sent]]
        for i, (position, part) in enumerate(sent, 1):
            place = node.parents[position]
            assert place is not None
            key = id(place)
            if key in fresh:
                arrived[key] += part
            elif key in arrived:
                arrived[key] = np.asarray(arrived[key] + part)
                fresh.add(key)
            else:
                arrived[key] = part
                announce(place)
                if held.count(held[i]) == 1 and part.flags.writeable:
                    fresh.add(key)
        yield node, g, sent, False
    for key, leaf in leaves.items():
        yield leaf, arrived[key], (), key in fresh


def _memory(array: Array) -> int:
    """The identity of the array or object that owns the numbers which `array` shows."""
    owner: Any = array
    while type(owner) is np.ndarray and owner.base is not None:
        owner = owner.base
    return id(owner)


def backward(
    tensor: Variable, gradient: Variable | Array | None = None, *, retain_graph: bool = False
) -> None:
    """Add to `grad` of every leaf the gradient of `tensor`; see `Tensor.backward`."""
    start, first = seed(tensor, gradient)
    with np.errstate(all="ignore"):  # 1 / 0 is inf, without a word, as in PyTorch
        for place, g, _, fresh in walk(start, first, retain_graph=retain_graph):
            if isinstance(place, Node):
                output = None if place.output is None else place.output()
                if output is not None and output._retains_grad:
                    output._accumulate(g.copy())
            else:
                place._accumulate(g if fresh else np.array(g))


def grad(
    output: Tensor,
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Array | None = None,
    retain_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `output` by `inputs`, returned and added to nobody's `grad`.

    Args:
        output: a scalar, or any tensor together with `grad_outputs` of its shape
        inputs: tensors from which `output` was computed, leaves or not
        grad_outputs: the gradient of the result by `output`
        retain_graph: keep what the graph saved
        allow_unused: return None, rather than raise, for an input that `output` does not depend on

    >>> from nablab import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    wanted = list(inputs) if isinstance(inputs, list | tuple) else [cast("Tensor", inputs)]
    places = [x._parent() for x in wanted]
    start, first = seed(output, grad_outputs)
    with np.errstate(all="ignore"):
        found = {id(place): g for place, g, _, _ in walk(start, first, retain_graph=retain_graph)}
    result: list[Tensor | None] = []
    for i, (x, place) in enumerate(zip(wanted, places, strict=True)):
        if id(place) not in found and not allow_unused:
            raise AutogradError(
                f"the output does not depend on input {i} of shape {x.shape}; allow_unused=True gives None"
            )
        result.append(output._plain(found[id(place)].copy()) if id(place) in found else None)
    return tuple(result)


def seed(tensor: Variable, gradient: Any) -> tuple[Node | Variable, Array]:
    """Where the walk begins, and with what."""
    if not tensor._requires_grad:
        raise AutogradError(
            "backward() from a tensor that does not require a gradient: no tensor with requires_grad=True "
            "led to it, or it was computed under no_grad() or after detach()"
        )
    if gradient is None:
        if tensor.value.size != 1:
            raise AutogradError(
                f"backward() without a gradient needs a scalar, this tensor has shape {tensor.shape}; "
                "reduce it with sum() or mean(), or pass backward(gradient=...)"
            )
        return tensor._parent(), np.ones(tensor.shape, tensor.dtype)
    given = np.asarray(getattr(gradient, "value", gradient), tensor.dtype)
    if given.shape != tensor.shape:
        raise AutogradError(
            f"a gradient of shape {given.shape} was given for a tensor of shape {tensor.shape}"
        )
    return tensor._parent(), given.copy()
