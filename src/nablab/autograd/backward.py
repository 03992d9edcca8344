"""The walk backward through the graph. It knows no operator: nodes bring their own rules.

Nodes are visited in the opposite order of their making. A node's inputs were made before it, so by the
time a node is visited, every gradient that flows into it has arrived and has been added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.gradient_hooks import of_leaves
from nablab.autograd.graph import Node, Rule
from nablab.autograd.parallel import get_num_threads, later

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor
    from nablab.autograd.variable import Variable


#: One stop of the walk: (place, gradient, sent, fresh). All that has arrived at `place`, which is a node or a
#: leaf; what is sent on from there, as pairs of (position among the node's inputs, gradient); and whether
#: nobody else holds the memory of the gradient.
Step: TypeAlias = "tuple[Node | Variable, Array, Sequence[tuple[int, Array]], bool]"


#: A rule for a leaf that takes so many multiplications is worth another thread; smaller gradients never do.
HEAVY, LARGE = 4_000_000, 4_000


def walk(
    start: Node | Variable, gradient: Array, *, retain_graph: bool | None = None, spread: bool = False
) -> Iterator[Step]:
    """Go from `start` back to all leaves, carrying gradients.

    Frees what each node had saved, unless `retain_graph`. With `spread`, heavy gradients of leaves, for which
    no node waits, are computed by another thread while the walk goes on; their steps then lack them in
    `sent`. Changes no tensor: that is up to the caller. What a step sends is added up in place once the walk
    goes on: who keeps it, keeps a copy.
    """
    waiting: list[tuple[int, Node]] = []  # a heap: the node made last comes first
    arrived: dict[Node | Variable, Array] = {start: gradient}
    fresh: set[Node | Variable] = set()  # those whose gradient nobody else holds: it may be added to in place
    leaves: list[Variable] = []
    promised: list[tuple[Node, Array, Callable[[], Sequence[tuple[int, Array]]]]] = []

    def deliver(node: Node, g: Array, sent: Sequence[tuple[int, Array]]) -> None:
        for position, part in sent:
            place = node.parents[position]
            assert place is not None
            if place not in arrived:
                arrived[place] = part
                if type(place) is Node:
                    heappush(waiting, (-place.number, place))
                else:
                    leaves.append(place)
                    if _is_alone(part, g, sent):
                        fresh.add(place)
            elif place in fresh:
                arrived[place] += part
            else:
                arrived[place] = np.asarray(arrived[place] + part)
                fresh.add(place)

    if type(start) is Node:
        heappush(waiting, (-start.number, start))
    else:
        leaves.append(start)
    while waiting:
        node = heappop(waiting)[1]
        g, rules = arrived.pop(node), node.rules
        if spread and g.size >= LARGE and (others := _left_to_others(node, g, bool(waiting))):
            promised.append((node, g, later(node.promise(g, others))))
            rules = tuple([rule for rule in rules if rule not in others])
        sent = node.pull(g, rules)
        if not retain_graph:
            node.free()
        yield node, g, sent, False
        deliver(node, g, sent)
    for node, g, promise in promised:
        deliver(node, g, promise())
    if of_leaves:
        fresh.difference_update(_call_hooks(leaves, arrived))
    for leaf in leaves:
        yield leaf, arrived[leaf], (), leaf in fresh


def _call_hooks(leaves: list[Variable], arrived: dict[Node | Variable, Array]) -> list[Variable]:
    """Let the hooks of leaves change what has arrived; the leaves whose hooks may have kept what they saw."""
    hooked = [leaf for leaf in leaves if id(leaf) in of_leaves]
    for leaf in hooked:
        arrived[leaf] = of_leaves[id(leaf)].apply(arrived[leaf])
    return hooked


def _left_to_others(node: Node, g: Array, more: bool) -> list[Rule]:
    """The heavy rules for leaves, where there is anything else to do meanwhile: `more` nodes, or parents."""
    ours = [rule for rule in node.rules if any(type(node.parents[i]) is Node for i in rule.positions)]
    if not ours and not more:
        return []
    return [
        rule
        for rule in node.rules
        if rule not in ours and g.size * sum(prod(node.forms[i][0][1:]) for i in rule.positions) >= HEAVY
    ]


def _is_alone(part: Array, g: Array, sent: Sequence[tuple[int, Array]]) -> bool:
    """Whether nothing else that is on its way shares memory with `part`, which may be written to.

    Rules return new arrays or views of `g`, so an array that is no view is new, unless it is `g`.
    """
    if part.base is None:
        return part is not g and (len(sent) == 1 or sum([other is part for _, other in sent]) == 1)
    memory = _memory(part)
    others = sum([_memory(other) == memory for _, other in sent])
    return others == 1 and memory != _memory(g) and part.flags.writeable


def _memory(array: Array) -> int:
    """The identity of the array or object that owns the numbers which `array` shows."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return id(owner)


def backward(
    tensor: Variable, gradient: Variable | Array | None = None, *, retain_graph: bool | None = None
) -> None:
    """Add to `grad` of every leaf the gradient of `tensor`; see `Tensor.backward`."""
    start, first = seed(tensor, gradient)
    with np.errstate(all="ignore"):  # 1 / 0 is inf, as in PyTorch
        for place, g, _, fresh in walk(start, first, retain_graph=retain_graph, spread=get_num_threads() > 1):
            if type(place) is Node:
                output = None if place.output is None else place.output()
                if output is not None and output._retains_grad:
                    output._accumulate(g.copy())
            else:
                place._accumulate(g if fresh else np.array(g))


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Array | Sequence[Tensor | Array | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` by `inputs`, returned and added to nobody's `grad`.

    Args:
        outputs: a scalar, or any tensor together with `grad_outputs` of its shape
        inputs: tensors from which the output was computed, leaves or not
        grad_outputs: the gradient of the result by the output
        retain_graph: keep what the graph saved
        create_graph: not supported, see `refuse_graph_of_gradients`
        allow_unused: return None, rather than raise, for an input that the output does not depend on

    Raises AutogradError for several outputs, of which one takes the sum.

    >>> from nablab import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    if create_graph:
        refuse_graph_of_gradients()
    output, gradient = _only_one(outputs), _only_one(grad_outputs)
    wanted = list(inputs) if isinstance(inputs, list | tuple) else [cast("Tensor", inputs)]
    places = [x._parent() for x in wanted]
    start, first = seed(output, gradient)
    with np.errstate(all="ignore"):
        sought = {id(place) for place in places}
        steps = walk(start, first, retain_graph=retain_graph)
        found = {id(place): g for place, g, _, _ in steps if id(place) in sought}
    result: list[Tensor | None] = []
    for i, (x, place) in enumerate(zip(wanted, places, strict=True)):
        if id(place) not in found and not allow_unused:
            raise AutogradError(
                f"the output does not depend on input {i} of shape {x.shape}; allow_unused=True gives None"
            )
        result.append(output._plain(found[id(place)].copy()) if id(place) in found else None)
    return tuple(result)


def _only_one(given: Any) -> Any:
    if isinstance(given, list | tuple):
        if len(given) != 1:
            raise AutogradError(
                f"grad() of {len(given)} outputs: add them up, the gradient is that of the sum"
            )
        return given[0]
    return given


def refuse_graph_of_gradients() -> NoReturn:
    """Raise where a gradient shall have a graph of its own: rules compute with arrays, and record nothing."""
    raise AutogradError(
        "create_graph=True: this engine computes first derivatives only, its gradients have no graph; "
        "derive the first derivative by hand, or use PyTorch for second derivatives"
    )


def seed(tensor: Variable, gradient: Any) -> tuple[Node | Variable, Array]:
    """Where the walk begins, and with what."""
    if not tensor.requires_grad:
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
        return tensor._parent(), np.ones(tensor.shape, tensor.dtype) if tensor.ndim else np.array(
            1, tensor.dtype
        )
    given = np.asarray(getattr(gradient, "value", gradient), tensor.dtype)
    if given.shape != tensor.shape:
        raise AutogradError(
            f"a gradient of shape {given.shape} was given for a tensor of shape {tensor.shape}"
        )
    return tensor._parent(), given.copy()
