"""nablab data show: `nablab.show_data`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OutputOptions


def show(
    name: Annotated[str, Parameter(help="A known name, a folder or a file.")],
    /,
    *,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Show one data set: where it comes from, its size, shape and classes."""
    import nablab

    shown = nablab.show_data(name)
    output.show(shown, shown.facts())
