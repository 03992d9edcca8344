"""The findings about a data set in a terminal: what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nablab.data.checks import Examination, Finding, Row
from nablab.data.checks.finding import Severity

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

#: Groups of rows, or files, that are named of each finding.
EXAMPLES = 4
#: Rows that are named of each group.
OF_GROUP = 4

_STYLES: dict[Severity, str] = {"serious": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def row_name(examination: Examination, row: Row) -> str:
    """Where a sample is: its file, or its part and index, and its class in brackets.

    Raises:
        ValueError: nothing was read, so that there are no rows.
    """
    if examination.dataset is None:
        raise ValueError("without a data set there are no rows")
    file = examination.file_of(row)
    where = str(file) if file else f"{row.part} {row.index:,}"
    return f"{where} ({class_name(examination, row)})"


def class_name(examination: Examination, row: Row) -> str:
    """The class of a sample, by its label."""
    dataset = examination.dataset
    if dataset is None:
        raise ValueError("without a data set there are no rows")
    labels = dataset.y_train if row.part == "train" else dataset.y_test
    return dataset.classes[int(labels[row.index])]


def evidence(examination: Examination, finding: Finding) -> list[str]:
    """A line for each of the first groups of rows, or files, and one that says how many more there are."""
    lines = []
    for position, group in enumerate(finding.groups[:EXAMPLES]):
        names = [row_name(examination, row) for row in group[:OF_GROUP]]
        names += [f"{len(group) - OF_GROUP:,} more"] if len(group) > OF_GROUP else []
        caption = f": {finding.captions[position]}" if finding.captions else ""
        lines.append(", ".join(names) + caption)
    lines += list(finding.files[:EXAMPLES])
    more = max(len(finding.groups), len(finding.files)) - EXAMPLES
    return [*lines, f"and {more:,} more (--json lists them)"] if more > 0 else lines


def render(title: str, examination: Examination, findings: tuple[Finding, ...]) -> RenderableType:
    """What `rich` prints."""
    return _Findings(title, examination, findings)


@dataclass(frozen=True)
class _Findings:
    title: str
    examination: Examination
    findings: tuple[Finding, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.padding import Padding
        from rich.text import Text

        yield Text(self.title, style="bold")
        for finding in self.findings:
            yield Text()
            head = Text(finding.severity, style=_STYLES[finding.severity])
            yield head.append(f"  {finding.rule}", style="not bold default")
            yield Padding(Text(finding.claim), (0, 0, 0, 2), expand=False)
            for line in evidence(self.examination, finding):
                yield Padding(Text(line, style="dim", overflow="fold"), (0, 0, 0, 4), expand=False)
            yield Padding(Text(f"-> {finding.remedy}", style="green"), (0, 0, 0, 2), expand=False)
