"""Executed notebooks as pages, and formulas as MathML: with the renderers that nablab's own pages use.

A notebook becomes MyST Markdown (texts as they are, code as fences, outputs as HTML) and is read as such; so
headings, links and search work as on every other page, and nothing is run or fetched.
"""

from __future__ import annotations

import re
from typing import Any

import nbformat
from docutils import nodes
from myst_parser.sphinx_ import Parser

from nablab.lessons.mathematics import mathml
from nablab.lessons.outputs import outputs_html
from nablab.lessons.page import FOLDED

SETTINGS = '---\nmyst:\n  enable_extensions: ["dollarmath", "deflist"]\n---\n'


class NotebookParser(Parser):
    """Reads `.ipynb`."""

    supported = ("ipynb",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Add the notebook's cells to the document."""
        notebook = nbformat.reads(inputstring, as_version=nbformat.NO_CONVERT)
        name = f"{document.settings.env.docname.rpartition('/')[2]}.ipynb"
        super().parse(as_markdown(notebook, name), document)


def as_markdown(notebook: Any, name: str) -> str:
    """The notebook as MyST Markdown, with a link to the file `name` below its title."""
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            code = _fenced("python", cell.source)
            parts.append(_folded(code) if FOLDED in cell.metadata.get("tags", ()) else code)
            shown = outputs_html(cell)
            if shown:
                parts.append(_fenced("{raw} html", f'<div class="outputs">\n{shown}\n</div>'))
    parts.insert(1, f"{{download}}`{name} <{name}>` is this page as a notebook.")
    return SETTINGS + "\n\n".join(parts) + "\n"


def _folded(code: str) -> str:
    opening = _fenced("{raw} html", "<details><summary>The code that draws this</summary>")
    return "\n\n".join([opening, code, _fenced("{raw} html", "</details>")])


def _fenced(language: str, text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def inline_math(self: Any, node: nodes.math) -> None:
    """A formula in a line of text."""
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block_math(self: Any, node: nodes.math_block) -> None:
    """A formula on a line of its own."""
    self.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_source_suffix(".ipynb", "ipynb")
    app.add_source_parser(NotebookParser)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    return {"parallel_read_safe": True}
