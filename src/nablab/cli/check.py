"""nablab check: `nablab.gradcheck`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import DataOptions, OutputOptions, read_whole


def check(
    subject: Annotated[str, Parameter(help="A file with a loss and its gradient, or a network.")],
    /,
    *,
    images: DataOptions = DataOptions(),  # noqa: B008
    seed: Annotated[
        int, Parameter(help="Draws the problem, and the entries looked at. [0]", converter=read_whole)
    ] = 0,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Hold a gradient against central differences; 1 when it is wrong."""
    import nablab

    checked = nablab.gradcheck(subject, data=images.load(progress=not output.quiet), seed=seed)
    output.show(checked, checked.document())
    return 0 if checked.right else 1
