"""Is anything wrong with a data set? Rules for the images, and for labels what trained runs say."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.paths import as_path
from nablab.api.sheet import Sheet, as_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from nablab.analysis.results import RunData
    from nablab.data.checks import Examination, Finding, Row
    from nablab.data.checks.finding import Severity
    from nablab.data.dataset import Dataset

_KINDS: dict[Severity, str] = {"serious": "serious finding", "warning": "warning", "note": "note"}


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What is wrong with a data set. Shows itself in a terminal and in a notebook.

    Attributes:
        label: what was checked.
        examination: the data set, and what was asked of it.
        findings: the most severe first.
        asked: the names of the rules that applied.
        notes: what was left out, and why.
    """

    label: str
    examination: Examination
    findings: tuple[Finding, ...]
    asked: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def serious(self) -> bool:
        """Whether any finding is serious: then results on this data cannot be trusted as they are."""
        return any(finding.severity == "serious" for finding in self.findings)

    @property
    def has_images(self) -> bool:
        """Whether there is something to draw: a finding about images that can be shown."""
        dataset = self.examination.dataset
        drawable = dataset is not None and dataset.is_images
        return drawable and any(finding.groups for finding in self.findings)

    def sheet(self) -> Sheet:
        """A row a finding."""
        rows = tuple((f.severity, f.rule, f.claim, f.remedy) for f in self.findings)
        return Sheet(("severity", "rule", "finding", "what to do"), rows, self._title(), self.notes)

    def figure(self) -> Figure:
        """The images that findings are about, with their labels; a line a finding.

        Raises:
            UserError: no finding is about images.
        """
        from nablab.report.plots_findings import findings_figure

        return findings_figure(self.examination, self.findings)

    def picture(self, path: str | Path) -> Path:
        """Write `figure` as a PNG; returns its path.

        Raises:
            UserError: as `figure`, or a path that does not end in `.png`.
        """
        from nablab import atomic

        path = Path(path)
        if path.suffix.lower() != ".png":
            raise UserError(f"{path}: pictures are written as PNG; give a name that ends in .png")
        figure = self.figure()

        def draw(temporary: Path) -> None:
            with warnings.catch_warnings():
                # A class name in a script that matplotlib's own font lacks is drawn as boxes.
                warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
                figure.savefig(temporary, format="png", dpi=150)

        atomic.write_with(path, draw)
        return path

    def document(self) -> dict[str, Any]:
        """As plain data, as `--json` prints it."""
        dataset = self.examination.dataset
        return {
            "checked": self.label,
            "serious": self.serious,
            "train": 0 if dataset is None else len(dataset.x_train),
            "test": 0 if dataset is None else len(dataset.x_test),
            "asked": list(self.asked),
            "notes": list(self.notes),
            "findings": [self._document(finding) for finding in self.findings],
        }

    def _document(self, finding: Finding) -> dict[str, Any]:
        groups = [[self._row(row) for row in group] for group in finding.groups]
        return asdict(finding) | {"groups": groups}

    def _row(self, row: Row) -> dict[str, Any]:
        from nablab.report.findings import class_name

        dataset = self.examination.dataset
        assert dataset is not None
        ids = dataset.train_ids if row.part == "train" else dataset.test_ids
        file = self.examination.file_of(row)
        where = {"file": str(file)} if file else {"position": int(ids[row.index])}
        return {"part": row.part, "index": row.index, "label": class_name(self.examination, row)} | where

    def _title(self) -> str:
        dataset = self.examination.dataset
        size = "" if dataset is None else f", {len(dataset.x_train):,} + {len(dataset.x_test):,} samples"
        kinds = Counter(finding.severity for finding in self.findings)
        found = [words.count(kinds[kind], _KINDS[kind]) for kind in _KINDS if kinds[kind]]
        return f"{self.label}{size}: {words.listed(found) or 'nothing wrong found'}"

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from nablab.report.findings import render

        shown = render(self._title(), self.examination, self.findings)
        below = [Text(), *(Text(note, style="dim") for note in self.notes)] if self.notes else []
        return Group(shown, *below)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()


def check_data(
    data: str | Path | Dataset,
    runs: str | Path | Sequence[str | Path] = (),
    *,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    similarity: float = 0.999,
    progress: bool = True,
) -> DataCheck:
    """Find what is wrong with a data set: copies, contradictions, blank images, imbalance, drift and more.

    Args:
        data: as for `load`.
        runs: folders of finished runs on this data, or of comparisons; with them, candidates for wrong test
            labels are found by confident learning on the mean of their probabilities.
        size: for pictures: what they are brought to; by default their own size, or 64 where they differ.
        color: for pictures: `grey` or `rgb`.
        group: for pictures: as for `load`.
        similarity: the correlation of pixels from which two images are nearly the same.
        progress: show what is being done.

    >>> check_data("digits", progress=False)
    digits, 1,439 + 358 samples: nothing wrong found

    Raises:
        UserError: no such data or run, data that cannot be used at all, runs on other data.
    """
    from nablab.api.planning import as_list
    from nablab.data.checks import by_severity, check
    from nablab.data.dataset import Dataset

    finished = _finished([as_path(run, "a folder of runs") for run in as_list(runs)])
    if not isinstance(data, str | Dataset):
        data = as_path(data, "the data as its name, as what nablab.make_dataset makes, or its path")
    with _bars(show=progress) as tell:
        found = check(data, size=size, color=color, group=group, similarity=similarity, progress=tell)
    label = found.dataset.name if found.dataset else str(data)
    if not finished or found.dataset is None:
        notes = ("the labels were not held against the runs: there is no data set",) if finished else ()
        return DataCheck(label, found, found.findings, found.asked, notes)
    from nablab.analysis.noise_finding import RULE, noise_findings

    findings = by_severity((*found.findings, *noise_findings(found.dataset, finished)))
    return DataCheck(label, found, findings, (*found.asked, RULE), _left_out(finished))


def _finished(paths: Sequence[str | Path]) -> list[RunData]:
    """The finished runs in these folders.

    Raises:
        UserError: a folder without one.
    """
    from nablab.analysis.results import load_results

    finished = []
    for path in paths:
        done = [run for run in load_results(path).runs if run.done]
        if not done:
            raise UserError(f"no run in {path} has finished; resume it first")
        finished += done
    return finished


def _left_out(runs: Sequence[RunData]) -> tuple[str, ...]:
    from nablab.analysis.label_noise import says_probabilities

    silent = dict.fromkeys(run.label for run in runs if not says_probabilities(run))
    if not silent:
        return ()
    return (
        f"label-noise leaves {words.listed(list(silent))} out: their scores are margins, no probabilities",
    )


@contextmanager
def _bars(*, show: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function that draws a bar for each kind of work, gone when all is done; None where nobody watches."""
    from rich.console import Console

    console = Console(stderr=True)
    if not show or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield tell
