"""Write docs/results/ from a finished comparison: our figures beside the hand-out's, with the proof.

    nablab compare --preset handout --fractions 0.01,0.1,1 --epochs 8 --seeds 3 --jobs 2 --out handout
    python tools/results_page.py handout

Every figure of ours is read from the records in the folder. The hand-out's are those of its own table
(`nablab.analysis.published`, rows Net_Linear to FashionCNN): one run each, accuracy on a tenth of the test
images at 1 and 10 % of the training images, number of epochs not stated, time on its author's machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from pathlib import Path

import nablab
from nablab import atomic
from nablab.analysis.published import FASHION_MNIST, HANDOUT
from nablab.report.plots import all_curves_figure, curves_figure, scatter_figure
from nablab.report.plots_confusion import confusion_figure
from nablab.report.tables import to_csv
from nablab.report.view import ComparisonView
from nablab.report.view_types import CellView, RowView
from nablab.report.words import number, plus_minus, seconds, share

TARGET = Path(__file__).parents[1] / "docs" / "results" / "handout"

#: The hand-out's figures, by network and fraction of the training images.
PUBLISHED = {
    (row.name, figure.fraction): figure
    for row in FASHION_MNIST
    for figure in row.figures
    if row.source == HANDOUT
}


CONVENTIONS = """\
Accuracy in % on the 10,000 test images, mean ± standard deviation over n seeds; our time is training time,
steps only, mean over seeds. The hand-out's figures are single runs, on a tenth of the test images but for its
whole training set. How many epochs they took is not stated, and its times include testing, on another
machine: times are not to be held against each other. Which LeNet and which FashionCNN the hand-out means is
[our guess](../../guide/models.md). Its other three networks are the student's own; ours stand there. Two
runs at a time, one thread each, with other work beside them now and then: times are upper bounds."""

PROOF = """\
The {download}`executed notebook <delivery.ipynb>` shows all networks with their curves, matrices, costs and
graphs; {download}`table.csv` has every figure at full precision; {download}`experiment.toml` repeats it:"""


def main() -> int:
    """Write the page, its pictures, the table and the notebook; 1 when runs are missing."""
    folder = Path(arguments().folder)
    view = nablab.results(folder).view
    unfinished = [
        row.label for row in view.rows for cell in row.cells if cell is None or not cell.n or cell.failed
    ]
    if unfinished:
        print(f"not finished: {', '.join(dict.fromkeys(unfinished))}", file=sys.stderr)
        return 1
    draw(view)
    atomic.write_text(TARGET / "table.csv", to_csv(view))
    for name in ("experiment.toml", "delivery.ipynb"):
        shutil.copyfile(folder / name, TARGET / name)
    atomic.write_text(TARGET / "index.md", page(view))
    print(TARGET / "index.md")
    return 0


def draw(view: ComparisonView) -> None:
    """The plots of the report as PNG, readable on any page."""
    best = view.sections[0]
    figures = {
        "curves": all_curves_figure(view),
        "time": scatter_figure(view, view.time_points, "training seconds", seconds=True),
        "parameters": scatter_figure(view, view.parameter_points, "parameters"),
        "best-curves": curves_figure(best.curves[-1], title=best.label),
    }
    if best.confusion is not None:
        figures["best-confusion"] = confusion_figure(best.confusion, title=best.label)
    for name, figure in figures.items():
        figure.set_facecolor("white")
        atomic.write_with(TARGET / f"{name}.png", partial(figure.savefig, dpi=140))


def page(view: ComparisonView) -> str:
    """The page in Markdown."""
    best = view.sections[0].label
    machine = "; ".join(f"{name}: {value}" for name, value in view.environments[0].values)
    parts = [
        "# The hand-outs' way: seven networks on Fashion-MNIST",
        view.headline,
        *tables(view),
        CONVENTIONS,
        "\n".join(f"- {note}" for note in view.notes),
        "![Test accuracy by epoch](curves.png)",
        "![Accuracy against training time](time.png) ![Accuracy against parameters](parameters.png)",
        f"## {best}",
        "![Loss and accuracy by epoch](best-curves.png)",
        "![Confusion matrix](best-confusion.png)",
        "## Where and how",
        machine + ".",
        PROOF,
        "\n".join(["```sh", *view.repeat.commands, "```"]),
    ]
    return "\n\n".join(parts) + "\n"


def tables(view: ComparisonView) -> list[str]:
    """One table a fraction: ours beside the hand-out's."""
    found = []
    for position, fraction in enumerate(view.fractions):
        rows = [(row, row.cells[position]) for row in view.rows]
        done = [(row, cell) for row, cell in rows if cell is not None]
        lines = [f"## {share(fraction)} of the training images", ""]
        lines += ["| network | parameters | MACs | ours | n | the hand-out's | our time | its time |"]
        lines += ["| :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
        done.sort(key=lambda pair: -(pair[1].accuracy or 0))
        lines += [table_row(row, cell) for row, cell in done]
        found.append("\n".join(lines))
    return found


def table_row(row: RowView, cell: CellView) -> str:
    published = PUBLISHED.get((row.label, cell.fraction))
    theirs = f"{100 * published.accuracy:.1f} %" if published else "–"
    its_time = seconds(published.seconds) if published else "–"
    ours = plus_minus(cell.accuracy, cell.accuracy_sd)
    cells = (f"`{row.label}`", number(row.parameters), number(row.macs), ours, str(cell.n))
    return f"| {' | '.join((*cells, theirs, seconds(cell.train_seconds), its_time))} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("folder", help="results of the comparison")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
