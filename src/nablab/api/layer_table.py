"""The layer table of a network for people: blocks that stand several times in a row are written out once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from nablab.models.model import LayerRow
from nablab.models.repeats import repeats
from nablab.report import words

#: Place, layer, output, parameters and MACs.
Cells = tuple[str, str, str, str, str]

#: Repeats of no more rows than this are written out.
_FEW = 4


def layer_cells(layers: Sequence[LayerRow]) -> Iterator[Cells]:
    """The rows of a layer table, with one row for all repeats of the rows before it.

    The parameters and MACs of such a row are those of all its repeats, so that the columns still add up.
    """
    parts = [_part(place, tuple(rows)) for place, rows in groupby(layers, key=_place)]
    done = 0
    for stretch, times in repeats(parts, leads=lambda part: any(row.macs for row in part.rows)):
        first, *others = (parts[done + n * len(stretch) :][: len(stretch)] for n in range(times))
        done += times * len(stretch)
        yield from (_cells(row) for part in first for row in part.rows)
        repeated = [row for part_of in others for part in part_of for row in part.rows]
        if len(repeated) <= _FEW:
            yield from map(_cells, repeated)
        else:
            yield _summary(first, others, repeated)


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it.

    >>> shape_text((3, 32, 32))
    '3 x 32 x 32'
    """
    return " x ".join(map(str, shape))


@dataclass(frozen=True)
class _Part:
    """What stands at one place: a layer, or all of a block. Equal ones may stand at different places."""

    content: tuple[object, ...]
    place: str = field(compare=False)
    rows: tuple[LayerRow, ...] = field(compare=False)


def _place(row: LayerRow) -> str:
    return row.path.partition(".")[0]


def _part(place: str, rows: tuple[LayerRow, ...]) -> _Part:
    content = tuple(
        (row.path.partition(".")[2], row.layer, row.input_shape, row.output_shape, row.parameters, row.macs)
        for row in rows
    )
    return _Part(content, place, rows)


def _cells(row: LayerRow) -> Cells:
    costs = words.number(row.parameters), words.number(row.macs)
    return row.path, row.layer, shape_text(row.output_shape), *costs


def _summary(first: Sequence[_Part], others: Sequence[Sequence[_Part]], rows: Sequence[LayerRow]) -> Cells:
    return (
        _span(others[0][0].place, others[-1][-1].place),
        f"{len(others)} more like {_span(first[0].place, first[-1].place)}",
        shape_text(rows[-1].output_shape),
        words.number(sum(row.parameters for row in rows)),
        words.number(sum(row.macs for row in rows)),
    )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
