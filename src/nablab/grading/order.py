"""Whether a notebook was run as it stands: each cell once, from the first to the last, in a fresh kernel."""

from __future__ import annotations

from nablab.grading.notebook import Cell, Notebook
from nablab.grading.verdict import Finding, plain


def check_order(notebook: Notebook) -> list[Finding]:
    """Findings about the order of the code cells.

    A notebook does not store whether a cell was edited after it ran. What shows is that its number and that
    of its result differ, or that it has outputs and no number; the rest has to show in what it put out.
    """
    cells = notebook.code
    findings = [finding for cell in cells for finding in _of_cell(cell)]
    counts = [cell.count for cell in cells if cell.count is not None]
    if not cells:
        return [Finding("order", "", "the notebook has no code cell: nothing was run")]
    if counts != list(range(1, len(counts) + 1)):
        findings += _out_of_order(cells)
    return findings


def _of_cell(cell: Cell) -> list[Finding]:
    found = []
    if cell.count is None:
        edited = "it has outputs and no number: it was edited" if cell.outputs else "it was not run"
        found.append(Finding("order", cell.where, f"{edited}; restart the kernel and run all cells"))
    for output in cell.outputs:
        if output.kind == "error":
            found.append(Finding("order", cell.where, f"it failed: {plain(output.texts['text/plain'], 120)}"))
        if output.count is not None and output.count != cell.count:
            message = f"its result is numbered [{output.count}]: the cell was run again, or edited, since"
            found.append(Finding("order", cell.where, message))
    return found


def _out_of_order(cells: tuple[Cell, ...]) -> list[Finding]:
    """The first cell whose number is not the next one, and how many more there are."""
    expected, first, more = 1, None, 0
    for cell in cells:
        if cell.count is None:
            continue
        if cell.count != expected:
            first, more = first or (cell, expected), more + 1
        expected = cell.count + 1
    if first is None:
        return []
    cell, wanted = first
    others = f", and {more - 1} more" if more > 1 else ""
    message = f"cells were not run from the first to the last in a fresh kernel: [{wanted}] should stand here"
    return [Finding("order", cell.where, f"{message}{others}")]
