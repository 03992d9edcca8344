"""nablab reproduce: `nablab.reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from nablab.cli.options import RESULTS, RUNS, Fractions, Jobs, OutputOptions, option, read_whole


def reproduce(
    data: Annotated[
        str, Parameter(help="The data set of the published figures. [fashion-mnist]")
    ] = "fashion-mnist",
    /,
    *,
    rows: Annotated[
        tuple[str, ...], option(RUNS, "Which: net_linear,svc,... [all]", metavar="ROW,ROW", n_tokens=1)
    ] = (),
    fractions: Fractions = None,
    seeds: Annotated[int, option(RUNS, "How many runs of each. [3]", converter=read_whole)] = 3,
    epochs: Annotated[
        int | None, option(RUNS, "Of every network, in place of its recipe's.", converter=read_whole)
    ] = None,
    time_limit: Annotated[
        str | None, option(RUNS, "Leave out rows that would take longer, all seeds together, e.g. 45m.")
    ] = None,
    jobs: Jobs = None,
    dry_run: Annotated[bool, option(RUNS, "Only say what would run, and how long.")] = False,
    trained: Annotated[
        tuple[Path, ...],
        option(RESULTS, "Take what was trained alike in this folder; may be repeated.", metavar="DIR"),
    ] = (),
    out: Annotated[Path | None, option(RESULTS, "Folder for runs and pages. [runs/reproduce-DATA]")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Train what others published figures of, and hold theirs against ours."""
    import nablab

    asked: dict[str, Any] = {
        "rows": [row.strip() for text in rows for row in text.split(",")],
        "fractions": fractions,
        "seeds": seeds,
        "epochs": epochs,
        "time_limit": time_limit,
        "trained": trained,
        "out": out,
        **({} if jobs is None else {"jobs": jobs}),
    }
    if dry_run:
        planned = nablab.plan_reproduction(data, **asked)
        output.show(planned, planned.document())
        return 0
    done = nablab.reproduce(data, **asked, progress=not output.quiet)
    output.show(done, done.document())
    if not output.json:
        output.show(f"\npage      {done.folder / 'index.md'}", {})
    return 1 if done.failed else 0
