"""nablab ladder: `nablab.ladder`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import DataOptions, OutputOptions, read_whole


def ladder(
    model: Annotated[str, Parameter(help="A network of the layer language, or its name.")],
    /,
    *,
    against: Annotated[str | None, Parameter(help="Your own loss, as file.py:function.")] = None,
    steps: Annotated[int, Parameter(help="Steps that are compared. [5]", converter=read_whole)] = 5,
    lr: Annotated[float, Parameter(help="Learning rate. [0.1]")] = 0.1,
    batch_size: Annotated[int, Parameter(help="Images a step. [64]", converter=read_whole)] = 64,
    images: DataOptions = DataOptions(),  # noqa: B008
    seed: Annotated[int, Parameter(help="Draws the weights and the batches. [0]", converter=read_whole)] = 0,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Train one network in several ways and compare every step; 1 when they differ."""
    import nablab

    rungs = {} if against is None else {against: against}
    data = images.load(progress=not output.quiet)
    climbed = nablab.ladder(
        model,
        data,
        steps=steps,
        rungs=rungs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
    )
    output.show(climbed, climbed.document())
    return 0 if climbed.agrees else 1
