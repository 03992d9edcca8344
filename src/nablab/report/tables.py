"""The comparison as text for other programs: CSV with every digit, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from nablab.report.columns import best_rows, columns, explanation
from nablab.report.view_types import CellView, ComparisonView, RowView

#: The columns that describe a model, then those that describe it at a fraction; names of view fields.
_OF_ROW = ("label", "kind", "detail")
_OF_CELL = (
    "parameters",
    "macs",
    "flops",
    "counted",
    "size_bytes",
    "fraction",
    "n_train",
    "n",
    "failed",
    "rank",
    "accuracy",
    "accuracy_sd",
    "accuracy_low",
    "accuracy_high",
    "accuracies",
    "seeds",
    "loss",
    "epochs",
    "train_seconds",
    "wall_seconds",
    "predict_seconds_1",
    "predict_seconds_256",
    "clock",
)

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "µ": r"$\mu$",
    "†": r"\dag{}",
}


def to_csv(view: ComparisonView) -> str:
    """One row a model and fraction, one column a number, nothing rounded; several seeds by semicolons.

    Accuracies in [0, 1], times in seconds. Empty: not measured, or without meaning. `counted` says how an
    estimator's MACs come about; where it is empty they are of convolutions and linear layers. `clock` 0
    marks the times that may be compared with each other.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("model", *_OF_ROW[1:], *_OF_CELL))
    for row in view.rows:
        for cell in row.cells:
            if cell is not None:
                writer.writerow(_record(row, cell))
    return text.getvalue()


def _record(row: RowView, cell: CellView) -> list[Any]:
    values = [getattr(row, name) for name in _OF_ROW] + [getattr(cell, name) for name in _OF_CELL]
    return [";".join(map(repr, value)) if isinstance(value, tuple) else value for value in values]


def to_markdown(view: ComparisonView) -> str:
    """Title, answer, table and notes for GitHub's kind of Markdown."""
    shown = columns(view)
    rows = list(zip(*(column.texts for column in shown), strict=True))
    table = markdown_table(
        [column.header for column in shown], rows, left=[not column.numeric for column in shown]
    )
    notes = [f"- {markdown_text(note)}" for note in (*view.notes, explanation(view))]
    title = f"## {markdown_text(view.title)}"
    return "\n".join([title, "", markdown_text(view.headline), "", table, "", *notes]) + "\n"


def markdown_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[bool] | None = None
) -> str:
    """A Markdown table; `left` says which columns are aligned to the left, by default the first only."""
    left = left or [position == 0 for position in range(len(headers))]
    lines = [
        [markdown_text(header) for header in headers],
        [":--" if to_left else "--:" for to_left in left],
        *([markdown_text(text) for text in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    """Text in which no character means anything to Markdown.

    >>> markdown_text("my_net.py:*Net")
    'my\\\\_net.py:\\\\*Net'
    """
    for character in "\\`*_<>[]|$~#":
        text = text.replace(character, "\\" + character)
    text = re.sub(r"&(?=\w+;)", r"\\&", text)  # of an entity, as in &lt;
    return " ".join(text.split())


def to_latex(view: ComparisonView) -> str:
    """A `table` for LaTeX with booktabs (`\\usepackage{booktabs}`); the rows that share rank 1 are bold.

    The detail is left out, for room. The caption is the answer and what the columns mean; the notes stand
    above as comments.
    """
    shown = [column for column in columns(view) if column.header != "detail"]
    best = {row.label for row in best_rows(view)}
    lines = [
        *(f"% {' '.join(note.split())}" for note in view.notes),
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(f'{view.headline} {explanation(view)}')}}}",
        rf"  \begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in shown)}}}",
        r"    \toprule",
        f"    {' & '.join(_latex(column.header) for column in shown)} \\\\",
        r"    \midrule",
    ]
    for position, row in enumerate(view.rows):
        cells = [_latex(column.texts[position]) for column in shown]
        if row.label in best:
            cells = [rf"\textbf{{{cell}}}" for cell in cells]
        lines.append(f"    {' & '.join(cells)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _latex(text: str) -> str:
    """Text in which no character means anything to LaTeX."""
    text = "".join(_LATEX.get(character, character) for character in text)
    return re.sub("-(?=-)", "-{}", text).replace("\N{EN DASH}", "--")
