"""The result of a comparison: a folder of runs, its table, report and notebook."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from nablab.api.paths import as_path
from nablab.api.sheet import Sheet, as_text
from nablab.atomic import write_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.analysis.comparison import Pair
    from nablab.analysis.results import Results
    from nablab.data.dataset import Dataset
    from nablab.report.view import ComparisonView, FailureView

REPORT = "report.html"
NOTEBOOK = "delivery.ipynb"


class ComparisonTable:
    """The table of a comparison. Shows itself in a terminal and in a notebook."""

    def __init__(self, view: ComparisonView) -> None:
        self.view = view

    def to_csv(self) -> str:
        """Comma-separated values, every number in full."""
        from nablab.report.tables import to_csv

        return to_csv(self.view)

    def to_latex(self) -> str:
        """A LaTeX table (booktabs)."""
        from nablab.report.tables import to_latex

        return to_latex(self.view)

    def to_markdown(self) -> str:
        """A Markdown table."""
        from nablab.report.tables import to_markdown

        return to_markdown(self.view)

    def sheet(self) -> Sheet:
        """The same columns as plain texts, e.g. for a notebook."""
        from nablab.report.columns import columns, explanation

        shown = columns(self.view)
        rows = tuple(zip(*(column.texts for column in shown), strict=True))
        right = frozenset(column.header for column in shown if column.numeric)
        notes = (*self.view.notes, explanation(self.view))
        return Sheet(tuple(column.header for column in shown), rows, notes=notes, right=right)

    def __rich__(self) -> RenderableType:
        from nablab.report.terminal import render

        return render(self.view)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()


class Comparison:
    """Runs in a folder, compared. Nothing is read before it is asked for.

    In a notebook it shows its answer, table and curves; printed, its table.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @cached_property
    def results(self) -> Results:
        """The runs: records, curves, predictions.

        Raises:
            UserError: there are none in the folder, or they are on different data.
        """
        from nablab.analysis.results import load_results

        return load_results(self.folder)

    @cached_property
    def view(self) -> ComparisonView:
        """Every number, word and series that reports show, as frozen values."""
        from nablab.report.view import comparison_view

        return comparison_view(self.results)

    @property
    def verdicts(self) -> Mapping[float, tuple[Pair, ...]]:
        """By fraction of the training set: every two models, which is better, if that can be said."""
        return self.view.pairs

    @property
    def failures(self) -> tuple[FailureView, ...]:
        """The runs that did not finish, and why."""
        return self.view.failures

    def table(self) -> ComparisonTable:
        """The models, best first, with their costs and accuracies."""
        return ComparisonTable(self.view)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that needs no network; returns its path.

        Args:
            path: of the file; by default `report.html` in the comparison's folder.

        Raises:
            NablabError: it cannot be written.
        """
        from nablab.report.html import write_html

        path = self._own(REPORT) if path is None else as_path(path, "the file to write,")
        write_html(self.view, path)
        return path

    def notebook(self, path: str | Path | None = None, *, train: bool = False) -> Path:
        """Write the notebook, executed from a fresh kernel; returns its path.

        Args:
            path: of the file; by default `delivery.ipynb` in the comparison's folder.
            train: train inside of it, instead of reading these records.

        Raises:
            NablabError: a cell fails, the file cannot be written, or a cell would run a file that its user
                never named.
        """
        from nablab.report.notebook import write_notebook

        path = self._own(NOTEBOOK) if path is None else as_path(path, "the file to write,")
        self._check_named(train)
        write_notebook(self.folder, path, train=train)
        return path

    def _own(self, name: str) -> Path:
        """A file of the folder, and not what a link in it leads to."""
        from nablab.runs.leftovers import remove_links

        remove_links(self.folder, [name])
        return self.folder / name

    def _check_named(self, train: bool) -> None:
        """Refuse a notebook whose cells load models that only the records name."""
        from nablab.models.named_code import name_code, named_by
        from nablab.models.reference import resolve_all
        from nablab.report.notebook import source_files
        from nablab.runs.experiment import EXPERIMENT, read_experiment

        folder = self.results.folder
        shown = source_files(self.results, folder)
        with named_by(folder):
            for run in self.results.runs:
                model = run.record.model
                if run.label in shown and model.source_file is not None:
                    file = model.source_file.path
                    name_code(f"{file}:{model.reference.rpartition(':')[2]}", file)
            if train:
                resolve_all(read_experiment(folder / EXPERIMENT).models)

    def csv(self, path: str | Path) -> Path:
        """Write the table as comma-separated values; returns the path."""
        return _write(path, self.table().to_csv())

    def latex(self, path: str | Path) -> Path:
        """Write the table for LaTeX; returns the path."""
        return _write(path, self.table().to_latex())

    def markdown(self, path: str | Path) -> Path:
        """Write the table as Markdown; returns the path."""
        return _write(path, self.table().to_markdown())

    def add(self, *models: Any, dataset: Dataset | None = None, progress: bool = True) -> Comparison:
        """Train more models as these were, beside them; this comparison then has them, too.

        Args:
            models: names, layer strings, files, live classes or objects.
            dataset: the data, where the comparison was given it in Python.
            progress: show it.

        Raises:
            UserError: a model that is there already or doesn't fit; data or a file that has changed since.
        """
        from nablab.api.training import add_to

        try:
            return add_to(self.folder, models, dataset=dataset, progress=progress)
        finally:  # what was read before is no longer all there is
            for read in ("results", "view"):
                self.__dict__.pop(read, None)

    def document(self) -> dict[str, Any]:
        """The answer, rows, verdicts and failures as plain data, as `--json` prints them."""
        from nablab.api.documents import comparison_document

        return comparison_document(self)

    def __rich__(self) -> RenderableType:
        return self.table().__rich__()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        """The answer, the table, and all models' curves in one plot."""
        from html import escape

        from nablab.report.plots import all_curves_figure
        from nablab.report.plots_svg import themed_svg

        answer = f"<p><strong>{escape(self.view.headline)}</strong></p>"
        table = self.table()._repr_html_()
        if not self.view.curves:
            return answer + table
        figure = all_curves_figure(self.view)
        return answer + table + themed_svg(figure, f"curves-{uuid4().hex[:8]}", "Test accuracy by epoch")


def _write(path: str | Path, text: str) -> Path:
    path = as_path(path, "the file to write,")
    write_text(path, text)
    return path
