"""A leader board as text for other programs: CSV with every digit, Markdown."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from typing import Any

from nablab.report.columns_board import board_columns, board_explanation
from nablab.report.tables import markdown_table, markdown_text
from nablab.report.view_board import BoardRow, BoardView


def board_csv(view: BoardView) -> str:
    """One row a method, one column a number, nothing rounded; several values by semicolons.

    Accuracies in [0, 1], times in seconds, sizes in bytes. Empty: not measured, or without meaning.
    `timed_alike` says whose times may be held against each other.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(BoardRow)])
    for row in view.rows:
        writer.writerow([_cell(getattr(row, field.name)) for field in fields(BoardRow)])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return ";".join(map(str, value)) if isinstance(value, tuple) else value


def board_markdown(view: BoardView) -> str:
    """Title, answer, table and notes for GitHub's kind of Markdown."""
    shown = board_columns(view)
    table = markdown_table(
        [column.header for column in shown],
        list(zip(*(column.texts for column in shown), strict=True)),
        left=[not column.numeric for column in shown],
    )
    notes = [f"- {markdown_text(note)}" for note in (*view.notes, board_explanation(view))]
    title = f"## {markdown_text(view.title)}"
    return "\n".join([title, "", markdown_text(view.headline), "", table, "", *notes]) + "\n"


def board_document(view: BoardView) -> dict[str, Any]:
    """The board as plain data, as `--json` prints it."""
    return {
        "title": view.title,
        "headline": view.headline,
        "notes": list(view.notes),
        "data": {
            "name": view.name,
            "fingerprint": view.fingerprint,
            "exam": view.exam,
            "n_test": view.n_test,
        },
        "clock": view.clock,
        "methods": [asdict(row) for row in view.rows],
        "fronts": {cost: list(labels) for cost, labels in view.fronts.items()},
    }
