"""nablab leaderboard: `nablab.leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from nablab.cli.options import OutputOptions, option

WRITE = Group("What to write", "Beside what is printed.", sort_key=1)


def leaderboard(
    *folders: Annotated[Path, Parameter(help="Runs, comparisons, or folders of them. [runs]")],
    data: Annotated[
        str | None, Parameter(help="Which data, where runs are on several: a name or a fingerprint.")
    ] = None,
    html: Annotated[Path | None, option(WRITE, "Table and Pareto fronts, one HTML file.")] = None,
    svg: Annotated[Path | None, option(WRITE, "The Pareto fronts as a picture.")] = None,
    png: Annotated[Path | None, option(WRITE, "The same in pixels.")] = None,
    csv: Annotated[Path | None, option(WRITE, "The table as comma-separated values.")] = None,
    markdown: Annotated[Path | None, option(WRITE, "The table in Markdown.")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Rank all runs on the same data, from any number of folders."""
    import nablab
    from nablab.errors import UserError

    for path, suffix in ((svg, ".svg"), (png, ".png")):
        if path is not None and path.suffix.lower() != suffix:
            raise UserError(f"--{suffix[1:]} {path}: a name that ends in {suffix} is needed")
    board = nablab.leaderboard(*folders, data=data)
    asked = (
        ("html", html, board.html),
        ("svg", svg, board.picture),
        ("png", png, board.picture),
        ("csv", csv, board.csv),
        ("markdown", markdown, board.markdown),
    )
    written = {what: str(write(path)) for what, path, write in asked if path is not None}
    output.show(board, board.document() | ({"written": written} if written else {}))
    if not output.json:
        for what, where in written.items():
            output.show(f"{what:<9} {where}", {})
    return 0
