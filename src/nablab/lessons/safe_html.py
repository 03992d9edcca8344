"""HTML and pictures out of a notebook, with what could run, or ask the network for something, left out.

What stays is what is on a list: elements and attributes that only show. The page's Content-Security-Policy
forbids the rest a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser

_TEXT = """
    a abbr b blockquote br caption code col colgroup dd details div dl dt em figcaption figure h1 h2 h3 h4 h5
    h6 hr i img li mark ol p pre s small span strong sub summary sup table tbody td tfoot th thead tr u ul
"""
_SVG = """
    svg g path rect circle ellipse line polyline polygon text tspan title desc defs use clippath
    lineargradient radialgradient stop marker symbol mask pattern image
"""
_MATH = """
    math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr
    mtd mstyle mpadded mphantom menclose
"""
ELEMENTS = frozenset(f"{_TEXT} {_SVG} {_MATH}".split())

#: Elements whose inside is no text either.
_WITH_CONTENT = frozenset(
    ("script", "style", "iframe", "object", "noscript", "template", "textarea", "title")
)
_VOID = frozenset(("br", "col", "hr", "img"))

#: Attributes that name something to load, and what they may name: what is in the page.
_REFERENCES = frozenset(("href", "xlink:href", "src"))
_INSIDE = re.compile(r"#[\w.:-]*|data:image/(png|jpeg|gif|svg\+xml)[;,][^\s]*")
_NEVER = ("on", "form", "srcdoc", "srcset", "action", "ping", "background")
_NAME = re.compile(r"[a-z][a-z0-9:_-]*")
_LOADS = re.compile(r"url\(\s*['\"]?(?!#)|@import|image-set\(|expression\(|\\", re.IGNORECASE)


def safe_html(text: str) -> str:
    """An HTML fragment with only what shows: no scripts, handlers, forms, frames, styles or addresses.

    >>> safe_html('<p onclick="go()">a <b>b</b><script>go()</script></p>')
    '<p>a <b>b</b></p>'
    """
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return "".join([*cleaner.parts, *(f"</{name}>" for name in reversed(cleaner.open))])


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self._inside: list[str] = []  # elements that are left out with all in them

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._leaves_out(tag):
            self._inside.append(tag)
        elif not self._inside and tag in ELEMENTS:
            self.parts.append(f"<{tag}{''.join(_attributes(attrs))}>")
            if tag not in _VOID:
                self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<path/>`: in SVG an element without content, in HTML one that is not closed."""
        if not self._inside and tag in ELEMENTS:
            end = "" if tag in _VOID else f"</{tag}>"
            self.parts.append(f"<{tag}{''.join(_attributes(attrs))}>{end}")

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            if tag == self._inside[-1]:
                self._inside.pop()
        elif tag in self.open:
            while True:
                closed = self.open.pop()
                self.parts.append(f"</{closed}>")
                if closed == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(escape(data, quote=False))

    def _leaves_out(self, tag: str) -> bool:
        return tag in _WITH_CONTENT and not (tag == "title" and "svg" in self.open)


def _attributes(attributes: list[tuple[str, str | None]]) -> Iterator[str]:
    for name, value in attributes:
        value = value or ""
        if not _NAME.fullmatch(name) or name.startswith(_NEVER):
            continue
        fits = _INSIDE.fullmatch(value) if name in _REFERENCES else not _LOADS.search(value)
        if fits:
            yield f' {name}="{escape(value)}"'
