"""A lab as a notebook: from its source, which is jupytext's py:percent, to cells."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.errors import NablabError, UserError
from nablab.lessons.catalog import lesson


def source(letter: str) -> str:
    """The text of a lab, as it is kept: plain Python with marked cells.

    Raises:
        UserError: there is no such lab.
        NablabError: its file is not where it was installed.
    """
    file = files("nablab.lessons") / "labs" / f"{lesson(letter).letter}.py"
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise NablabError(f"{file} cannot be read ({error.strerror}): install nablab again") from error


def lesson_notebook(letter: str) -> Any:
    """The lab as an `nbformat` 4.5 notebook that was not run: tags kept, cells named by their order.

    Raises:
        UserError: there is no such lab.
    """
    import jupytext

    from nablab.report.notebook_run import kernel_metadata

    letter = lesson(letter).letter
    from_dict: Any = import_module("nbformat").from_dict
    notebook: Any = jupytext.reads(source(letter), fmt="py:percent")
    notebook.metadata = from_dict(kernel_metadata())
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{letter}-{number:03d}"
        cell.metadata = from_dict({"tags": cell.metadata.tags} if "tags" in cell.metadata else {})
    return notebook


def open_lesson(letter: str, folder: Path | str = ".") -> Path:
    """Write a lab into a folder, as a notebook that was not run; returns its path.

    Raises:
        UserError: there is no such lab, or a file of that name is there: it may hold someone's work.
        NablabError: the folder cannot be written to.
    """
    from nablab.report.notebook_run import notebook_text

    path = Path(folder) / file_name(letter)
    if path.exists():
        raise UserError(f"{path} is already there, and stays as it is; move it away, or name another folder")
    atomic.write_text(path, notebook_text(lesson_notebook(letter)))
    return path


def file_name(letter: str, suffix: str = ".ipynb") -> str:
    """
    >>> file_name("A")
    'lab-a.ipynb'
    """
    return f"lab-{lesson(letter).letter}{suffix}"
