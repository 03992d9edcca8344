"""Operations in place: compute, overwrite, and give the tensor the history of its new values."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

import numpy as np

from nablab.autograd.dtypes import Array, kind
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS, Form, Node, Parent, Rule
from nablab.autograd.mode import mode

if TYPE_CHECKING:
    from nablab.autograd.variable import Variable

    T = TypeVar("T", bound=Variable)


def update(tensor: T, operation: str, *others: Any, **options: Any) -> T:
    """`tensor = operation(tensor, *others)`, written into the tensor's own memory.

    Raises AutogradError for a leaf that requires gradients, while operations are recorded, and where the
    result does not fit the tensor's shape or dtype.
    """
    _forbid_leaf(tensor)
    result = OPS[operation](tensor, *others, **options)
    if result.shape != tensor.shape:
        raise AutogradError(
            f"{operation}_: a result of shape {result.shape} does not fit into {tensor.shape}"
        )
    if kind(result.dtype) > kind(tensor.dtype):
        raise AutogradError(f"{operation}_: a {result.dtype} result cannot be stored in {tensor.dtype}")
    if not tensor.value.flags.writeable:
        raise AutogradError(
            f"{operation}_: this memory cannot be written to: expand() shows one number in several places, "
            "or the array it came from is read-only; clone() it first"
        )
    if result.grad_fn is not None:
        _keep_old_values(result.grad_fn, tensor)
    tensor.value[...] = result.value
    tensor._version.changes += 1
    if result.grad_fn is not None:
        _adopt(tensor, result.grad_fn)
    return tensor


def _keep_old_values(node: Node, tensor: Variable) -> None:
    """A rule that needs what the tensor held before gets a copy of it."""
    saved = node.saved or {}
    old = [name for name, value in saved.items() if value is tensor.value]
    saved.update({name: tensor.value.copy() for name in old})
    node.checks = [check for check in node.checks if check[0] not in old]


def assign(tensor: T, key: Any, values: Any) -> T:
    """`tensor[key] = values`; what was there before gets no gradient any more."""
    source = getattr(values, "_requires_grad", False)
    if mode.recording and (tensor._requires_grad or source):
        return update(tensor, "index_put", values, key=key)
    try:
        tensor.value[key] = getattr(values, "value", values)
    except (ValueError, IndexError) as error:
        raise AutogradError(f"assignment into shape {tensor.shape}: {error}") from error
    tensor._version.changes += 1
    return tensor


def _forbid_leaf(tensor: Variable) -> None:
    if not mode.recording:
        return
    for leaf, what in ((tensor, "a leaf"), (tensor._base, "a view of a leaf")):
        if leaf is not None and leaf._requires_grad and leaf.grad_fn is None:
            raise AutogradError(
                f"{what} that requires gradients cannot be changed in place while operations are recorded; "
                "do it under `with no_grad():`"
            )


def _adopt(tensor: Variable, node: Node) -> None:
    """`node` is now what made the tensor. Other views of the same memory are out of date."""
    base = tensor._base
    if base is not None:
        base.grad_fn = _copy_slices(base, tensor, node)
        base.grad_fn.output = ref(base)
        base._requires_grad = True
    tensor.grad_fn = node
    tensor._requires_grad = True
    node.output = ref(tensor)
    tensor._version.recorded += 1
    tensor._seen = tensor._version.recorded


def _copy_slices(base: Variable, view: Variable, node: Node) -> Node:
    """The node of `base` after `node` has computed new values for its `view`, in place.

    The gradient of what the view shows goes to `node`; that of the rest to the base as it was before.
    """
    shown = _shown(base, view)

    def rule(g: Array) -> tuple[Array, Array]:
        rest = g.flatten()
        part = rest[shown]
        rest[shown] = 0
        return rest.reshape(g.shape), part

    parents: tuple[Parent, Parent] = (base._parent() if base._requires_grad else None, node)
    forms: tuple[Form, Form] = ((base.shape, base.dtype), (view.shape, view.dtype))
    return Node("copy_slices", (Rule(rule, (), (0, 1), True),), parents, forms, {}, [])


def look_again(base: Variable, view: Variable) -> Node:
    """The node of a view after the tensor that it looks into has got a new history."""
    shown = _shown(base, view)

    def rule(g: Array) -> Array:
        whole = np.zeros(base.value.size, g.dtype)
        np.add.at(whole, shown, g)
        return whole.reshape(base.shape)

    forms = ((base.shape, base.dtype),)
    return Node("as_strided", (Rule(rule, (), (0,), False),), (base._parent(),), forms, {}, [])


def _shown(base: Variable, view: Variable) -> Array:
    """For each element of the view, which one of the base it is, counted in the base's order."""
    places = _addresses(base.value).reshape(-1)
    order = np.argsort(places)
    shown: Array = order[np.searchsorted(places[order], _addresses(view.value))]
    return shown


def _addresses(array: Array) -> Array:
    """Where in memory each element lies; of the array's shape."""
    steps = [np.arange(n) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    start = np.asarray(array.__array_interface__["data"][0], np.int64)
    return reduce(np.add.outer, steps, start)
