"""nablab data list, show and fetch: `nablab.sources`, `show_data` and `fetch`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nablab.cli.options import OutputOptions

app = App(
    name="data",
    help="List, show or fetch images to train on.",
    help_epilogue="Examples:\n  nablab data show digits\n  nablab data fetch fashion-mnist",
)


@app.command(name="list", sort_key=1)
def list_(*, output: OutputOptions = OutputOptions()) -> None:  # noqa: B008
    """List the known data sets, and what of each is here."""
    import nablab

    known = nablab.sources()
    output.show(known, known.records())


@app.command(sort_key=2)
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


@app.command(sort_key=3)
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
