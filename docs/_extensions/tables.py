"""The directive `nablab-table`: tables of the guide, read from the package when the guide is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def presets() -> Table:
    """Every field of the recipe with its value in each preset."""
    from nablab.training.recipe import PRESETS, Recipe

    values = {name: recipe.to_dict() for name, recipe in PRESETS.items()}
    rows = [
        (field.name, *(str(value[field.name]) or "(none)" for value in values.values()))
        for field in fields(Recipe)
    ]
    return ("", *values), rows


def catalog() -> Table:
    """Every named network with its costs."""
    from nablab.models.catalog import CATALOG
    from nablab.models.cost import count
    from nablab.models.shapes import trace

    rows = []
    for entry in CATALOG.values():
        cost = count(trace(entry.spec, (1, 28, 28), 10))
        rows.append((entry.name, entry.text, f"{cost.parameters:,}", f"{cost.macs:,}", entry.note))
    return ("name", "layers", "parameters", "MACs", "what it is"), rows


def estimators() -> Table:
    """Every scikit-learn estimator with its settings."""
    from nablab.models.estimators import ESTIMATORS

    rows = [(entry.name, entry.title, entry.detail) for entry in ESTIMATORS.values()]
    return ("name", "what it is", "settings"), rows


def sources() -> Table:
    """Every data set that has a name."""
    from nablab.data.sources import SOURCES

    rows = [(source.name, source.description, source.licence) for source in SOURCES.values()]
    return ("name", "what is in it", "licence"), rows


TABLES: dict[str, Callable[[], Table]] = {
    "presets": presets,
    "catalog": catalog,
    "estimators": estimators,
    "sources": sources,
}
CODE = {"layers", "name", ""}


class NablabTable(Directive):
    """`{nablab-table} catalog`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table as document nodes."""
        headings, rows = TABLES[self.arguments[0]]()
        group = nodes.tgroup(cols=len(headings))
        group += [nodes.colspec(colwidth=1) for _ in headings]
        group += nodes.thead("", _row(headings, set()))
        code = {position for position, heading in enumerate(headings) if heading in CODE}
        group += nodes.tbody("", *(_row(row, code) for row in rows))
        return [nodes.table("", group)]


def _row(texts: Sequence[str], code: set[int]) -> nodes.row:
    cells = []
    for position, text in enumerate(texts):
        inside: Any = nodes.literal("", text) if position in code and text else nodes.Text(text)
        cells.append(nodes.entry("", nodes.paragraph("", "", inside)))
    return nodes.row("", *cells)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("nablab-table", NablabTable)
    return {"parallel_read_safe": True}
