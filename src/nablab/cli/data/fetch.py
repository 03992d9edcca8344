"""nablab data fetch: `nablab.fetch`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OutputOptions


def fetch(
    name: Annotated[str, Parameter(help="A known name.")],
    /,
    *,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Download the whole of a data set, checked against its SHA-256."""
    import nablab

    here = nablab.fetch(name, progress=not output.quiet)
    output.show(f"{name}: {here}", {"name": name, "here": here})
