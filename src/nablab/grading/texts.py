"""Tables and numbers in the texts that cells show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

#: Rows and columns of one table that are read, and characters of a text and of a table's line.
_MOST_ROWS, _MOST_COLUMNS = 2000, 200
LONGEST, _LONGEST_LINE = 100_000, 5_000


@dataclass(frozen=True)
class Table:
    """Texts in rows; `title` is what stands right above."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True)
class Quantity:
    """A number as it is written.

    Attributes:
        value: in base units: per cent as a share, `431 k` as 431,000, times in seconds, bytes.
        half: half a unit of its last digit, in the same units: what rounding explains.
        unit: `%`, `s`, `B` or empty.
        text: as written.
        start: where in the text.
    """

    value: float
    half: float
    unit: str
    text: str
    start: int = 0

    def means(self, truth: float) -> bool:
        """Whether rounding `truth` to these digits gives this number."""
        return abs(self.value - truth) <= self.half * (1 + 1e-6) + 1e-12 * abs(truth)


_SCALES: dict[str, tuple[float, str]] = {
    "%": (0.01, "%"), "per cent": (0.01, "%"), "percent": (0.01, "%"),
    "k": (1e3, ""), "K": (1e3, ""), "thousand": (1e3, ""), "M": (1e6, ""), "million": (1e6, ""),
    "G": (1e9, ""), "billion": (1e9, ""),
    "µs": (1e-6, "s"), "us": (1e-6, "s"), "ms": (1e-3, "s"), "s": (1.0, "s"), "sec": (1.0, "s"),
    "second": (1.0, "s"), "seconds": (1.0, "s"), "min": (60.0, "s"), "minutes": (60.0, "s"),
    "minute": (60.0, "s"), "h": (3600.0, "s"), "hours": (3600.0, "s"),
    "B": (1.0, "B"), "kB": (1e3, "B"), "KB": (1e3, "B"), "MB": (1e6, "B"), "GB": (1e9, "B"),
}  # fmt: skip

_UNITS = "|".join(re.escape(unit) for unit in sorted(_SCALES, key=len, reverse=True))

#: `7 510 parameters`, and with a space that does not break, which nothing else is written with.
_SPACED = re.compile(
    r"(?<![\w.,])(\d{1,3})((?:[\u00a0\u2009\u202f]\d{3})+)(?![\w])"
    r"|(?<![\w.,])(\d{1,3})((?: \d{3})+)(?=\s*(?:\w+\s+)?(?:param|weights|macs?\b|flops?\b|mult))",
    re.IGNORECASE,
)

#: Numbers end where they end (`1.5.` ends a sentence), and names such as `relu6` or `lenet-5` hold none.
_NUMBER = re.compile(
    r"(?<![\w.,])(?<![A-Za-z]-)(?P<sign>[-+−]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<rest>\.\d+)?"
    rf"(?P<exponent>[eE][-+]?\d{{1,3}})?(?:[ \u00a0\u2009\u202f\\]*(?P<unit>{_UNITS})(?![A-Za-z]))?(?!\w)"
)
_MIXED = re.compile(r"(?<![\w.,])(?P<a>\d+) (?P<A>min|h) (?P<b>\d{2}) (?P<B>s|min)(?!\w)")


def quantities(text: str) -> list[Quantity]:
    """The numbers in a text, with their units, in their order.

    >>> [(q.value, q.half, q.unit) for q in quantities("91.2 ± 0.3 % of 7,510, in 2 min 05 s")]
    [(0.912, 0.0005, '%'), (0.003, 0.0005, '%'), (7510.0, 0.5, ''), (125.0, 0.5, 's')]
    """
    spread = _SPACED.sub(lambda found: re.sub(r"\s", ",", found[0]), with_units(text[:LONGEST]))
    found_here: list[Quantity] = []
    taken: set[int] = set()
    for found in _MIXED.finditer(spread):
        big, small = (60.0, 1.0) if found["A"] == "min" else (3600.0, 60.0)
        taken.update(range(*found.span()))
        value = big * int(found["a"]) + small * int(found["b"])
        found_here.append(Quantity(value, small / 2, "s", found[0], found.start()))
    for found in _NUMBER.finditer(spread):
        if found.start() not in taken:
            found_here.append(_quantity(found))
    return sorted(found_here, key=lambda quantity: quantity.start)


def with_units(text: str) -> str:
    """A text whose `91.2 ± 0.3 %` says the unit twice, so that each number has its own.

    >>> with_units("91.2 ± 0.3 % of it")
    '91.2 % ±0.3 % of it'
    """
    return re.sub(r"(\d) ?(?:±|\+/-) ?(\d[\d.]*) ?\\?%", r"\1 % ±\2 %", text)


def _quantity(found: re.Match[str]) -> Quantity:
    digits, exponent = found["rest"] or "", found["exponent"] or ""
    scale, unit = _SCALES.get(found["unit"] or "", (1.0, ""))
    number = float(f"{found['whole'].replace(',', '')}{digits}{exponent}") * scale
    places = max(0, len(digits) - 1)
    half = min(float(f"0.5e{int(exponent[1:] or 0) - places}"), 1e300) * scale
    value = -number if found["sign"] in ("-", "−") else number
    return Quantity(round(value, 15), half, unit, found[0].strip(), found.start())


def markdown_tables(text: str) -> Iterator[Table]:
    """The pipe tables of a Markdown text."""
    lines = text.splitlines()
    place = 0
    while place + 1 < len(lines):
        if not ("|" in lines[place] and _is_rule(lines[place + 1])):
            place += 1
            continue
        headers, start = _cells(lines[place]), place
        place += 2
        rows: list[tuple[str, ...]] = []
        while place < len(lines) and "|" in lines[place] and len(rows) < _MOST_ROWS:
            rows.append(_cells(lines[place]))
            place += 1
        above = next((at for at in range(start - 1, -1, -1) if lines[at].strip()), None)
        yield Table(headers, tuple(rows), "" if above is None else plain_markdown(lines[above]))


def _is_rule(line: str) -> bool:
    """Whether a line separates the head of a table from its body."""
    return len(line) <= _LONGEST_LINE and "-" in line and not line.strip("-|: \t")


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return tuple(plain_markdown(cell) for cell in re.split(r"(?<!\\)\|", inner)[:_MOST_COLUMNS])


def plain_markdown(text: str) -> str:
    """A Markdown text without its marks.

    >>> plain_markdown("**my\\\\_net** and `lenet`")
    'my_net and lenet'
    """
    bare = re.sub(r"(?<!\\)(\*\*|__|\*|`)", "", text)
    return re.sub(r"\\([\\`*_<>\[\]|$~#])", r"\1", bare).strip()


class _TableParser(HTMLParser):
    """Collects the tables of a page as texts; nothing in it is loaded or run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[tuple[list[list[str]], str]] = []
        self.words: list[str] = []
        self._cell: list[str] | None = None
        self._caption: list[str] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("style", "script"):
            self._silent += 1
        if tag in ("table", "tr", "td", "th"):
            self._end_cell()  # its end may be left out
        if tag == "table":
            self.tables.append(([], ""))
        elif tag == "tr" and self.tables:
            self.tables[-1][0].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1][0]:
            self._cell = []
        elif tag == "caption" and self.tables:
            self._caption = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._silent = max(0, self._silent - 1)
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        elif tag == "caption" and self._caption is not None:
            self.tables[-1] = (self.tables[-1][0], " ".join("".join(self._caption).split()))
            self._caption = None

    def _end_cell(self) -> None:
        if self._cell is not None:
            self.tables[-1][0][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        for place in (self._cell, self._caption):
            if place is not None:
                place.append(data)
                return
        self.words.append(data)


def html_tables(text: str) -> tuple[Table, ...]:
    """The tables of an HTML text, their first row as headers."""
    parser = _parsed(text)
    return tuple(
        Table(tuple(rows[0][:_MOST_COLUMNS]), tuple(map(tuple, rows[1 : _MOST_ROWS + 1])), caption)
        for rows, caption in parser.tables
        if rows
    )


def html_words(text: str) -> str:
    """What an HTML text says outside of its tables."""
    return " ".join(" ".join(_parsed(text).words).split())


class _ProseParser(HTMLParser):
    """Collects what a page says in sentences: no tables, drawings, headings, and nothing struck out."""

    _SILENT = ("style", "script", "title", "table", "svg", "del", "s", "h1", "h2", "h3", "h4", "h5", "h6")
    _INLINE = ("a", "b", "code", "em", "font", "i", "mark", "small", "span", "strong", "tt", "u")
    _RAISED = ("sub", "sup", "math")  #: `10<sup>3</sup>` is not 103

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs = [""]
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._silent += tag in self._SILENT
        if tag in self._RAISED:
            self.paragraphs[-1] += "\0"
        elif tag not in self._INLINE:
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in self._SILENT))
        if tag not in self._INLINE + self._RAISED:
            self.paragraphs.append("")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.paragraphs[-1] += data


def html_paragraphs(text: str) -> tuple[str, ...]:
    """What an HTML text says outside of tables, drawings and headings; nothing of what has raised digits.

    >>> html_paragraphs("<p>The <b>mlp</b>\\n has 1&nbsp;%</p><p>10<sup>3</sup></p><h1>A</h1>b")
    ('The mlp has 1\\xa0%', 'b')
    """
    parser = _ProseParser()
    parser.feed(text[:LONGEST])
    parser.close()
    bare = [re.sub(r"[ \t\r\n]+", " ", paragraph).strip(" ") for paragraph in parser.paragraphs]
    return tuple(paragraph for paragraph in bare if paragraph and "\0" not in paragraph)


def _parsed(text: str) -> _TableParser:
    parser = _TableParser()
    parser.feed(text)
    parser.close()
    return parser
