"""The texts of a lab as HTML: Markdown, with mathematics as MathML and headings that can be linked to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from nablab.lessons.mathematics import mathml
from nablab.lessons.safe_html import safe_html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

#: A heading ends in the rows that it is about: `What backward() walks · A2`.
_ROWS = re.compile(r"\s+·\s+((?:[A-E]\d+b?(?:,\s+|\s+and\s+|\s+to\s+)?)+)$")

#: The same written as HTML: `<small>· B1</small>`.
_SMALL_ROWS = re.compile(r"^(#+ .*?)\s*<small>\s*·\s*([^<]*?)\s*</small>\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Heading:
    """A heading: its level from 1, its text, the rows that it is about, and the name to link to it by."""

    level: int
    text: str
    rows: str
    name: str


@dataclass
class Texts:
    """The Markdown cells of one page, whose headings all have names of their own."""

    headings: list[Heading] = field(default_factory=list)

    def html(self, markdown: str) -> str:
        """A cell as HTML, without anything that runs or loads.

        Raises:
            NablabError: a formula in it is not understood.
        """
        parser = _parser()
        tokens = parser.parse(_SMALL_ROWS.sub(r"\1 · \2", markdown))
        for position, token in enumerate(tokens):
            if token.type == "heading_open":
                heading = self._heading(int(token.tag[1:]), tokens[position + 1])
                token.attrSet("id", heading.name)
        return safe_html(parser.renderer.render(tokens, parser.options, {}))

    def _heading(self, level: int, inline: Any) -> Heading:
        """Take a heading into the list; what it says of rows becomes a small text at its end."""
        rows = ""
        last = inline.children[-1] if inline.children else None
        found = _ROWS.search(last.content) if last is not None and last.type == "text" else None
        if last is not None and found is not None:
            rows = found[1].strip()
            last.content = last.content[: found.start()]
            small = type(last)("html_inline", "", 0)
            small.content = f' <small class="rows">{escape(rows)}</small>'
            inline.children.append(small)
        text = "".join(child.content for child in inline.children if child.type != "html_inline").strip()
        heading = Heading(level, text, rows, self._name(text))
        self.headings.append(heading)
        return heading

    def _name(self, text: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
        taken = {heading.name for heading in self.headings}
        candidates = (slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 2)))
        return next(name for name in candidates if name not in taken)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    def formula(latex: str, options: dict[str, Any]) -> str:
        return mathml(latex, block=bool(options["display_mode"]))

    parser = MarkdownIt("commonmark", {"html": True, "highlight": _highlighted})
    parser.enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, allow_labels=False, double_inline=True, renderer=formula)


def _highlighted(code: str, language: str, _: str) -> str:
    return code_html(code) if language in ("py", "python") else ""


def code_html(code: str) -> str:
    """Python, its words marked by kind: pygments' classes, coloured by the page."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    made: str = highlight(code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return made.rstrip("\n")
