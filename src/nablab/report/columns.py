"""The columns of the table, as text: terminal, Markdown and LaTeX show the same ones."""

from __future__ import annotations

from dataclasses import dataclass

from nablab.report.view_types import CellView, ComparisonView, RowView
from nablab.report.words import NOTHING, bytes_, seconds, share, short

#: Follows a time that was taken under other conditions than most, and must not be held against them.
APART = "*"

#: Follows a mean that some of its seeds are missing from.
INCOMPLETE = "†"


@dataclass(frozen=True)
class Column:
    """One column, a text for each row of the view."""

    header: str
    texts: tuple[str, ...]
    keep: int  #: the larger, the longer it stays when room ends
    numeric: bool = True
    narrowest: int | None = None  #: characters that its texts may be cut to; None: not at all


def columns(view: ComparisonView) -> tuple[Column, ...]:
    """Rank, model, the accuracy at each fraction, what the model is, and costs at the largest fraction."""
    rows = view.rows
    mains = [row.main for row in rows]
    accuracies = [
        Column(f"{share(fraction)} data", tuple(_accuracy(row.cells[position]) for row in rows), 10)
        for position, fraction in enumerate(view.fractions)
    ]
    return (
        Column("rank", tuple(_rank(cell) for cell in mains), 9),
        Column("model", tuple(row.label for row in rows), 11, numeric=False, narrowest=20),
        *accuracies,
        Column("detail", tuple(row.detail for row in rows), 1, numeric=False, narrowest=16),
        Column("parameters", tuple(short(row.parameters) for row in rows), 8),
        Column("MACs", tuple(short(row.macs) for row in rows), 6),
        Column("FLOPs", tuple(short(row.flops) for row in rows), 2),
        Column("stored", tuple(bytes_(row.size_bytes) for row in rows), 2),
        Column("training", tuple(_time(cell, "train_seconds") for cell in mains), 7),
        Column("wall", tuple(_time(cell, "wall_seconds") for cell in mains), 3),
        Column("1 image", tuple(_time(cell, "predict_seconds_1") for cell in mains), 4),
        Column("1 of 256", tuple(_time(cell, "predict_seconds_256") for cell in mains), 5),
    )


def explanation(view: ComparisonView) -> str:
    """What the columns mean, in a few lines."""
    mains = [cell for row in view.rows if (cell := row.main) is not None and cell.n]
    text = (
        "Under each share of the training images: accuracy on the test images in %, mean ± standard "
        f"deviation over seeds. Costs are at the largest share. {' '.join(view.conventions)} "
        "stored: on disk; training: steps only, or a fit with all that was tried; wall: everything; 1 image, "
        "1 of 256: predicting an image alone, in a batch."
    )
    if any(cell.clock != 0 for cell in mains):
        text += f" {APART} timed under other conditions: not to be compared."
    if any(cell and cell.n and cell.failed for row in view.rows for cell in row.cells):
        text += f" {INCOMPLETE} some of its seeds failed."
    return text


def best_rows(view: ComparisonView) -> tuple[RowView, ...]:
    """The rows that share the first rank."""
    return tuple(row for row in view.rows if (cell := row.main) is not None and cell.rank == 1)


def _rank(cell: CellView | None) -> str:
    if cell is None or not cell.n:
        return NOTHING
    return "?" if cell.rank is None else str(cell.rank)


def _accuracy(cell: CellView | None) -> str:
    if cell is None:
        return NOTHING
    if cell.accuracy is None:
        return "failed" if cell.failed else "not yet"
    spread = "" if cell.accuracy_sd is None else f" ± {100 * cell.accuracy_sd:.1f}"
    return f"{100 * cell.accuracy:.1f}{spread}{INCOMPLETE if cell.failed else ''}"


def _time(cell: CellView | None, field: str) -> str:
    if cell is None or getattr(cell, field) is None:
        return NOTHING
    return seconds(getattr(cell, field)) + ("" if cell.clock == 0 else APART)
