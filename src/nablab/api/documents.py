"""Results as plain data: what `--json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nablab.api.comparison import Comparison
    from nablab.report.view import CellView, RowView


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The answer, a row a model, every verdict, the failures and the commands that repeat it."""
    view = comparison.view
    return {
        "folder": str(comparison.folder),
        "title": view.title,
        "headline": view.headline,
        "notes": list(view.notes),
        "data": {
            "name": view.data.name,
            "source": view.data.source,
            "fingerprint": view.data.fingerprint,
            "classes": list(view.data.classes),
            "n_test": view.data.n_test,
        },
        "models": [_row(row) for row in view.rows],
        "verdicts": [
            {"fraction": fraction, **asdict(pair)} for fraction, pairs in view.pairs.items() for pair in pairs
        ],
        "failures": [asdict(failure) for failure in view.failures],
        "repeat": list(view.repeat.commands),
    }


def _row(row: RowView) -> dict[str, Any]:
    return {
        "label": row.label,
        "detail": row.detail,
        "kind": row.kind,
        "parameters": row.parameters,
        "macs": row.macs,
        "flops": row.flops,
        "results": [_cell(cell) for cell in row.cells if cell is not None],
    }


def _cell(cell: CellView) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if name != "clock"}
