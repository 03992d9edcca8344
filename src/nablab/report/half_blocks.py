"""Pictures in a terminal: two pixels a character, the upper as its colour and the lower as its background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from nablab.report.mosaic import RGBA

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement
    from rich.style import Style

Pixel = tuple[int, int, int] | None  #: None: what is behind is seen

_UPPER, _LOWER = "▀", "▄"


def can_show(console: Console) -> bool:
    """Whether pictures can be seen there: 256 colours or more, and characters beyond ASCII."""
    colours = console.color_system in ("256", "truecolor") and not console.no_color
    return colours and console.encoding.lower().startswith("utf")


@dataclass(frozen=True, eq=False)
class HalfBlocks:
    """A picture that `rich` prints, as many characters wide as it has columns, half as many lines high."""

    picture: RGBA

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        width = self.picture.shape[1]
        return Measurement(width, width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        rows = [[_pixel(values) for values in row] for row in self.picture.tolist()]
        rows += [[None] * self.picture.shape[1]] * (len(rows) % 2)
        for upper, lower in zip(rows[::2], rows[1::2], strict=True):
            for above, below in zip(upper[: options.max_width], lower[: options.max_width], strict=True):
                text, style = _character(above, below)
                yield Segment(text, style)
            yield Segment.line()


def _pixel(values: list[int]) -> Pixel:
    red, green, blue, opacity = values
    return (red, green, blue) if opacity else None


@lru_cache(maxsize=2**16)
def _character(above: Pixel, below: Pixel) -> tuple[str, Style | None]:
    from rich.color import Color
    from rich.style import Style

    if above is None and below is None:
        return " ", None
    if above is None:
        assert below is not None
        return _LOWER, Style(color=Color.from_rgb(*below))
    if below is None:
        return _UPPER, Style(color=Color.from_rgb(*above))
    return _UPPER, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
