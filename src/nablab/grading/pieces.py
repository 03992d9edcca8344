"""The pieces that a delivery has to have, and in which cell each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nablab.grading.notebook import Cell
from nablab.grading.outline import Names, Place
from nablab.grading.shown import calls_of
from nablab.grading.texts import Table, html_tables, markdown_tables
from nablab.grading.truths import Truths

#: Where a piece is, by model: `cell 31, In [18]`; models without it are not in here.
Where = Mapping[str, str]


@dataclass(frozen=True)
class Pieces:
    """What is there, by model, and where."""

    networks: Where  #: layer table, printed module, its code; estimators by their name
    graphs: Where
    curves: Where  #: of training and test
    matrices: Where
    costs: Where  #: a row with parameters, MACs or FLOPs, and a time
    accuracies: Where  #: a row in a table of accuracies
    together: str  #: all models in one plot of curves; empty for none


def find_pieces(places: Sequence[Place], truths: Truths, names: Names) -> Pieces:
    """Look for every piece in every cell.

    nablab's own cells are known by what they call; others by the words in their code and headings, and by
    what they put out.
    """
    found: dict[str, dict[str, str]] = {kind: {} for kind in _PER_MODEL}
    together = ""
    for place in places:
        for kind, models in _of_cell(place, truths, names):
            if kind == "together":
                together = together or place.cell.where
            else:
                for model in models:
                    found[kind].setdefault(model, place.cell.where)
    return Pieces(**found, together=together)


_PER_MODEL = ("networks", "graphs", "curves", "matrices", "costs", "accuracies")

_MODULE = re.compile(r"\b(Linear|Conv2d|BatchNorm2d|_Linear|_Conv2d)\(|\(0\): ")
#: Characters of one text that are searched.
_LONGEST = 20_000
_CLASS = re.compile(r"\bclass\s+\w+\s*\([^()\n]*\bModule\b[^()\n]*\)\s*:")


def _of_cell(place: Place, truths: Truths, names: Names) -> Iterable[tuple[str, tuple[str, ...]]]:
    cell, models = place.cell, _models(place, names)
    if cell.kind == "markdown":
        estimators = {section.label for section in truths.view.sections if section.kind == "estimator"}
        if place.model in estimators:
            yield "networks", (place.model,)
    yield from _of_tables(cell, names)
    if cell.kind != "code":
        return
    if models and _shows_network(cell):
        yield "networks", models
    if any("image/svg+xml" in output.texts for output in cell.outputs) and models:
        yield "graphs", models
    drawn = sum(output.drawn for output in cell.outputs)
    if not drawn:
        return
    calls = {call.name for call in calls_of(cell, "plots")}
    words = " ".join((cell.source, *place.headings)).lower()
    everyone = models or (names.labels if drawn >= len(names.labels) else ())
    if "all_curves_figure" in calls or ("curve" in words and not models and not calls):
        yield "together", ()
    if "confusion_figure" in calls or ("confusion" in words and not calls):
        yield "matrices", everyone
    both = "train" in cell.source.lower() and "test" in cell.source.lower()
    if "curves_figure" in calls or (not calls and both and re.search("loss|acc", words)):
        yield "curves", tuple(model for model in everyone if _has_both(model, truths))
    if not calls and re.search(r"graph|torchviz|svg", cell.source.lower()):
        yield "graphs", models


def _models(place: Place, names: Names) -> tuple[str, ...]:
    """Those that the cell's own text names, else the one it is about."""
    named = tuple(dict.fromkeys(label for _, _, label in names.found(place.cell.source)))
    quoted = tuple(
        model for model in named if re.search(rf"""["'`]{re.escape(model)}["'`]""", place.cell.source)
    )
    return quoted or ((place.model,) if place.model else ())


def _shows_network(cell: Cell) -> bool:
    if _CLASS.search(cell.source[:_LONGEST]):
        return True
    for output in cell.outputs:
        tables = html_tables(output.texts.get("text/html", ""))
        if any({"layer", "parameters"} <= {header.lower() for header in table.headers} for table in tables):
            return True
        text = output.texts.get("text/plain", "")[:_LONGEST]
        if _MODULE.search(text) or _CLASS.search(text):
            return True
    return False


def _has_both(model: str, truths: Truths) -> bool:
    """Whether the records hold what a curve of training and of test is drawn from."""
    runs = truths.results.done(model)
    return any(
        line.test_loss is not None and (line.train_loss is not None or line.running_loss is not None)
        for run in runs
        for line in run.metrics
    )


def _of_tables(cell: Cell, names: Names) -> Iterable[tuple[str, tuple[str, ...]]]:
    texts = [cell.source] if cell.kind == "markdown" else []
    texts += [output.texts.get("text/markdown", "") for output in cell.outputs]
    tables = [table for text in texts for table in markdown_tables(text)]
    tables += [t for output in cell.outputs for t in html_tables(output.texts.get("text/html", ""))]
    for table in tables:
        headers = " | ".join(table.headers).lower()
        timed = re.search(r"time|training|wall|seconds|elapsed|image", headers)
        if "param" in headers and re.search(r"mac|flop", headers) and timed:
            yield "costs", _rows(table, names)
        if "acc" in headers or re.search(r"\d ?%", headers):
            yield "accuracies", _rows(table, names)


def _rows(table: Table, names: Names) -> tuple[str, ...]:
    return tuple(label for row in table.rows if row and (label := names.only(row[0])))
