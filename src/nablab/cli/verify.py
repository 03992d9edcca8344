"""nablab verify: `nablab.verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from nablab.cli.options import OutputOptions, option, read_whole
from nablab.errors import UserError

HELD = Group("What it is held against", sort_key=1)
WORK = Group(
    "More than reading", "Without these nothing is trained, and nothing of a delivery is run.", sort_key=2
)
WRITE = Group("What to write", "Beside what is printed.", sort_key=3)


def verify(
    delivery: Annotated[Path, Parameter(help="A notebook, or a folder of deliveries.")],
    /,
    *,
    rubric: Annotated[
        Path | None, option(HELD, "How to mark, a TOML file. [the course's 5, 2 and 3]")
    ] = None,
    runs: Annotated[
        Path | None, option(HELD, "The run records. [what the notebook reads, beside it]")
    ] = None,
    data: Annotated[str | None, option(HELD, "The images, where they are no known source.")] = None,
    sample: Annotated[
        int | None, option(HELD, "Ask each model about this many test images. [all]", converter=read_whole)
    ] = None,
    no_pictures: Annotated[bool, option(HELD, "Do not draw matrices and curves again; faster.")] = False,
    retrain: Annotated[bool, option(WORK, "Train again, and test whether the accuracies agree.")] = False,
    run_code: Annotated[
        bool,
        option(
            WORK,
            "Run students' own model files, each in a process group with limits of time, memory and file "
            "sizes. That does not keep them from your files or the network: use a container for people "
            "you do not trust.",
        ),
    ] = False,
    time_limit: Annotated[
        str, option(WORK, "What one such process may take, and --retrain for one delivery. [10m]")
    ] = "10m",
    memory: Annotated[float, option(WORK, "What one such process may use, in GiB. [8]")] = 8.0,
    csv: Annotated[Path | None, option(WRITE, "A row a delivery, comma-separated.")] = None,
    html: Annotated[Path | None, option(WRITE, "Table, findings and reasons, one HTML file.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Check deliveries against their run records: 0 all right, 1 something found, 2 unusable."""
    import nablab

    for name, path in (("csv", csv), ("html", html)):
        if path is not None and path.is_dir():
            raise UserError(f"--{name} {path} is a folder; give the name of a file")
    with output.working(f"checking {delivery}"):
        done = nablab.verify(
            delivery,
            rubric=rubric,
            runs=runs,
            data=data,
            sample=sample,
            pictures=not no_pictures,
            retrain=retrain,
            run_code=run_code,
            time_limit=time_limit,
            memory_limit=memory,
            progress=not output.quiet,
        )
    asked = (("csv", csv, done.csv), ("html", html, done.html))
    written = {what: str(write(path)) for what, path, write in asked if path is not None}
    output.show(done, done.document() | ({"written": written} if written else {}))
    if not output.json:
        for what, where in written.items():
            output.show(f"{what:<9} {where}", {})
    return done.exit_code
