"""The graph as a picture: SVG, laid out here, so that no program needs to be installed.

Layers from top to bottom by the longest way from a leaf (Sugiyama, Tagawa and Toda 1981); within a layer,
boxes are ordered by where their neighbours stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from nablab import atomic
from nablab.autograd.names import Names, caller
from nablab.autograd.tensor import Tensor
from nablab.autograd.view import Box, GraphView, view

CHARACTER, LINE, MARGIN, GAP, LAYER_GAP = 7.3, 16, 8, 28, 44
COLOURS = {
    "leaf": ("#e8f3ec", "#2e7d4f"),
    "constant": ("#f2f2f2", "#888888"),
    "operation": ("#eaf0fb", "#3b5fa8"),
}


@dataclass(frozen=True)
class Drawing:
    """A picture. Notebooks show it by themselves; `str()` is the SVG text."""

    svg: str
    view: GraphView

    def __str__(self) -> str:
        return self.svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write an .svg file, whole or not at all."""
        atomic.write_text(path, self.svg)
        return Path(path)


@dataclass
class _Place:
    """Where a box, or the bend of a long arrow, stands: its layer, and its middle and size in pixels."""

    layer: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def draw(out: Tensor, names: Mapping[str, Tensor] | None = None) -> Drawing:
    """Draw the graph that led to `out`: leaves, operations with their results and what they saved for the
    backward pass, and gradients once they have been computed.

    Args:
        out: the tensor whose history is drawn
        names: what to call tensors; by default, the caller's variables

    >>> from nablab import autograd
    >>> a = autograd.tensor(2.0, requires_grad=True)
    >>> c = a * 3.0
    >>> picture = autograd.draw(c, names={"a": a, "c": c})
    >>> [box.lines[0] for box in picture.view.boxes]
    ['a = 2', '3', 'c = 6']
    """
    seen = view(out, Names(names, caller()))
    return Drawing(_svg(seen), seen)


def _svg(graph: GraphView) -> str:
    places, paths = _layout(graph)
    width = max(p.x + p.width / 2 for p in places) + GAP
    height = max(p.y + p.height / 2 for p in places) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" font-family="ui-monospace, Consolas, monospace" font-size="12">',
        "<title>The graph of operations</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L10 5L0 10z" fill="#555"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    parts += [_arrow([places[i] for i in path]) for path in paths]
    parts += [_box(box, place) for box, place in zip(graph.boxes, places, strict=False)]
    return "\n".join([*parts, "</svg>"])


def _layout(graph: GraphView) -> tuple[list[_Place], list[list[int]]]:
    """A place for each box and for each bend of an arrow that passes a layer; and each arrow's way."""
    places = [
        _Place(
            layer=0,
            width=CHARACTER * max(map(len, (box.title, *box.lines))) + 2 * MARGIN,
            height=LINE * (1 + len(box.lines)) + 2 * MARGIN,
        )
        for box in graph.boxes
    ]
    for source, target in graph.arrows:  # boxes are in the order of their making: one pass is enough
        places[target].layer = max(places[target].layer, places[source].layer + 1)
    for source, _ in reversed(graph.arrows):  # inputs stand just above where they are first used
        if not any(target == source for _, target in graph.arrows):
            places[source].layer = min(places[t].layer for s, t in graph.arrows if s == source) - 1
    paths = []
    for source, target in graph.arrows:
        path = [source]
        for layer in range(places[source].layer + 1, places[target].layer):
            path.append(len(places))
            places.append(_Place(layer, 4, 0))
        paths.append([*path, target])
    _arrange(places, [pair for path in paths for pair in pairwise(path)])
    return places, paths


def _arrange(places: list[_Place], links: list[tuple[int, int]]) -> None:
    """Order each layer by the mean position of its neighbours, downward and upward in turn."""
    layers: list[list[int]] = [[] for _ in range(max(p.layer for p in places) + 1)]
    for i, place in enumerate(places):
        layers[place.layer].append(i)
    neighbours: dict[int, list[int]] = {i: [] for i in range(len(places))}
    for a, b in links:
        neighbours[a].append(b)
        neighbours[b].append(a)
    _spread(places, layers)
    for sweep in range(8):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wish = {i: _mean([places[n].x for n in neighbours[i]], places[i].x) for i in layer}
            layer.sort(key=wish.__getitem__)
            _spread(places, [layer])
    top = float(GAP)
    for layer in layers:
        tallest = max(places[i].height for i in layer)
        for i in layer:
            places[i].y = top + tallest / 2
        top += tallest + LAYER_GAP
    left = min(p.x - p.width / 2 for p in places)
    for place in places:
        place.x += GAP - left


def _spread(places: list[_Place], layers: list[list[int]]) -> None:
    """Side by side, each layer centred on 0."""
    for layer in layers:
        x = -(sum(places[i].width + GAP for i in layer) - GAP) / 2
        for i in layer:
            places[i].x = x + places[i].width / 2
            x += places[i].width + GAP


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _arrow(path: list[_Place]) -> str:
    """A smooth line from below the first place to above the last."""
    x, y = path[0].x, path[0].y + path[0].height / 2
    commands = [f"M{x:.1f} {y:.1f}"]
    for place in path[1:]:
        down = place.y - place.height / 2
        middle = (y + down) / 2
        commands.append(f"C{x:.1f} {middle:.1f} {place.x:.1f} {middle:.1f} {place.x:.1f} {down:.1f}")
        x, y = place.x, down
    return f'<path d="{"".join(commands)}" fill="none" stroke="#555" marker-end="url(#tip)"/>'


def _box(box: Box, place: _Place) -> str:
    fill, line = COLOURS[box.kind]
    left, top = place.x - place.width / 2, place.y - place.height / 2
    dashes = ' stroke-dasharray="4 3"' if box.kind == "constant" else ""
    styles = [f' font-weight="bold" fill="{line}"'] + [""] * len(box.lines)
    texts = [
        f'<text x="{left + MARGIN:.1f}" y="{top + MARGIN + LINE * (i + 0.75):.1f}"{style}>{escape(text)}'
        "</text>"
        for i, (text, style) in enumerate(zip((box.title, *box.lines), styles, strict=True))
    ]
    frame = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="6" '
        f'fill="{fill}" stroke="{line}"{dashes}/>'
    )
    return "\n".join(["<g>", frame, *texts, "</g>"])
