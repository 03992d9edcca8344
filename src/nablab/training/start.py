"""Training that starts from weights which were trained before: what is taken over, and what is new.

Nothing is left out silently: every number of the network comes from the weights, or is named as new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.preprocess import Preprocessing
from nablab.errors import UserError
from nablab.models.model import LayerRow
from nablab.models.parts import head_of
from nablab.training.trainable import Arrays

#: A count that batch normalisation keeps and only uses where its momentum is None; old files lack it.
_COUNT = "num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Start:
    """Weights that a network starts from.

    Attributes:
        origin: where they came from, as errors say it.
        weights: by the names of the module's state dict.
        new_head: whether the network's own head is kept; None: where the weights' head is for another
            number of classes.
        preprocessing: what the images were fed with when the weights were trained, where that is known.
    """

    origin: str
    weights: Arrays
    new_head: bool | None = None
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True)
class Taken:
    """What became of a start.

    Attributes:
        layers: whose numbers were taken over, in the order of the network.
        new: those that start from chance: the head, or none.
    """

    layers: tuple[str, ...]
    new: tuple[str, ...]


def take_over(own: Arrays, rows: Sequence[LayerRow], start: Start, model: str) -> tuple[Arrays, Taken]:
    """The numbers that a network starts with.

    Args:
        own: what the network would start with from chance, in the order of its layers.
        rows: its layer table.
        model: what errors call it.

    Returns:
        as `own`, with all numbers from `start` but those of a new head; and the names of the layers.

    Raises:
        UserError: the first layer that differs in shape, or is only in one of the two; numbers that are not
            finite; a head that has to be new and cannot be told.
    """
    head = head_of(rows)
    new_head = _head_differs(own, head, start) if start.new_head is None else start.new_head
    if new_head and not head:
        raise UserError(f"the head of {model} cannot be told: no layer of it multiplies")
    fresh = f"{head}." if new_head else None
    _refuse_others(own, start, fresh, model)
    taken = {
        name: array if _is_fresh(name, fresh) else _taken(name, array, start, model, head)
        for name, array in own.items()
    }
    layers = dict.fromkeys(_layer(name) for name in own if not _is_fresh(name, fresh))
    return taken, Taken(tuple(layers), (head,) if new_head else ())


def _taken(name: str, own: NDArray[Any], start: Start, model: str, head: str) -> NDArray[Any]:
    """The numbers of the start for one name of the network."""
    if name not in start.weights and name.endswith(_COUNT):
        return own
    if name not in start.weights:
        raise UserError(
            f"{start.origin} has no {name}, which {model} has; give the network that these weights are of"
        )
    array = start.weights[name]
    if array.shape != own.shape:
        remedy = (
            "add --new-head to replace it"
            if _layer(name) == head
            else "give the network that they are of, and images of the size and colours that it learned from"
        )
        raise UserError(
            f"the weights in {start.origin} do not fit {model}: {name} is {array.shape} there and "
            f"{own.shape} here; {remedy}"
        )
    if not np.isfinite(array).all():
        raise UserError(f"{start.origin}: {name} holds numbers that are not finite; nothing can start there")
    return array.astype(own.dtype)


def _refuse_others(own: Arrays, start: Start, fresh: str | None, model: str) -> None:
    """Refuse weights that the network has no place for."""
    others = [name for name in start.weights if name not in own and not _is_fresh(name, fresh)]
    missing = [name for name in own if name not in start.weights and not _is_fresh(name, fresh)]
    if others and not missing:
        raise UserError(
            f"{start.origin} has {others[0]}, which {model} has no place for; give the network that these "
            "weights are of"
        )


def _head_differs(own: Arrays, head: str, start: Start) -> bool:
    """Whether the weights' head gives another number of scores."""
    name = f"{head}.weight"
    both = name in own and name in start.weights
    return both and own[name].shape[:1] != start.weights[name].shape[:1]


def _is_fresh(name: str, fresh: str | None) -> bool:
    return fresh is not None and name.startswith(fresh)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
