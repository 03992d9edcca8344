"""The executed labs under docs/: what the sources are now, whole, and with every figure met."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from nablab.lessons import LESSONS, lesson
from nablab.lessons.execute import failures_of, figures_of, run_lesson
from nablab.lessons.notebook import lesson_notebook

EXECUTED = Path(__file__).parents[2] / "docs" / "lessons"

#: The quickest of them: run whole with the tests; the others by `make lessons`.
QUICKEST = "c"

each_lab = pytest.mark.parametrize("letter", [lesson.letter for lesson in LESSONS])


def executed(letter: str):
    return nbformat.read(EXECUTED / f"lab-{letter}.ipynb", as_version=nbformat.NO_CONVERT)


@each_lab
def test_it_is_the_lab_as_it_is_now(letter: str) -> None:
    def cells(notebook):
        return [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells]

    assert cells(executed(letter)) == cells(lesson_notebook(letter)), (
        "run again: nablab lesson run all --quick --no-pages --out docs/lessons"
    )


@each_lab
def test_it_ran_whole_and_met_its_figures(letter: str) -> None:
    notebook, of = executed(letter), lesson(letter)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert list(failures_of(notebook)) == []
    figures = figures_of(notebook, of)
    assert all(figure.met for figure in figures)
    assert {figure.row for figure in figures} == set(of.rows)
    assert sum(bool(figure.found) for figure in figures) >= 10


@each_lab
def test_it_shows_what_a_check_says_refused_and_right(letter: str) -> None:
    said = "".join(
        output.get("text", "") for cell in executed(letter).cells for output in cell.get("outputs", ())
    )
    assert re.search(rf"^✗ {letter}\d+[a-z]?: ", said, re.MULTILINE)
    assert re.search(rf"^✓ {letter}\d+[a-z]?: right$", said, re.MULTILINE)


@each_lab
def test_it_says_nothing_of_the_machine_it_ran_on(letter: str) -> None:
    path = EXECUTED / f"lab-{letter}.ipynb"
    outputs = [
        str(value)
        for cell in executed(letter).cells
        for output in cell.get("outputs", ())
        for value in (output.get("text", ""), *output.get("data", {}).values())
    ]
    said = "\n".join(value for value in outputs if not value.startswith(("iVBOR", "/9j/")))
    assert not re.search(r"/(home|root|work|tmp)/|ipykernel_\d|\bat 0x[0-9a-f]{6,}|Warning:", said)
    assert path.stat().st_size < 1_500_000


def test_the_quickest_runs_whole(tmp_path: Path) -> None:
    run = run_lesson(QUICKEST, tmp_path)
    assert run.failures == ()
    assert run.missing == ()
    assert run.ok
