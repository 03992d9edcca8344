"""The columns of a leader board, as text: terminal and Markdown show the same ones."""

from __future__ import annotations

from nablab.report.columns import APART, Column
from nablab.report.view_board import BoardRow, BoardView
from nablab.report.words import NOTHING, bytes_, seconds, share, short

#: Follows a cost on whose Pareto front the method is.
ON_FRONT = "◆"

_SIGNS = {"better": "better", "worse": "worse", "tie": "tie", "undecided": "?", None: "?"}


def board_columns(view: BoardView) -> tuple[Column, ...]:
    """Rank, method, accuracy and verdict, then what it costs."""
    rows = view.rows
    return (
        Column("rank", tuple("?" if row.rank is None else str(row.rank) for row in rows), 11),
        Column("method", tuple(row.label for row in rows), 13, numeric=False, narrowest=20),
        Column("data", tuple(share(row.fraction) for row in rows), 6),
        Column("accuracy, %", tuple(_accuracy(row) for row in rows), 12),
        Column("n", tuple(str(row.n) for row in rows), 8),
        Column("to the leader", tuple(verdict_text(row) for row in rows), 10),
        Column("parameters", tuple(_marked(row, "parameters", short(row.parameters)) for row in rows), 9),
        Column("MACs", tuple(short(row.macs) for row in rows), 3),
        Column("training", tuple(_time(row, "train_seconds") for row in rows), 7),
        Column("1 image", tuple(_time(row, "predict_seconds_1") for row in rows), 4),
        Column("1 of 256", tuple(_time(row, "predict_seconds_256") for row in rows), 5),
        Column("size", tuple(bytes_(row.size_bytes) for row in rows), 2),
    )


def board_explanation(view: BoardView) -> str:
    """What the columns mean, in a few lines."""
    text = (
        "accuracy: of the test images, mean ± standard deviation over n seeds; to the leader: verdict and "
        "difference in points. MACs: one image forward; training: steps only, or a fit; 1 image, 1 of 256: "
        f"predicting an image alone, in a batch. {ON_FRONT} on the Pareto front of accuracy against it."
    )
    if any(row.is_timed and not row.timed_alike for row in view.rows):
        text += f" {APART} timed under other conditions: not to be compared."
    return text


def verdict_text(row: BoardRow) -> str:
    """How a method stands to the leader: `leads`, `worse −1.2`, `tie −0.1`, `? −3.0`."""
    if row.leads:
        return "leads"
    points = f"{100 * row.difference:+.1f}".replace("-", "\N{MINUS SIGN}")
    return f"{_SIGNS[row.verdict]} {points}"


def _accuracy(row: BoardRow) -> str:
    spread = "" if row.accuracy_sd is None else f" ± {100 * row.accuracy_sd:.1f}"
    return f"{100 * row.accuracy:.1f}{spread}"


def _time(row: BoardRow, cost: str) -> str:
    value = getattr(row, cost)
    if value is None:
        return NOTHING
    return _marked(row, cost, seconds(value) + ("" if row.timed_alike else APART))


def _marked(row: BoardRow, cost: str, text: str) -> str:
    return f"{text} {ON_FRONT}" if cost in row.fronts else text
