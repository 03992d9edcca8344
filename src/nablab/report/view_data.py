"""A data set in words and small pictures: what terminal, picture file and notebook draw alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nablab.data.describe import Summary
from nablab.report.view_pictures import picture
from nablab.report.view_types import Picture
from nablab.report.words import number

_CHANNELS = ("red", "green", "blue")
_MOST_NUMBERS = 6


@dataclass(frozen=True)
class PictureColumn:
    """Pictures under one heading, a row a class; a class of few images has fewer."""

    heading: str
    rows: tuple[tuple[Picture, ...], ...]

    @property
    def width(self) -> int:
        """The most pictures in a row."""
        return max((len(row) for row in self.rows), default=0)

    def first(self, most: int) -> PictureColumn:
        """The same with at most so many pictures in a row."""
        return PictureColumn(self.heading, tuple(row[:most] for row in self.rows))


@dataclass(frozen=True, eq=False)
class DataView:
    """What is drawn of a data set.

    Attributes:
        title: what it is called in headings.
        subtitle: how much of what, in a line.
        facts: names and what is to be said, in order.
        summary: the numbers behind them.
        columns: pictures: means, examples, augmented ones; none for features, or where none are wanted.
        missing: the classes of which no pictures are taken, since there are too many.
    """

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    summary: Summary
    columns: tuple[PictureColumn, ...]
    missing: int


def data_view(summary: Summary, *, title: str = "", what: str = "") -> DataView:
    """The view of a data set.

    Args:
        title: by default its name.
        what: what is in it, in a line.
    """
    columns = _columns(summary)
    shown = len(columns[0].rows) if columns else len(summary.classes)
    size = _size(summary.input_shape)
    here = f"{number(summary.train)} training and {number(summary.test)} test {_samples(summary)}"
    return DataView(
        title=title or summary.name,
        subtitle=f"{here}, {size}, {len(summary.classes)} classes",
        facts=tuple((name, text) for name, text in _facts(summary, what, here, size) if text),
        summary=summary,
        columns=columns,
        missing=len(summary.classes) - shown,
    )


def _size(shape: tuple[int, ...]) -> str:
    """
    >>> _size((1, 28, 28)), _size((3, 32, 32)), _size((2,))
    ('28 x 28, grey', '32 x 32, colour', '2 features')
    """
    if len(shape) == 1:
        return f"{shape[0]} feature{'' if shape[0] == 1 else 's'}"
    channels, height, width = shape
    kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    return f"{height} x {width}, {kind}"


def _samples(summary: Summary) -> str:
    return "images" if len(summary.input_shape) == 3 else "points"


def _facts(summary: Summary, what: str, here: str, size: str) -> list[tuple[str, str]]:
    is_slice = (summary.train, summary.test) != (summary.train_total, summary.test_total)
    in_all = f"{number(summary.train_total)} training and {number(summary.test_total)} test"
    low, high = (f"{value:.4g}" for value in summary.value_range)
    seen_low, seen_high = (f"{value:.4g}" for value in summary.seen)
    seen = "" if (low, high) == (seen_low, seen_high) else f"; seen {seen_low} to {seen_high}"
    return [
        ("what", what),
        ("source", summary.source),
        ("licence", summary.licence),
        ("here", here),
        ("in all", f"{in_all} {_samples(summary)}" if is_slice else ""),
        ("to get the rest", summary.hint),
        ("one sample", f"{size}, {summary.dtype}"),
        ("values", f"{low} to {high}{seen}"),
        ("mean", _by_channel(summary, summary.mean)),
        ("deviation", _by_channel(summary, summary.deviation)),
        ("classes", _balance(summary)),
        ("groups", "" if summary.groups is None else f"{number(summary.groups)} that stay together"),
        ("fingerprint", summary.fingerprint),
    ]


def _by_channel(summary: Summary, values: Sequence[float]) -> str:
    names = _CHANNELS if len(summary.input_shape) == len(values) == 3 else [""] * len(values)
    texts = [f"{name} {value:.4g}".strip() for name, value in zip(names, values, strict=True)]
    more = "" if len(texts) <= _MOST_NUMBERS else f" and {len(texts) - _MOST_NUMBERS} more"
    return ", ".join(texts[:_MOST_NUMBERS]) + more


def _balance(summary: Summary) -> str:
    counts = [row.train for row in summary.classes]
    least, most = min(counts), max(counts)
    each = f"{number(least)} each" if least == most else f"from {number(least)} to {number(most)} each"
    return f"{len(counts)}, {each} to train on"


def _columns(summary: Summary) -> tuple[PictureColumn, ...]:
    pictures = summary.pictures
    if pictures is None or not pictures.examples.shape[1]:
        return ()
    low, high = summary.value_range
    means = tuple((picture(mean, low, high),) for mean in pictures.means)
    columns = [PictureColumn("mean", means)]
    drawn = {"examples": pictures.examples, pictures.augmentation: pictures.augmented}
    for heading, images in drawn.items():
        if images is not None:
            rows = zip(images, summary.classes, strict=False)
            made = (tuple(picture(image, low, high) for image in row[: of.train]) for row, of in rows)
            columns.append(PictureColumn(heading, tuple(made)))
    return tuple(columns)
