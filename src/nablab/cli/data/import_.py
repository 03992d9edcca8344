"""nablab data import: `nablab.import_data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import OutputOptions


def import_(
    name: Annotated[str, Parameter(help="A known name.")],
    /,
    *files: Annotated[Path, Parameter(help="What you downloaded: the files, or their folder or archive.")],
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> None:
    """Take in files that only you can download, such as Kaggle's, and keep them in the cache."""
    import nablab

    here = nablab.import_data(name, *files, progress=not output.quiet)
    output.show(f"{name}: {here}", {"name": name, "here": here})
