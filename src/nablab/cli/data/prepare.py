"""nablab data prepare: `nablab.prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OutputOptions, read_whole


def prepare(
    what: Annotated[str, Parameter(help="A folder of class folders, a .csv of path,label, or dogs-vs-cats.")],
    place: Annotated[
        Path | None, Parameter(help="Of dogs-vs-cats: Kaggle's train.zip, or the folder of its pictures.")
    ] = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Folder for the arrays, which --data then takes.")] = None,
    size: Annotated[
        int | None, Parameter(help="Bring pictures to this many pixels a side.", converter=read_whole)
    ] = None,
    color: Annotated[str | None, Parameter(help="Read pictures as grey or rgb.")] = None,
    group: Annotated[
        str | None, Parameter(help="Keep pictures together whose names match this pattern alike.")
    ] = None,
    strict: Annotated[
        bool, Parameter(help="Stop at a picture that cannot be read; else it is left out, and named.")
    ] = False,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Decode pictures once into arrays that load at once; interrupted, the same command goes on."""
    import nablab

    done = nablab.prepare(
        what,
        place,
        out=out,
        size=size,
        color=color,
        group=group,
        strict=strict,
        progress=not output.quiet,
    )
    output.show(done, {**done.facts(), "notes": list(done.notes)} if done.notes else done.facts())
