"""nablab inspect: `nablab.inspect` and `nablab.catalog`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OUTPUT, DataOptions, OutputOptions, option


def inspect(
    *models: Annotated[str, Parameter(help="Names, layer strings, file.py:Class. [all known names]")],
    images: DataOptions = DataOptions(),  # noqa: B008
    svg: Annotated[Path | None, option(OUTPUT, "Write each graph as an SVG file into this folder.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Show layers, parameters and costs, training nothing."""
    from rich.console import Group

    import nablab
    from nablab.models.reference import resolve_all

    if not models:
        known = nablab.catalog()
        output.show(known, known.records())
        return 0
    data = images.load(progress=not output.quiet)
    inspections = [nablab.inspect(model, data) for model in resolve_all(models)]
    output.show(Group(*inspections), [inspection.document() for inspection in inspections])
    if svg is not None:
        for inspection in inspections:
            if inspection.svg is not None:
                path = inspection.graph(svg / f"{inspection.file_name}.svg")
                if not output.quiet:
                    print(f"graph  {path}", file=sys.stderr)
    return 0
