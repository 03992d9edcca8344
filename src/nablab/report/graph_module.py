"""Draws the traced graph of a user's module: operations as boxes, and what reads what as lines."""

from __future__ import annotations

from collections.abc import Sequence

from nablab.models.model import GraphNode, ModuleGraph
from nablab.report.graph_columns import Stack, draw_in_columns
from nablab.report.graph_layout import Item, Layout, lay_out
from nablab.report.graph_network import JOINED
from nablab.report.graph_pieces import WIDTH, Box, Line, Piece, Terminal, is_main
from nablab.report.graph_svg import Drawing, kind_of, number, shape_text

_GAP = 26.0  #: between rows
_BEND = 16.0  #: width that a passing line takes


def module_svg(graph: ModuleGraph, title: str = "Network") -> str:
    """A traced module as an SVG element, at most 900 pixels wide.

    Normalisation, activation and dropout are drawn in one box with the only operation that they read,
    where nothing else reads that. Long graphs go on in the next column.
    """
    boxes = _joined(graph)
    owner = {node.name: members[0].name for members in boxes for node in members}
    edges = dict.fromkeys((owner[a], owner[b]) for a, b in graph.edges if owner[a] != owner[b])
    pieces = {members[0].name: _piece(members) for members in boxes}
    layout = lay_out(list(pieces), list(edges), node_width=WIDTH, bend_width=_BEND, gap=18.0)
    return draw_in_columns(_stack(layout, pieces), title, _describe(graph))


def _joined(graph: ModuleGraph) -> list[list[GraphNode]]:
    """Nodes in groups that share a box, in the order of computation."""
    reads: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    read_by: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for source, target in graph.edges:
        reads[target].append(source)
        read_by[source].append(target)
    groups: list[list[GraphNode]] = []
    group_of: dict[str, list[GraphNode]] = {}
    for node in graph.nodes:
        before = group_of.get(reads[node.name][0]) if len(reads[node.name]) == 1 else None
        if (
            before is not None
            and node.op in ("module", "function")
            and kind_of(node.label) in JOINED
            and is_main(before[0].label)
            and len(read_by[before[-1].name]) == 1
        ):
            before.append(node)
            group_of[node.name] = before
        else:
            groups.append([node])
            group_of[node.name] = groups[-1]
    return groups


def _piece(members: Sequence[GraphNode]) -> Piece:
    first = members[0]
    if first.op in ("input", "output", "parameter"):
        name = first.path or first.label if first.op == "parameter" else first.label
        return Terminal(name, shape_text(first.shape))
    return Box(tuple(_line(node, first) for node in members))


def _line(node: GraphNode, first: GraphNode) -> Line:
    shape = shape_text(node.shape)
    hint = " ".join(part for part in (node.path or node.name, node.label, shape) if part)
    second = (node.path, "") if node is first and is_main(node.label) else ("", "")
    return Line(node.label, shape if node is first or node.shape != first.shape else "", hint, second)


def _stack(layout: Layout, pieces: dict[str, Piece]) -> Stack:
    """The rows of a layout in stretches that a new column may start between: where one item stands alone."""
    heights = [max(pieces[i.name].height for i in row if not i.is_bend) for row in layout.rows]
    starts = [
        index
        for index, row in enumerate(layout.rows)
        if index == 0 or (len(row) == 1 and len(layout.rows[index - 1]) == 1)
    ]
    stretches = [range(a, b) for a, b in zip(starts, [*starts[1:], len(layout.rows)], strict=True)]
    left = max((WIDTH / 2 - x for x in layout.x.values()), default=WIDTH / 2)
    right = max((WIDTH / 2 + x for x in layout.x.values()), default=WIDTH / 2)

    def draw(drawing: Drawing, which: range, x: float, y: float) -> float:
        rows = range(stretches[which[0]][0], stretches[which[-1]][-1] + 1)
        tops: dict[int, float] = {}
        for row in rows:
            tops[row] = y
            y += heights[row] + _GAP
        _draw_rows(drawing, layout, pieces, heights, tops, x + left)
        return y - _GAP

    stretch_heights = tuple(sum(heights[i] for i in s) + _GAP * (len(s) - 1) for s in stretches)
    return Stack(stretch_heights, _GAP, left + right, left, draw)


def _draw_rows(
    drawing: Drawing,
    layout: Layout,
    pieces: dict[str, Piece],
    heights: Sequence[float],
    tops: dict[int, float],
    centre: float,
) -> None:
    """The items of the rows in `tops` and the lines between them; `centre` is where their x is 0."""

    def height(item: Item) -> float:
        return heights[item.row] if item.is_bend else pieces[item.name].height

    for source, target in layout.edges:
        if source.row not in tops or target.row not in tops:
            continue
        x1, x2 = centre + layout.x[source], centre + layout.x[target]
        y1, y2 = tops[source.row] + height(source), tops[target.row]
        middle = number(y2 - _GAP / 2)
        drawing.line(
            f"M{number(x1)} {number(y1)}L{number(x1)} {number(y2 - _GAP)}"
            f"C{number(x1)} {middle} {number(x2)} {middle} {number(x2)} {number(y2 - 1)}"
        )
        if not target.is_bend:
            drawing.arrow_head(x2, y2 - 1)
    for row in tops:
        for item in layout.rows[row]:
            x = centre + layout.x[item]
            if item.is_bend:
                drawing.line(f"M{number(x)} {number(tops[row])}V{number(tops[row] + heights[row])}")
            else:
                pieces[item.name].draw(drawing, x - WIDTH / 2, tops[row])


def _describe(graph: ModuleGraph) -> str:
    """The graph in words, for who cannot see it."""
    reads: dict[str, list[str]] = {}
    for source, target in graph.edges:
        reads.setdefault(target, []).append(source)
    steps = [
        f"{node.name} ({node.label}) reads {' and '.join(reads[node.name])}"
        for node in graph.nodes
        if node.name in reads
    ]
    return f"{len(graph.nodes)} operations: {'; '.join(steps)}"
