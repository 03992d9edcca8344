"""Draws a network of the layer language from its layer table, without building or running it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from nablab.models.model import LayerRow
from nablab.models.repeats import repeats
from nablab.report.graph_columns import Stack, draw_in_columns
from nablab.report.graph_pieces import (
    GAP,
    LANE,
    WIDTH,
    Block,
    Box,
    Piece,
    Repeat,
    Terminal,
    draw_stack,
    is_main,
    layer_line,
    shortcut_of,
    stack_height,
)
from nablab.report.graph_svg import ACTIVATION, DROPOUT, NORMALISATION, Drawing, kind_of, shape_text
from nablab.report.words import short

#: Kinds that are drawn in one box with the layer before them.
JOINED = (NORMALISATION, ACTIVATION, DROPOUT)

#: Repeats that take fewer pixels than this below each other are drawn out: a frame is no easier to read.
WORTH_FOLDING = 240.0


def spec_svg(rows: Sequence[LayerRow], title: str = "Network") -> str:
    """The network of a layer table as an SVG element, at most 900 pixels wide.

    Convolutions and linear layers are boxes joined with the normalisation, activation and dropout that
    follow them; a residual block has its skip connection beside it, with the projection or shortcut where
    there is one. Blocks that stand several times in a row are drawn once, in a frame that says how often. A
    deep network goes on in the next column.

    Args:
        rows: as `nablab.models.shapes.trace` gives them. The rows of a residual block at `3` have paths
            `3.body.0`, `3.body.1`, ...; its projection or shortcut any other path under `3.`.
        title: what a screen reader announces.
    """
    pieces: list[Piece] = _pieces([(tuple(row.path.split(".")), row) for row in rows])
    if rows:
        pieces.insert(0, Terminal("input", shape_text(rows[0].input_shape)))
        pieces.append(Terminal("scores", shape_text(rows[-1].output_shape)))

    def draw(drawing: Drawing, which: range, x: float, y: float) -> float:
        return draw_stack(drawing, [pieces[i] for i in which], x, y)

    lanes = max((piece.lanes for piece in pieces), default=0)
    heights = tuple(piece.height for piece in pieces)
    stack = Stack(heights, GAP, WIDTH + LANE * lanes, WIDTH / 2, draw)
    return draw_in_columns(stack, title, _describe(rows))


def _pieces(rows: Sequence[tuple[tuple[str, ...], LayerRow]]) -> list[Piece]:
    """The pieces of rows that stand at one level; each comes with what is left of its path there."""
    pieces: list[Piece] = []
    open_box: list[LayerRow] = []

    def close() -> None:
        if open_box:
            pieces.append(Box(tuple(layer_line(row) for row in open_box)))
            open_box.clear()

    for _, group in groupby(rows, key=lambda item: item[0][0]):
        members = list(group)
        if any(path[1:2] == ("body",) for path, _ in members):
            close()
            pieces.append(_block(members))
            continue
        for _, row in members:
            if not (open_box and _joins(row, open_box)):
                close()
            open_box.append(row)
    close()
    return _folded(pieces)


def _folded(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces with what is repeated drawn once, where that saves a good part of a column."""
    folded: list[Piece] = []
    done = 0
    for stretch, times in repeats(pieces, leads=_is_weighty, least=2):
        here = range(done, done + times * len(stretch))
        done = here.stop
        if (times - 1) * stack_height(stretch) > WORTH_FOLDING:
            folded.append(Repeat(tuple(stretch), times))
        else:
            folded += [pieces[i] for i in here]  # each with its own hint
    return folded


def _joins(row: LayerRow, box: Sequence[LayerRow]) -> bool:
    """Whether a layer shares the box before it: that of a main layer, or of a normalisation that it bends."""
    if is_main(box[0].layer):
        return kind_of(row.layer) in JOINED
    return kind_of(box[-1].layer) is NORMALISATION and kind_of(row.layer) is ACTIVATION


def _is_weighty(piece: Piece) -> bool:
    return isinstance(piece, Block) or (isinstance(piece, Box) and is_main(piece.lines[0].layer))


def _block(members: Sequence[tuple[tuple[str, ...], LayerRow]]) -> Block:
    """The residual block whose rows these are."""
    body = [(path[2:], row) for path, row in members if len(path) > 2 and path[1] == "body"]
    others = [row for path, row in members if len(path) > 1 and path[1] != "body"]
    last = members[-1][1]
    return Block(tuple(_pieces(body)), shortcut_of(others), last.output_shape)


def _describe(rows: Sequence[LayerRow]) -> str:
    """The network in words, for who cannot see it."""
    parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    layers = ", ".join(f"{row.layer} to {shape_text(row.output_shape)}" for row in rows)
    return f"{len(rows)} layers, {parameters:,} parameters, {short(macs)} MACs: {layers}"
