"""What a drawn network is stacked from: terminals, boxes of layers, residual blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nablab.models.model import LayerRow
from nablab.report.graph_svg import (
    CONVOLUTION,
    FRAME,
    LINEAR,
    MONO,
    QUIET,
    Drawing,
    clipped,
    kind_of,
    number,
    rectangle,
    shape_text,
    text,
)
from nablab.report.words import count, short

WIDTH = 232.0  #: of a box
HEAD = 44.0  #: height of a convolution or linear layer
SLIM = 24.0  #: height of any other layer
GAP = 20.0  #: between pieces, for the arrow
LANE = 30.0  #: width of a skip connection beside its boxes

_CHARACTER = 6.7  #: width of one in the 11-pixel monospaced font
_RIGHT = {"text_anchor": "end", "font_family": MONO, "font_size": "11"}


class Piece(Protocol):
    """Something drawn in a stack around the middle of its `WIDTH`."""

    @property
    def height(self) -> float: ...

    @property
    def lanes(self) -> int:
        """How many skip connections nest beside its boxes."""

    @property
    def begins_with_line(self) -> bool:
        """Whether the line to it goes on inside, so that the arrow head is there."""

    def draw(self, drawing: Drawing, x: float, y: float) -> None:
        """Draw it with its upper left corner at (x, y)."""


def is_main(layer: str) -> bool:
    """Whether a layer gets a box of its own size: those that do the multiplying."""
    return kind_of(layer) in (CONVOLUTION, LINEAR)


def draw_stack(drawing: Drawing, pieces: Sequence[Piece], x: float, y: float) -> float:
    """Draws pieces below each other from y on, with arrows between; returns where the last one ends."""
    centre = x + WIDTH / 2
    for index, piece in enumerate(pieces):
        if index:
            drawing.line(f"M{number(centre)} {number(y)}V{number(y + GAP - 1)}")
            if not piece.begins_with_line:
                drawing.arrow_head(centre, y + GAP - 1)
            y += GAP
        piece.draw(drawing, x, y)
        y += piece.height
    return y


def stack_height(pieces: Sequence[Piece]) -> float:
    return sum(piece.height for piece in pieces) + GAP * max(len(pieces) - 1, 0)


@dataclass(frozen=True)
class Terminal:
    """Where the images come in and the scores go out."""

    name: str
    shape: str

    @property
    def height(self) -> float:
        return 26.0

    @property
    def lanes(self) -> int:
        return 0

    @property
    def begins_with_line(self) -> bool:
        return False

    def draw(self, drawing: Drawing, x: float, y: float) -> None:
        width = 40 + _CHARACTER * (len(self.name) + len(self.shape))
        left = x + (WIDTH - width) / 2
        group = drawing.group(f"{self.name}: {self.shape}")
        rectangle(group, left, y, width, self.height, radius=13, **FRAME)
        text(group, left + 14, y + 17, self.name, **QUIET)
        text(group, left + width - 14, y + 17, self.shape, **_RIGHT)


@dataclass(frozen=True)
class Line:
    """One layer in a box: its name, at the right what it gives, and a second line for main layers."""

    layer: str
    right: str
    hint: str = field(compare=False)  #: shown when pointed at; names the layer's place, too
    second: tuple[str, str] = ("", "")

    @property
    def height(self) -> float:
        return HEAD if any(self.second) else SLIM

    def draw(self, drawing: Drawing, x: float, y: float, width: float) -> None:
        group = drawing.group(self.hint)
        rectangle(group, x, y, width, self.height, fill_opacity="0")
        rectangle(group, x + 4, y + 4, 4, self.height - 8, radius=2, fill=kind_of(self.layer).colour)
        main = any(self.second)
        name = {"font_size": "13", "font_weight": "600"} if main else {"font_size": "11"}
        baseline, room = y + (18 if main else 16), width - 34 - _CHARACTER * len(self.right)
        layer = clipped(self.layer, max(int(room / (8 if main else _CHARACTER)), 4))
        text(group, x + 16, baseline, layer, font_family=MONO, **name)
        text(group, x + width - 10, baseline, self.right, **_RIGHT, **({} if main else QUIET))
        left, right = self.second
        if left:
            text(group, x + 16, y + 35, clipped(left, 30), font_size="11", **QUIET)
        if right:
            text(group, x + width - 10, y + 35, right, text_anchor="end", font_size="11", **QUIET)


def layer_line(row: LayerRow) -> Line:
    """A layer of the layer table: what it costs is the second line of those that multiply."""
    parameters = count(row.parameters, "parameter")
    shapes = f"{shape_text(row.input_shape)} → {shape_text(row.output_shape)}"
    hint = f"{row.path}: {row.layer}, {shapes}, {parameters}, {row.macs:,} MACs"
    if is_main(row.layer):
        return Line(row.layer, shape_text(row.output_shape), hint, (parameters, f"{short(row.macs)} MACs"))
    if row.output_shape != row.input_shape:
        return Line(row.layer, shape_text(row.output_shape), hint)
    return Line(row.layer, f"{row.parameters:,}" if row.parameters else "", hint)


@dataclass(frozen=True)
class Box:
    """A layer, joined with the small layers that follow it."""

    lines: tuple[Line, ...]

    @property
    def height(self) -> float:
        return sum(line.height for line in self.lines)

    @property
    def lanes(self) -> int:
        return 0

    @property
    def begins_with_line(self) -> bool:
        return False

    def draw(self, drawing: Drawing, x: float, y: float) -> None:
        inset = 0.0 if any(self.lines[0].second) else 24.0
        left, width, top = x + inset, WIDTH - 2 * inset, y
        rectangle(drawing.root, left, y, width, self.height, radius=5, **FRAME)
        for line in self.lines:
            if top > y:
                rectangle(drawing.root, left + 14, top, width - 14, 1, fill_opacity=".13")
            line.draw(drawing, left, top, width)
            top += line.height


@dataclass(frozen=True)
class Shortcut:
    """What stands on the other way of a residual block."""

    layers: str
    parameters: int
    hint: str = field(compare=False)

    def label(self, room: float) -> str:
        """What to write in so many pixels: the count of parameters only where it fits as well."""
        both = f"{self.layers} · {self.parameters:,}"
        most = max(int((room - 8) / _CHARACTER), 3)
        return both if len(both) <= most else clipped(self.layers, most)


def shortcut_of(rows: Sequence[LayerRow]) -> Shortcut | None:
    """The projection or the written shortcut whose layers these are; None where there are none."""
    if not rows:
        return None
    parameters = sum(row.parameters for row in rows)
    hint = "; ".join(layer_line(row).hint for row in rows)
    return Shortcut("-".join(row.layer for row in rows), parameters, hint)


@dataclass(frozen=True)
class Block:
    """body(x) + x, or body(x) + shortcut(x)."""

    body: tuple[Piece, ...]
    shortcut: Shortcut | None
    output_shape: tuple[int, ...]

    @property
    def begins_with_line(self) -> bool:
        return True

    @property
    def lanes(self) -> int:
        return 1 + max((piece.lanes for piece in self.body), default=0)

    @property
    def height(self) -> float:
        return 14 + stack_height(self.body) + 14 + 22

    def draw(self, drawing: Drawing, x: float, y: float) -> None:
        centre, plus = x + WIDTH / 2, y + self.height - 11
        drawing.line(f"M{number(centre)} {number(y)}V{number(y + 13)}")
        if not self.body[0].begins_with_line:
            drawing.arrow_head(centre, y + 13)
        end = draw_stack(drawing, self.body, x, y + 14)
        drawing.line(f"M{number(centre)} {number(end)}V{number(plus - 11)}")
        self._draw_skip(drawing, centre, x + WIDTH + LANE * self.lanes - 12, y + 1, plus)
        group = drawing.group(f"sum of both ways: {shape_text(self.output_shape)}")
        drawing.circle(group, centre, plus, 10.5, **FRAME)
        text(group, centre, plus + 5.5, "+", text_anchor="middle", font_size="17")

    def _draw_skip(self, drawing: Drawing, centre: float, lane: float, top: float, bottom: float) -> None:
        down, end = f"M{number(centre)} {number(top)}H{number(lane - 8)}q8 0 8 8", number(bottom - 8)
        across = f"q0 8 -8 8H{number(centre + 11)}"
        drawing.circle(drawing.root, centre, top, 3, fill_opacity=".6")
        if self.shortcut is None:
            drawing.line(f"{down}V{end}{across}")
            return
        label = self.shortcut.label(bottom - top - 36)
        middle, length = (top + bottom) / 2, min(_CHARACTER * len(label) + 16, bottom - top - 36)
        drawing.line(f"{down}V{number(middle - length / 2)}")
        drawing.line(f"M{number(lane)} {number(middle + length / 2)}V{end}{across}")
        group = drawing.group(self.shortcut.hint)
        kind = {"fill": CONVOLUTION.colour, "fill_opacity": ".14", "stroke": CONVOLUTION.colour}
        rectangle(group, lane - 10, middle - length / 2, 20, length, radius=5, **kind)
        turned = {"transform": f"rotate(-90 {number(lane)} {number(middle)})", "text_anchor": "middle"}
        text(group, lane, middle + 4, label, font_family=MONO, font_size="11", **turned)


@dataclass(frozen=True)
class Repeat:
    """Pieces that stand several times in a row, drawn once in a frame that says how often."""

    pieces: tuple[Piece, ...]
    times: int

    @property
    def lanes(self) -> int:
        return max(piece.lanes for piece in self.pieces)

    @property
    def begins_with_line(self) -> bool:
        return True

    @property
    def height(self) -> float:
        return 22 + stack_height(self.pieces) + 10

    def draw(self, drawing: Drawing, x: float, y: float) -> None:
        centre, bottom = x + WIDTH / 2, y + self.height
        right = x + WIDTH + (LANE * self.lanes + 5 if self.lanes else 7)
        drawing.line(
            f"M{number(x - 7)} {number(y)}H{number(right)}V{number(bottom)}H{number(x - 7)}Z", dashed=True
        )
        group = drawing.group(f"{self.times} times in a row, each with numbers of its own")
        text(group, x + 2, y + 15, f"{self.times} ×", font_size="13", font_weight="600")
        drawing.line(f"M{number(centre)} {number(y)}V{number(y + 21)}")
        if not self.pieces[0].begins_with_line:
            drawing.arrow_head(centre, y + 21)
        end = draw_stack(drawing, self.pieces, x, y + 22)
        drawing.line(f"M{number(centre)} {number(end)}V{number(bottom)}")
