"""Every lab as it is kept: complete, runnable by a user, and in texts that can be shown."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import nablab
from nablab.errors import NablabError, UserError
from nablab.lessons import LESSONS, Lesson
from nablab.lessons.exercises.register import exercises
from nablab.lessons.markdown import Texts
from nablab.lessons.notebook import lesson_notebook, open_lesson, source

#: What a user's program may import, as the guide names it.
PUBLIC = ("nablab", "nablab.autograd", "nablab.byhand", "nablab.lessons", "nablab.errors")
LIBRARIES = {*sys.stdlib_module_names, "numpy", "torch", "sklearn", "matplotlib", "IPython"}

#: The rows of the five hand-outs, counted apart from the catalogue.
ROWS = {"a": 13, "b": 12, "c": 6, "d": 5, "e": 8}


def letter_of(value: Any) -> str:
    return value.letter if isinstance(value, Lesson) else str(value)


each_lab = pytest.mark.parametrize("lab", LESSONS, ids=letter_of)


def test_the_catalogue_has_every_row_of_the_five_hand_outs() -> None:
    assert {lesson.letter: len(lesson.rows) for lesson in LESSONS} == ROWS
    assert all(row[0] == lesson.letter.upper() for lesson in LESSONS for row in lesson.rows)


@each_lab
def test_it_is_python(lab: Lesson) -> None:
    compile(source(lab.letter), f"{lab.letter}.py", "exec")


@each_lab
def test_every_row_of_its_document_is_held_or_shown(lab: Lesson) -> None:
    words = {node.value for node in ast.walk(ast.parse(source(lab.letter))) if isinstance(node, ast.Constant)}
    assert [row for row in lab.rows if row not in words] == []


@each_lab
def test_it_imports_what_is_public(lab: Lesson) -> None:
    assert hidden_imports(source(lab.letter)) == []


def hidden_imports(text: str) -> list[str]:
    """What a program imports that no guide names: other modules of nablab, other libraries."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in names:
            top = module.split(".")[0]
            public = (
                module in PUBLIC
                or module.startswith(("nablab.report.plots", "nablab.autograd."))
                or (module == "nablab.report" and name.startswith("plots"))
            )
            if name.startswith("_") or (top == "nablab" and not public) or top not in {*LIBRARIES, "nablab"}:
                found.append(f"{module} {name}".strip())
            if module == "nablab" and name and not public_name(name):
                found.append(f"nablab {name}")
    return found


def public_name(name: str) -> bool:
    return name in nablab.__all__ or f"nablab.{name}" in PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        "from nablab.training import loop",
        "import nablab.models.spec",
        "from nablab import training",
        "import pandas",
        "from nablab.lessons.measure import Bounds",
        "def f():\n    from nablab.report.html import render_html",
        "from nablab.report.plots_theme import _PAPER",
    ],
)
def test_what_is_hidden_is_found(text: str) -> None:
    assert len(hidden_imports(text)) == 1


@each_lab
def test_its_texts_and_formulas_can_be_shown(lab: Lesson) -> None:
    texts, notebook = Texts(), lesson_notebook(lab.letter)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            html = texts.html(cell.source)
            assert "$$" not in html, f"a formula is not closed:\n{cell.source}"
    first = texts.headings[0]
    assert first.level == 1
    assert sum(heading.level == 1 for heading in texts.headings) == 1
    assert sum(heading.level == 2 for heading in texts.headings) >= 4


@each_lab
def test_headings_say_which_row_they_are_about(lab: Lesson) -> None:
    texts = Texts()
    for cell in lesson_notebook(lab.letter).cells:
        if cell.cell_type == "markdown":
            texts.html(cell.source)
    assert any(heading.rows for heading in texts.headings)


@each_lab
def test_every_exercise_stands_in_it_as_a_cell_of_its_own(lab: Lesson) -> None:
    cells = [
        cell.source
        for cell in lesson_notebook(lab.letter).cells
        if "exercise" in cell.metadata.get("tags", ())
    ]
    checked = "\n".join(cells)
    assert [one.name for one in exercises(lab.letter) if f'check("{one.name}"' not in checked] == []


@each_lab
def test_opening_it_gives_a_notebook_of_the_same_cells(lab: Lesson, tmp_path: Path) -> None:
    import jupytext

    path = open_lesson(lab.letter, tmp_path)
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert ids == [f"{lab.letter}-{number:03d}" for number in range(1, len(ids) + 1)]
    assert all(not cell.get("outputs") for cell in notebook.cells)
    again = jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent")
    original = jupytext.reads(source(lab.letter), fmt="py:percent")
    assert [(c.cell_type, c.source) for c in again.cells] == [(c.cell_type, c.source) for c in original.cells]


def test_opening_never_overwrites(tmp_path: Path) -> None:
    path = open_lesson("a", tmp_path)
    path.write_text("someone's work", encoding="utf-8")
    with pytest.raises(UserError, match=r"lab-a\.ipynb is already there, and stays as it is"):
        open_lesson("A", tmp_path)
    assert path.read_text(encoding="utf-8") == "someone's work"


def test_a_lab_whose_file_is_gone_is_told(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nablab.lessons.notebook.files", lambda package: tmp_path)
    with pytest.raises(NablabError, match="install nablab again"):
        source("a")
