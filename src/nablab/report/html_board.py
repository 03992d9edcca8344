"""A leader board as one HTML file: no request to anywhere, readable without its script, light and dark."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from nablab import atomic
from nablab.report.columns_board import ON_FRONT, board_explanation, verdict_text
from nablab.report.html import environment, template_text
from nablab.report.html_matrix import CELL_DARK, CELL_LIGHT
from nablab.report.plots_board import front_figure, known_costs
from nablab.report.plots_svg import css_variables, themed_svg
from nablab.report.view_board import COST_NAMES, BoardView


def write_board(view: BoardView, path: Path | str) -> None:
    """Write the page to `path`: the old file or the new one, never half of one.

    Raises:
        NablabError: the folder cannot be written to or the disk is full.
    """
    atomic.write_text(path, render_board(view))


def render_board(view: BoardView) -> str:
    """The page as a text. The same view gives the same text."""
    script = template_text("script.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    titles = {cost: f"Test accuracy against {COST_NAMES[cost]}" for cost in known_costs(view)}
    return (
        environment()
        .get_template("board.html")
        .render(
            view=view,
            figures=[
                (title, themed_svg(front_figure(view, cost), f"front-{cost}", title), view.fronts[cost])
                for cost, title in titles.items()
            ],
            strokes={row.label: position % 8 + 1 for position, row in enumerate(view.rows)},
            verdicts={row.label: verdict_text(row) for row in view.rows},
            explanation=board_explanation(view),
            on_front=ON_FRONT,
            script=script,
            script_hash=f"sha256-{digest}",
            light=css_variables(dark=False) | {"--cell": CELL_LIGHT},
            dark=css_variables(dark=True) | {"--cell": CELL_DARK},
        )
    )
