"""What the cells of a notebook put out, as HTML: the richest form of each that a page can show by itself."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Any

from nablab.lessons.figures import EXACT, MIME, Figure
from nablab.lessons.markdown import Texts
from nablab.lessons.mathematics import mathml
from nablab.lessons.safe_html import safe_html

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def outputs_html(cell: Any) -> str:
    """All outputs of a code cell; empty where it has none."""
    return "\n".join(part for output in cell.get("outputs", ()) for part in _shown(output))


def _shown(output: Any) -> Iterator[str]:
    if output.output_type == "stream":
        yield _plain(output.text, output.name)
    elif output.output_type == "error":
        yield _plain("\n".join(output.traceback), "error")
    else:
        yield _richest(output.data)


def _richest(data: Any) -> str:
    if MIME in data:
        return figure_html(Figure(**data[MIME]))
    if "text/html" in data:
        return f'<div class="html scroll">{safe_html(_joined(data["text/html"]))}</div>'
    if "image/svg+xml" in data:
        # As a picture: its names are its own, and a browser neither runs nor loads anything for it.
        encoded = b64encode(_joined(data["image/svg+xml"]).encode()).decode()
        return _picture(f"data:image/svg+xml;base64,{encoded}", data)
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return _picture(f"data:{kind};base64,{''.join(_joined(data[kind]).split())}", data)
    if "text/markdown" in data:
        return f'<div class="html text scroll">{Texts().html(_joined(data["text/markdown"]))}</div>'
    if "text/latex" in data:
        return mathml(_joined(data["text/latex"]).strip().strip("$"), block=True)
    return _plain(_joined(data.get("text/plain", "")), "result")


def figure_html(figure: Figure) -> str:
    """A figure as a line: a mark, its row, what it is; what was found beside what was expected."""
    kind = "met" if figure.met else "unmet"
    said = f"<b>{escape(figure.row)}</b> {escape(figure.what)}"
    if figure.found:
        beside = [("expected", figure.expected), ("published", figure.published), ("on", figure.on)]
        beside = [(name, value) for name, value in beside if value not in ("", EXACT)]
        said += f": <output>{escape(figure.found)}</output>"
        said += "".join(f" <span>{name} {escape(value)}</span>" for name, value in beside)
    note = f" <small>{escape(figure.note)}</small>" if figure.note else ""
    return f'<p class="figure {kind}">{said}{note}</p>'


def _picture(address: str, data: Any) -> str:
    words = _joined(data.get("text/plain", ""))
    # What Python calls an object is no description of a picture.
    named = "" if words.startswith("<") or "\n" in words else words
    return f'<figure class="picture-of"><img src="{address}" alt="{escape(named or "figure")}"></figure>'


def _plain(text: str, kind: str) -> str:
    return f'<pre class="{escape(kind)}">{escape(_ANSI.sub("", text).rstrip())}</pre>'


def _joined(text: str | list[str]) -> str:
    """Files may hold a text as the list of its lines."""
    return text if isinstance(text, str) else "".join(text)
