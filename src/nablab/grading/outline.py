"""Where in a notebook one is: under which headings, and which model the cell is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nablab.grading.notebook import Cell, Notebook
from nablab.grading.texts import plain_markdown

#: Labels that are ordinary words: in a sentence they only count in backticks, as single letters do.
_WORDS = """
    network linear net model cnn tree forest baseline basic best better big classifier conv convolution deep
    deeper dropout fast final first second third large mine mini new old own plain regularised regularized
    residual simple slow small test tiny train wide wider
"""

#: Characters of one text that are searched for labels.
_LONGEST = 20_000

_SECTION = re.compile(r"""\.section\(\s*["']([^"']+)["']\s*\)""")


@dataclass(frozen=True)
class Place:
    """A cell, its headings from the outermost in, and the label of the model it is about (or empty)."""

    cell: Cell
    headings: tuple[str, ...]
    model: str


def outline(notebook: Notebook, labels: Sequence[str]) -> tuple[Place, ...]:
    """The places of all cells.

    A cell is about the model that a heading above it names, or that `view.section("...")` last asked for.
    """
    names = Names(labels)
    headings: list[tuple[int, str]] = []
    model, places = "", []
    for cell in notebook.cells:
        if cell.kind == "markdown":
            for level, text in headings_of(cell.source):
                headings = [(depth, title) for depth, title in headings if depth < level]
                headings.append((level, text))
                model = names.only(text)
        asked = [label for label in _SECTION.findall(cell.source) if label in labels]
        if cell.kind == "code" and asked:
            model = asked[-1]
        places.append(Place(cell, tuple(title for _, title in headings), model))
    return tuple(places)


def headings_of(source: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text with their levels; lines of code blocks are none.

    >>> headings_of("# A\\n\\n```\\n# no\\n```\\n## `b`")
    [(1, 'A'), (2, 'b')]
    """
    found, fenced = [], False
    for line in source.splitlines():
        fenced ^= line.lstrip().startswith("```")
        match = re.match(r"(#{1,6})\s+(.+)", line)
        if match and not fenced:
            found.append((len(match[1]), plain_markdown(match[2])))
    return found


class Names:
    """Finds models' labels in texts: `net_linear` also as `Net-Linear` or `net linear`, whole words only."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = tuple(labels)
        self._patterns = {label: _pattern(label) for label in sorted(self.labels, key=len, reverse=True)}

    def found(self, text: str) -> list[tuple[int, int, str]]:
        """Where labels stand: start, end, label; of overlapping ones the longest, in the text's order."""
        taken: list[tuple[int, int, str]] = []
        for label, pattern in self._patterns.items():
            for match in pattern.finditer(text[:_LONGEST]):
                if not any(start < match.end() and match.start() < end for start, end, _ in taken):
                    taken.append((match.start(), match.end(), label))
        return sorted(taken)

    def only(self, text: str) -> str:
        """The one label that a text names; empty for none or several."""
        labels = {label for _, _, label in self.found(f"`{text}`" if text in self.labels else text)}
        return labels.pop() if len(labels) == 1 else ""


def _pattern(label: str) -> re.Pattern[str]:
    parts = "[-_ ]?".join(re.escape(part) for part in re.split(r"[-_ ]+", label) if part) or re.escape(label)
    if label.lower() in _WORDS.split() or len(label) == 1:
        return re.compile(f"`{parts}`", re.IGNORECASE)
    return re.compile(rf"(?<![\w-]){parts}(?!\w|-\w)", re.IGNORECASE)
