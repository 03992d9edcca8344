"""nablab predict: `nablab.predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OUTPUT, OutputOptions, option


def predict(
    run: Annotated[Path, Parameter(help="The folder of one run.")],
    /,
    *pictures: Annotated[Path, Parameter(help="Pictures, and folders of them.")],
    csv: Annotated[Path | None, option(OUTPUT, "Write every class's probability to this file.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Ask a trained model about pictures."""
    import nablab

    predictions = nablab.predict(run, *pictures, progress=not output.quiet)
    if csv is not None:
        predictions.csv(csv)
    output.show(predictions, predictions.records())
    return 0
