"""nablab data show: `nablab.show_data`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OUTPUT, OutputOptions, option, read_whole


def show(
    name: Annotated[str, Parameter(help="A known name, a folder or a file.")],
    /,
    *,
    examples: Annotated[
        int, Parameter(help="Images of each class; 0 draws none. [8]", converter=read_whole)
    ] = 8,
    augment: Annotated[
        str, Parameter(help="Draw each example augmented, too: 'flip,shift:2,crop:0.6,rotate:10'.")
    ] = "",
    seed: Annotated[int, Parameter(help="Of the augmentation. [0]", converter=read_whole)] = 0,
    size: Annotated[
        int | None, Parameter(help="Bring pictures to this many pixels a side.", converter=read_whole)
    ] = None,
    color: Annotated[str | None, Parameter(help="Read pictures as grey or rgb.")] = None,
    group: Annotated[
        str | None, Parameter(help="Keep pictures together whose names match this pattern alike.")
    ] = None,
    picture: Annotated[Path | None, option(OUTPUT, "Write the picture as a .png or .svg file.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Show what a data set holds: classes and counts, mean and deviation, mean images and examples."""
    import nablab
    from nablab.api.showing import check_picture

    if picture is not None:
        check_picture(picture)  # before anything is decoded
    shown = nablab.show_data(
        name,
        examples=examples,
        augmentation=augment,
        seed=seed,
        size=size,
        color=color,
        group=group,
        progress=not output.quiet,
    )
    written = None if picture is None else shown.picture(picture)
    output.show(shown, shown.facts())
    if written is not None and not output.quiet:
        print(f"picture  {written}", file=sys.stderr)
