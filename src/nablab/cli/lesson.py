"""nablab lesson list, open and run: `nablab.list_lessons`, `open_lesson` and `run_lessons`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nablab.cli.options import RESULTS, RUNS, OutputOptions, option
from nablab.errors import UserError

app = App(
    name="lesson",
    help="List, open or run the five labs.",
    help_epilogue=(
        "Examples:\n  nablab lesson open a\n  nablab lesson run a b --quick\n  nablab lesson run all --full"
    ),
)


@app.command(name="list", sort_key=1, help_epilogue="Examples:\n  nablab lesson list")
def list_(*, output: OutputOptions = OutputOptions()) -> None:  # noqa: B008
    """List the labs."""
    import nablab

    labs = nablab.list_lessons()
    output.show(labs, labs.records())


@app.command(
    name="open",
    sort_key=2,
    help_epilogue="Examples:\n  nablab lesson open a\n  nablab lesson open b --out course",
)
def open_(
    lab: Annotated[str, Parameter(help="Its letter: a to e.")],
    /,
    *,
    out: Annotated[Path, option(RESULTS, "Folder for the notebook. [.]")] = Path("."),
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Write a lab as a notebook to work in."""
    import nablab

    path = nablab.open_lesson(lab, out)
    output.show(
        f"notebook  {path}\nstart it  jupyter lab {path}   (pip install jupyterlab), or open it in an editor",
        {"notebook": str(path)},
    )


@app.command(
    sort_key=3,
    help_epilogue="Examples:\n  nablab lesson run a\n  nablab lesson run all --full --out lessons",
)
def run(
    *labs: Annotated[str, Parameter(help="Letters, or all. [all]")],
    quick: Annotated[bool, option(RUNS, "With small data, a minute each. [default]")] = False,
    full: Annotated[bool, option(RUNS, "With whole data sets, where they are here.")] = False,
    time_limit: Annotated[str | None, option(RUNS, "What one lab may take, e.g. 10m.")] = None,
    out: Annotated[Path, option(RESULTS, "Folder for notebooks and pages. [.]")] = Path("."),
    no_pages: Annotated[bool, option(RESULTS, "Write the notebooks only.")] = False,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Run labs in fresh kernels, and hold what they find against what is expected."""
    import nablab

    if quick and full:
        raise UserError("--quick and --full exclude each other")
    done = nablab.run_lessons(
        *labs,
        full=full,
        out=out,
        pages=not no_pages,
        time_limit=time_limit,
        progress=not output.quiet,
    )
    output.show(done, done.document())
    if not output.json:
        for lab in done.runs:
            output.show(f"notebook  {lab.notebook}" + (f"\npage      {lab.page}" if lab.page else ""), {})
    return 0 if done.ok else 1
