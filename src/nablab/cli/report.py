"""nablab report: `Comparison.report`, `.notebook`, `.csv`, `.latex` and `.markdown`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from nablab.cli.options import OutputOptions, option
from nablab.errors import UserError

WRITE = Group(
    "What to write", "Without any of these: the report and the notebook, beside the results.", sort_key=1
)


def report(
    folder: Annotated[Path, Parameter(help="A comparison, one run, or a folder of comparisons.")],
    /,
    *,
    html: Annotated[Path | None, option(WRITE, "The report, one HTML file.")] = None,
    notebook: Annotated[Path | None, option(WRITE, "A Jupyter notebook, executed.")] = None,
    train: Annotated[bool, option(WRITE, "Let the notebook train instead of reading records.")] = False,
    markdown: Annotated[Path | None, option(WRITE, "The table in Markdown.")] = None,
    latex: Annotated[Path | None, option(WRITE, "The table in LaTeX.")] = None,
    csv: Annotated[Path | None, option(WRITE, "The table as comma-separated values.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Write the report, the notebook or the tables of results."""
    import nablab

    comparison = nablab.results(folder)
    nothing_asked = not any((html, notebook, markdown, latex, csv))
    if train and notebook is None and not nothing_asked:
        raise UserError("--train is for the notebook; give it with --notebook FILE")
    written: dict[str, Path] = {}
    if html or nothing_asked:
        written["report"] = comparison.report(html)
    if markdown:
        written["markdown"] = comparison.markdown(markdown)
    if latex:
        written["latex"] = comparison.latex(latex)
    if csv:
        written["csv"] = comparison.csv(csv)
    if notebook or nothing_asked:
        written["notebook"] = comparison.notebook(notebook, train=train)
    lines = "\n".join(f"{what:<9} {path}" for what, path in written.items())
    output.show(lines, {what: str(path) for what, path in written.items()})
    return 0
