"""The HTML report: one file, no request to anywhere, readable without its script, on paper too."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from nablab import atomic
from nablab.report import words
from nablab.report.graph_svg import shape_text
from nablab.report.html_matrix import CELL_DARK, CELL_LIGHT
from nablab.report.html_page import make_page
from nablab.report.plots_svg import css_variables
from nablab.report.view_types import ComparisonView

if TYPE_CHECKING:
    from jinja2 import Environment


def write_html(view: ComparisonView, path: Path | str) -> None:
    """Write the report to `path`: the old file or the new one, never half of one.

    Raises:
        NablabError: the folder cannot be written to or the disk is full.
    """
    atomic.write_text(path, render_html(view))


def render_html(view: ComparisonView) -> str:
    """The report as a text. The same view gives the same text."""
    script = template_text("script.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("report.html")
        .render(
            view=view,
            page=make_page(view),
            script=script,
            script_hash=f"sha256-{digest}",
            light=css_variables(dark=False) | {"--cell": CELL_LIGHT},
            dark=css_variables(dark=True) | {"--cell": CELL_DARK},
        )
    )


@cache
def environment() -> Environment:
    """The templates of this package, everything that is put into them escaped, with the words of reports."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("nablab.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": words.percent,
        "plus_minus": words.plus_minus,
        "share": words.share,
        "number": words.number,
        "short": words.short,
        "seconds": words.seconds,
        "bytes": words.bytes_,
        "listed": words.listed,
        "unbroken": words.unbroken,
        "shape": shape_text,
    }
    made.globals["nothing"] = words.NOTHING
    return made


def template_text(name: str) -> str:
    return files("nablab.report").joinpath("templates", name).read_text(encoding="utf-8")
