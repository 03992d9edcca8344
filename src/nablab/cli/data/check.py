"""nablab data check: `nablab.check_data`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OutputOptions, read_whole
from nablab.errors import UserError


def check(
    data: Annotated[str, Parameter(help="A known name, a folder or a file.")],
    /,
    *,
    run: Annotated[
        tuple[Path, ...],
        Parameter(help="A finished run or comparison on this data, to find wrong labels; repeat for more."),
    ] = (),
    picture: Annotated[Path | None, Parameter(help="Draw the worst images of each finding as a PNG.")] = None,
    similarity: Annotated[
        float, Parameter(help="The correlation from which images are nearly the same. [0.999]")
    ] = 0.999,
    size: Annotated[
        int | None,
        Parameter(
            help="Bring pictures to this many pixels a side. [64 where they differ]", converter=read_whole
        ),
    ] = None,
    color: Annotated[str | None, Parameter(help="Read pictures as grey or rgb.")] = None,
    group: Annotated[
        str | None, Parameter(help="Keep pictures together whose names match this pattern alike.")
    ] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Find what is wrong with a data set; 1 when something serious is."""
    import nablab

    if picture is not None and picture.suffix.lower() != ".png":
        raise UserError(f"--picture {picture}: pictures are written as PNG; give a name that ends in .png")
    checked = nablab.check_data(
        data,
        run,
        size=size,
        color=color,
        group=group,
        similarity=similarity,
        progress=not output.quiet,
    )
    output.show(checked, checked.document())
    if picture is not None and checked.has_images:
        checked.picture(picture)
    elif picture is not None:
        print("no picture: nothing was found in single images", file=sys.stderr)
    return 1 if checked.serious else 0
