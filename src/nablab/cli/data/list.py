"""nablab data list: `nablab.sources`."""

from __future__ import annotations

from nablab.cli.options import OutputOptions


def list_(*, output: OutputOptions = OutputOptions()) -> None:  # noqa: B008
    """List the known data sets, and what of each is here."""
    import nablab

    known = nablab.sources()
    output.show(known, known.records())
