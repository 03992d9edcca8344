"""Published figures beside ours, as lines of text, as CSV, and as a page with its records."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.analysis.published import RECIPES
from nablab.analysis.reproduction import LEVEL, Reproduced, Standing
from nablab.report.tables import markdown_table, markdown_text
from nablab.report.view_context import environment_values
from nablab.report.words import NOTHING, count, percent, plus_minus, seconds, share, unbroken

HEADERS = ("row", "data", "theirs", "ours", "n", "theirs lies", "their time", "our training", "remark")
#: Those that are words.
LEFT = frozenset({"row", "remark"})

PAGE, TABLE, RECORDS = "index.md", "table.csv", "records.jsonl"

_SUMMARIES: dict[Standing, str] = {
    "within": "within the spread of ours",
    "above": "below it",
    "below": "above it",
    "open": "cannot be judged by one seed",
}
_STANDINGS = {"within": "within ours", "above": "below ours", "below": "above ours", "open": "?"}


def texts(one: Reproduced) -> tuple[str, ...]:
    """A line of the table, in the order of `HEADERS`."""
    figure = one.figure
    return (
        one.row.title,
        share(figure.fraction),
        percent(figure.accuracy, figure.digits - 2),
        plus_minus(one.accuracy, one.deviation) if one.runs else NOTHING,
        str(len(one.runs)) if one.runs else NOTHING,
        _STANDINGS[one.standing] if one.runs else NOTHING,
        seconds(figure.seconds),
        seconds(one.train_seconds),
        one.reason or ("our guess of the model" if one.row.guess else ""),
    )


def conventions(rows: Sequence[Reproduced]) -> tuple[str, ...]:
    """What the columns mean, and which models are guesses."""
    lines = [
        "theirs: one run each; ours: mean ± standard deviation over n seeds. within ours: where "
        f"{share(LEVEL)} of further runs of ours would lie (Student's t over seeds; for figures on a part "
        "of the test images, the chance of that part too). ?: one seed says nothing about chance.",
        "Times are not to be held against each other: theirs are of other machines, some with testing.",
    ]
    guesses = {one.row.title: one.row.guess for one in rows if one.row.guess and one.runs}
    lines += [f"{title}: {guess}." for title, guess in guesses.items()]
    return tuple(lines)


def values(one: Reproduced) -> dict[str, Any]:
    """One figure as plain data, nothing rounded; accuracies in [0, 1], times in seconds."""
    record = one.runs[0].record if one.runs else None
    return {
        "row": one.row.name,
        "title": one.row.title,
        "detail": one.row.detail,
        "source": one.row.source,
        "reference": one.row.reference,
        "recipe": one.row.recipe,
        "fraction": one.figure.fraction,
        "published": one.figure.accuracy,
        "published_seconds": one.figure.seconds,
        "published_test_images": one.figure.test_images,
        "accuracy": one.accuracy,
        "deviation": one.deviation,
        "n": len(one.runs),
        "accuracies": list(one.accuracies),
        "low": one.low,
        "high": one.high,
        "standing": one.standing,
        "train_seconds": one.train_seconds,
        "parameters": record.model.parameters if record else None,
        "macs": record.model.macs if record else None,
        "reason": one.reason,
    }


def to_csv(rows: Sequence[Reproduced]) -> str:
    """One line a figure; several values by semicolons. Empty: not measured."""
    text = io.StringIO()
    lines = [values(one) for one in rows]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(line | {"accuracies": ";".join(map(repr, line["accuracies"]))} for line in lines)
    return text.getvalue()


def to_records(rows: Sequence[Reproduced]) -> str:
    """Every run's record in a line, without its layer table."""
    lines = []
    for run in (run for one in rows for run in one.runs):
        record = asdict(run.record)
        record["model"] = {k: v for k, v in record["model"].items() if k not in ("layers", "graph")}
        lines.append(json.dumps(record, ensure_ascii=False, allow_nan=False))
    return "".join(f"{line}\n" for line in lines)


def to_page(rows: Sequence[Reproduced], data: str) -> str:
    """The page: one table a source, then conventions, recipes, hardware and versions."""
    parts = [f"# Published figures on {data}, and ours", _summary(rows)]
    for source in dict.fromkeys(one.row.source for one in rows):
        lines = [texts(one) for one in rows if one.row.source == source]
        left = [header in LEFT for header in HEADERS]
        parts += [f"## {source[0].upper()}{source[1:]}", unbroken(markdown_table(HEADERS, lines, left))]
    parts += [markdown_text(line) for line in conventions(rows)]
    parts += ["## How ours were trained", *_recipes(rows), "## Where", *_environments(rows)]
    parts.append(
        "{download}`table.csv` has every figure in full, {download}`records.jsonl` the record of each run."
    )
    return "\n\n".join(parts) + "\n"


def write_pages(rows: Sequence[Reproduced], data: str, folder: Path) -> Path:
    """Write the page, the table and the records into a folder; returns the page's path.

    Raises:
        NablabError: they cannot be written.
    """
    atomic.write_text(folder / TABLE, to_csv(rows))
    atomic.write_text(folder / RECORDS, to_records(rows))
    atomic.write_text(folder / PAGE, to_page(rows, data))
    return folder / PAGE


def _summary(rows: Sequence[Reproduced]) -> str:
    """How many were tried, and how they stand."""
    tried = [one for one in rows if one.runs]
    standings = Counter(one.standing for one in tried)
    said = [f"{standings[standing]} {words}" for standing, words in _SUMMARIES.items() if standings[standing]]
    counted = f"{len(tried)} of {len(rows)} published figures were run again."
    return f"{counted} {', '.join(said)}." if said else counted


def _recipes(rows: Sequence[Reproduced]) -> list[str]:
    found = []
    for name in dict.fromkeys(one.row.recipe for one in rows if one.runs):
        of_it = [one for one in rows if one.runs and one.row.recipe == name]
        titles = ", ".join(dict.fromkeys(one.row.title for one in of_it))
        recipe = of_it[0].runs[0].record.recipe
        networks = any(one.runs[0].record.model.kind != "estimator" for one in of_it)
        epochs = f", {recipe['epochs']} epochs" if networks else ""
        published = RECIPES[name]
        changed = ", ".join(f"{key} = {value}" for key, value in published.changes.items() if key != "epochs")
        preset = f"preset {published.preset}{f' with {changed}' if changed else ''}{epochs}"
        found.append(markdown_text(f"{titles}: {preset}; {published.about}."))
    return found or ["Nothing was run."]


def _environments(rows: Sequence[Reproduced]) -> list[str]:
    counted = Counter(environment_values(run.record.environment) for one in rows for run in one.runs)
    return [
        markdown_text(f"{count(runs, 'run')}: {'; '.join(f'{name}: {value}' for name, value in found)}.")
        for found, runs in counted.most_common()
    ]
