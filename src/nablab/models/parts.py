"""Parts of a network by the names of its layers: its head, what is frozen, and how deep each layer lies.

All of it follows from the layer table, so that both engines, and users' modules, are treated alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nablab.errors import UserError, did_you_mean
from nablab.models.model import LayerRow

#: Layers of a residual block belong together, its projection or shortcut too.
_IN_BLOCK = re.compile(r"(\d+)\.(?:body\.\d|(?:project|shortcut)(?:\.|$))")


@dataclass(frozen=True)
class Freeze:
    """Which layers keep the weights that they start with.

    Attributes:
        patterns: names as the layer table has them, or globs (`features.*`); a name holds for all inside it.
        spared: name of a layer that is trained whatever the patterns say: a head that is new. Empty: none.

    >>> freeze = Freeze(("3", "features.[01]"))
    >>> [freeze(path) for path in ("3", "3.body.0", "30", "features.1", "features.2")]
    [True, True, False, True, False]
    """

    patterns: tuple[str, ...] = ()
    spared: str = ""

    def __call__(self, path: str) -> bool:
        """Whether the layer of this name is frozen."""
        if self.spared and _is_within(path, self.spared):
            return False
        return any(_names(pattern, path) for pattern in self.patterns)


def freezing(patterns: str, rows: Sequence[LayerRow], *, new_head: bool, model: str) -> Freeze:
    """What a recipe's `freeze` says of a network.

    Args:
        patterns: separated by commas; empty freezes nothing.
        rows: the network's layer table.
        new_head: whether its head starts from chance, and therefore has to be trained.
        model: what errors call it.

    Raises:
        UserError: a pattern that names no layer, or nothing left to train.
    """
    parts = tuple(part for part in (text.strip() for text in patterns.split(",")) if part)
    head = head_of(rows) if new_head else ""
    for part in parts:
        if not any(_names(part, row.path) for row in rows):
            names = [row.path for row in rows if row.parameters]
            raise UserError(f"freeze {part!r} names no layer of {model}{did_you_mean(part, names)}")
        if part == head:
            raise UserError(f"freeze {part!r} is the head of {model}, which is new; leave it out")
    freeze = Freeze(parts, head)
    if parts and not any(row.parameters and not freeze(row.path) for row in rows):
        last = head_of(rows)
        raise UserError(
            f"freeze {patterns!r} leaves nothing of {model} to train; leave out its head"
            + (f", {last}, or replace that by new_head" if last else "")
        )
    return freeze


def head_of(rows: Sequence[LayerRow]) -> str:
    """The name of the layer that gives the scores: the last that multiplies. Empty where none does."""
    return next((row.path for row in reversed(rows) if row.macs), "")


def depths(rows: Sequence[LayerRow]) -> dict[str, int]:
    """How many layers with weights lie between each layer and the scores: 0 for the head.

    What has no weights to multiply with, such as a normalisation, goes with the layer before it, and the
    layers of a residual block go together.

    >>> from nablab.models.language import parse
    >>> from nablab.models.shapes import trace
    >>> depths(trace(parse("4C3-BatchNorm-ReLU-Res(4C3-ReLU-4C3)-Flatten-8-K"), (1, 4, 4), 2))
    ... # doctest: +NORMALIZE_WHITESPACE
    {'0': 3, '1': 3, '2': 3, '3.body.0': 2, '3.body.1': 2, '3.body.2': 2, '3': 2, '4': 2, '5': 1, '6': 0}
    """
    unit, last = -1, ""
    units: dict[str, int] = {}
    for row in rows:
        block = _IN_BLOCK.match(row.path)
        key = block[1] if block else row.path if row.macs else last
        if key != last:
            unit, last = unit + 1, key
        units[row.path] = max(unit, 0)
    return {path: max(unit, 0) - own for path, own in units.items()}


def of_parameter(name: str, by_layer: Mapping[str, int], otherwise: int) -> int:
    """What a table by layer says of a parameter: by the layer that owns it, or the nearest around that."""
    path = name.rpartition(".")[0]
    while path and path not in by_layer:
        path = path.rpartition(".")[0]
    return by_layer.get(path, otherwise)


def _names(pattern: str, path: str) -> bool:
    """Whether a pattern matches a layer, or something around it."""
    parts = path.split(".")
    return any(fnmatchcase(".".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


def _is_within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")
