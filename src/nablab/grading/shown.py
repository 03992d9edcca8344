"""What nablab's own cells of a delivery show, held line by line against what the redone runs give.

A cell that calls `tables.costs(view)` is not run: the same table is made here, of the recomputed numbers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nablab.grading.notebook import Cell, Output, tree_of
from nablab.grading.outline import Place
from nablab.grading.texts import markdown_tables, quantities
from nablab.grading.truths import Truths
from nablab.grading.verdict import Finding, plain
from nablab.report import notebook_tables
from nablab.report.view_types import ComparisonView

#: The functions of `nablab.report.notebook_tables` that say what can be redone; the machine cannot.
_TABLES = (
    "answer", "data", "facts", "recipe", "costs", "accuracies", "by_class", "training_time", "verdicts"
)  # fmt: skip

#: How the column begins that says what a preset has: this version's, which nobody claims of a delivery.
PRESET = "preset "

#: A text in a table that says which model is better; others are names and words.
VERDICTS = ("better", "worse", "tie", "undecided")


@dataclass(frozen=True)
class Compared:
    """What holding some text against what it should be came to."""

    numbers: int  #: that were looked at
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    rest: tuple[Output, ...] = ()  #: what else the cell shows, or words otherwise: to be read as anybody's


@dataclass(frozen=True)
class Call:
    """A call of one of nablab's functions in a cell, with its literal arguments."""

    name: str
    arguments: tuple[Any, ...]  #: literals; None for anything else


def calls_of(cell: Cell, module: str) -> tuple[Call, ...]:
    """The calls `module.name(...)` in a code cell, in the order of its text."""
    tree = tree_of(cell)
    if tree is None:
        return ()
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == module
    ]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return tuple(
        Call(
            call.func.attr,  # type: ignore[attr-defined]
            tuple(one.value if isinstance(one, ast.Constant) else None for one in call.args),
        )
        for call in calls
    )


def expected(call: Call, place: Place, truths: Truths) -> str | None:
    """The text that a call of `tables` gives for the redone runs; None where that is not known."""
    view = truths.view
    if call.name not in _TABLES:
        return None
    make: Callable[..., str] = getattr(notebook_tables, call.name)
    if call.name == "by_class":
        known = {section.label for section in view.sections}
        return make(view, view.section(place.model)) if place.model in known else None
    if call.name in ("accuracies", "verdicts"):
        fraction = _fraction(call, view)
        return None if fraction is None else make(view, fraction)
    return make(view)


def _fraction(call: Call, view: ComparisonView) -> float | None:
    value = call.arguments[1] if len(call.arguments) > 1 else None
    return next((f for f in view.fractions if f == value), None)


def check_shown(place: Place, truths: Truths) -> Compared | None:
    """Hold the outputs of a cell of nablab's against what they should be; None for other cells.

    Another version may have worded a line, or a text in a table, otherwise: that is no finding. Nor are
    tables with other columns, or more of them than calls: a note says so, and they are read as anybody's.
    """
    calls = calls_of(place.cell, "tables")
    wanted = [(call, text) for call in calls if (text := expected(call, place, truths)) is not None]
    given = [output for output in place.cell.outputs if "text/markdown" in output.texts]
    if not wanted or not given:
        return None
    pairs = _pairs(wanted, given) if len(wanted) == len(calls) else []
    numbers, findings, unknown = 0, [], []
    for call, text, output in pairs:
        said = output.texts["text/markdown"]
        numbers += len(quantities(said))
        for line in _cells_apart(text, said):
            findings.append(Finding("number", place.cell.where, f"tables.{call.name}: {line}"))
        for line in _lines(said):
            alike = [truth for truth in _lines(text) if _words(truth) == _words(line)]
            if not alike:
                unknown.append(line)
            elif not any(_agree(truth, line) for truth in alike):
                message = (
                    f"tables.{call.name}: says {plain(line, 120)!r}; recomputed {plain(alike[0], 120)!r}"
                )
                findings.append(Finding("number", place.cell.where, message))
    matched = [output for *_, output in pairs]
    rest = [output for output in place.cell.outputs if not any(output is one for one in matched)]
    rest += [Output("stream", {"text/plain": "\n\n".join(unknown)})] if unknown else []
    lost = ", ".join(f"tables.{call.name}" for call, _ in wanted if call not in [one for one, *_ in pairs])
    note = f"{place.cell.where}: not told apart, and so read as anybody's tables: what {lost} shows"
    return Compared(numbers, tuple(findings), (note,) if lost else (), tuple(rest))


def _pairs(wanted: Sequence[tuple[Call, str]], given: Sequence[Output]) -> list[tuple[Call, str, Output]]:
    """Calls, their texts, and what they put out: where as many have the same columns, in their order."""
    pairs: list[tuple[Call, str, Output]] = []
    for columns in dict.fromkeys(_columns(text) for _, text in wanted):
        calls = [(call, text) for call, text in wanted if _columns(text) == columns]
        outputs = [one for one in given if _columns(one.texts["text/markdown"]) == columns]
        if len(calls) == len(outputs):
            pairs += [(*call, output) for call, output in zip(calls, outputs, strict=True)]
    return pairs


def _columns(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(table.headers for table in markdown_tables(text))


def _cells_apart(truth: str, said: str) -> Iterator[str]:
    """Where tables with the same columns differ, by row and column."""
    for one, other in zip(markdown_tables(truth), markdown_tables(said), strict=True):
        rows = {row[0]: row for row in one.rows if row}
        for row in other.rows:
            wanted = rows.pop(row[0], None) if row else None
            if wanted is None:
                yield f"a row {plain(row[0] if row else '', 60)!r} that the records do not give"
                continue
            for header, a, b in zip(one.headers, wanted, row, strict=False):
                if not header.startswith(PRESET) and not _agree(a, b):
                    what = f"{plain(row[0], 60)}, {header or 'value'}"
                    yield f"{what}: {plain(b, 60)}; recomputed {plain(a, 60)}"
        for missing in rows:
            yield f"the row {plain(missing, 60)!r} is missing"


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and "|" not in line]


def _words(line: str) -> str:
    return re.sub(r"[\d.,+±-]+", "#", line)


def _agree(truth: str, said: str) -> bool:
    """Whether two texts say the same: the same numbers, as far as their digits go, and the same verdict."""
    if "".join(truth.split()) == "".join(said.split()):
        return True
    if truth in VERDICTS:
        return False
    ours, theirs = quantities(truth), quantities(said)
    if not ours and re.search(r"\d", truth + said):
        return False  # a fingerprint, a version, a name: digits that are no number
    return len(ours) == len(theirs) and all(
        a.unit == b.unit and (a.means(b.value) or b.means(a.value)) for a, b in zip(ours, theirs, strict=True)
    )
