"""Places the nodes of a directed graph in rows, as Sugiyama, Tagawa and Toda (1981) do, in small.

Every node stands one row below the lowest of what it reads. An edge that passes rows gets a *bend* in each.
Within a row, nodes are ordered and placed by where their neighbours are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: A bend gives way to a node: it pulls, and is held, with this weight instead of 1.
_BEND_WEIGHT = 0.05
_SWEEPS = 6


@dataclass(frozen=True)
class Item:
    """What takes a place in a row: a node, or the bend of an edge that passes by."""

    name: str  #: of the node; of a bend, where its edge comes from
    row: int
    is_bend: bool = False


@dataclass(frozen=True)
class Layout:
    """Items by row, from left to right, and the middle of each; 0 is the middle of the drawing."""

    rows: tuple[tuple[Item, ...], ...]
    x: Mapping[Item, float]
    edges: tuple[tuple[Item, Item], ...]  #: each from a row to the next


def lay_out(
    names: Sequence[str],
    edges: Sequence[tuple[str, str]],
    *,
    node_width: float,
    bend_width: float,
    gap: float,
) -> Layout:
    """Rows and places of a graph without cycles.

    Args:
        names: of the nodes, in an order in which each comes after all that it reads.
        edges: from what is read to what reads it; both are in `names`.
    """
    row_of = _rows(names, edges)
    rows: list[list[Item]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for name in names:
        rows[row_of[name]].append(Item(name, row_of[name]))
    segments = _segments(edges, row_of, rows)
    widths = (node_width, bend_width)
    x = {item: 0.0 for row in rows for item in row}
    for row in rows:
        x |= _place(row, dict.fromkeys(row, 0.0), widths, gap)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            wanted = {item: _middle(item, segments, x, downwards, last=sweep >= _SWEEPS - 2) for item in row}
            if sweep < _SWEEPS - 2:
                row.sort(key=lambda item: wanted[item])
            x |= _place(row, wanted, widths, gap)
    return Layout(tuple(map(tuple, rows)), x, tuple(segments))


def _rows(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node; what reads nothing stands just above what reads it first."""
    reads: dict[str, list[str]] = {name: [] for name in names}
    read_by: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        reads[target].append(source)
        read_by[source].append(target)
    row_of: dict[str, int] = {}
    for name in names:
        row_of[name] = max((row_of[source] + 1 for source in reads[name]), default=0)
    for name in names:
        if not reads[name] and read_by[name]:
            row_of[name] = min(row_of[target] for target in read_by[name]) - 1
    return row_of


def _segments(
    edges: Sequence[tuple[str, str]], row_of: Mapping[str, int], rows: Sequence[list[Item]]
) -> list[tuple[Item, Item]]:
    """Edges from row to row; all long edges of one node share their bends, which are added to `rows`."""
    segments: dict[tuple[Item, Item], None] = {}
    for source, target in edges:
        start = Item(source, row_of[source])
        for row in range(row_of[source] + 1, row_of[target]):
            bend = Item(source, row, is_bend=True)
            if bend not in rows[row]:
                rows[row].append(bend)
            segments[start, bend] = None
            start = bend
        segments[start, Item(target, row_of[target])] = None
    return list(segments)


def _middle(
    item: Item, segments: Sequence[tuple[Item, Item]], x: Mapping[Item, float], downwards: bool, *, last: bool
) -> float:
    """Where the neighbours of an item are: those above it or below it, in the last sweeps both."""
    above = [source for source, target in segments if target == item and (downwards or last)]
    below = [target for source, target in segments if source == item and (not downwards or last)]
    neighbours = above + below
    if not neighbours:
        return x[item]
    weights = [_BEND_WEIGHT if other.is_bend else 1.0 for other in neighbours]
    return sum(w * x[other] for w, other in zip(weights, neighbours, strict=True)) / sum(weights)


def _place(
    row: Sequence[Item], wanted: Mapping[Item, float], widths: tuple[float, float], gap: float
) -> dict[Item, float]:
    """The places nearest to the wanted ones (least squares) at which nothing in the row overlaps.

    An item alone in its row stands in the middle.
    """
    if len(row) == 1:
        return {row[0]: 0.0}
    offsets = [0.0]
    for before, after in pairwise(row):
        offsets.append(offsets[-1] + (widths[before.is_bend] + widths[after.is_bend]) / 2 + gap)
    weights = [_BEND_WEIGHT if item.is_bend else 1.0 for item in row]
    places = _ascending([wanted[item] - offset for item, offset in zip(row, offsets, strict=True)], weights)
    return {item: place + offset for item, place, offset in zip(row, places, offsets, strict=True)}


def _ascending(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest values that never fall (isotonic regression by pooling adjacent violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, held, members = pools.pop()
            total = held + pool[1]
            pool = ((mean * held + pool[0] * pool[1]) / total, total, members + pool[2])
        pools.append(pool)
    return [mean for mean, _, members in pools for _ in range(members)]
