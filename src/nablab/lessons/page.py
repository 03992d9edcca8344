"""An executed lab as one HTML file: no request to anywhere, mathematics drawn by the browser."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab import __version__, atomic
from nablab.lessons.catalog import LESSONS, Lesson
from nablab.lessons.execute import failures_of, figures_of
from nablab.lessons.markdown import Texts, code_html
from nablab.lessons.notebook import mode_of
from nablab.lessons.outputs import outputs_html

if TYPE_CHECKING:
    from jinja2 import Environment

#: Cells with this tag are an exercise: they stand out.
EXERCISE = "exercise"
#: Code with this tag only draws: it is folded away, as notebook programs do.
FOLDED = "hide-input"


@dataclass(frozen=True)
class Part:
    """A cell of the page: a text, or code with what it put out. All three are HTML."""

    text: str = ""
    code: str = ""
    outputs: str = ""
    exercise: bool = False
    folded: bool = False


def write_page(notebook: Any, of: Lesson, path: Path | str) -> None:
    """Write the page of an executed lab: the old file or the new one, never half of one.

    Raises:
        NablabError: a formula is not understood, or the file cannot be written.
    """
    atomic.write_text(path, render_page(notebook, of))


def render_page(notebook: Any, of: Lesson) -> str:
    """The page as a text; the same notebook gives the same text.

    Raises:
        NablabError: a formula is not understood.
    """
    from nablab.report.html import template_text
    from nablab.report.plots_svg import css_variables

    texts = Texts()
    parts = [part for cell in notebook.cells if (part := _part(cell, texts)) is not None]
    figures = figures_of(notebook, of)
    script = template_text("script.js")
    return (
        _environment()
        .get_template("lesson.html")
        .render(
            lesson=of,
            lessons=LESSONS,
            mode=mode_of(notebook),
            version=__version__,
            parts=parts,
            headings=[heading for heading in texts.headings if heading.level <= 2][1:],
            held=sum(bool(figure.found) for figure in figures),
            rows=len({figure.row for figure in figures}),
            failures=tuple(failures_of(notebook)),
            script=script,
            script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
            light=css_variables(dark=False),
            dark=css_variables(dark=True),
        )
    )


def _part(cell: Any, texts: Texts) -> Part | None:
    """A cell as HTML; None where it is empty."""
    if cell.cell_type == "markdown":
        return Part(text=texts.html(cell.source))
    if cell.cell_type != "code" or not cell.source.strip():
        return None
    tags = cell.metadata.get("tags", ())
    return Part(
        code=code_html(cell.source),
        outputs=outputs_html(cell),
        exercise=EXERCISE in tags,
        folded=FOLDED in tags,
    )


@cache
def _environment() -> Environment:
    """The templates of labs, which take colours, type and script from those of reports."""
    from jinja2 import ChoiceLoader, PackageLoader

    from nablab.report.html import environment

    reports = environment()
    assert reports.loader is not None
    return reports.overlay(
        loader=ChoiceLoader([PackageLoader("nablab.lessons", "templates"), reports.loader])
    )
