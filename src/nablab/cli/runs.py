"""nablab runs list, show and delete: `nablab.list_runs`, `show_run` and `delete_run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nablab.cli.options import OutputOptions
from nablab.errors import UserError

app = App(
    name="runs",
    help="List, show or delete trained runs.",
    help_epilogue="Examples:\n  nablab runs list results\n  nablab runs show results/runs/lenet-f0.1-s0",
)


@app.command(name="list", sort_key=1, help_epilogue="Examples:\n  nablab runs list results")
def list_(
    folder: Annotated[Path, Parameter(help="Where to look. [runs]")] = Path("runs"),
    /,
    *,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """List every run in a folder."""
    import nablab

    runs = nablab.list_runs(folder)
    output.show(runs, runs.records())


@app.command(sort_key=2, help_epilogue="Examples:\n  nablab runs show results/runs/lenet-f0.1-s0")
def show(
    run: Annotated[Path, Parameter(help="The folder of one run.")],
    /,
    *,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Show one run: model, data, recipe and result."""
    import nablab

    shown = nablab.show_run(run)
    output.show(shown, shown.document())


@app.command(sort_key=3, help_epilogue="Examples:\n  nablab runs delete results/runs/lenet-f0.1-s0")
def delete(
    *runs: Annotated[Path, Parameter(help="The folders of runs.")],
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Delete runs with everything in their folders; where one of them is refused, none."""
    import nablab

    if not runs:
        raise UserError("which runs? nablab runs list shows them")
    nablab.delete_run(*runs)
    names = list(dict.fromkeys(map(str, runs)))
    output.show("\n".join(f"deleted {name}" for name in names), {"deleted": names})
