"""A lab as a notebook: from its source, which is jupytext's py:percent, to cells."""

from __future__ import annotations

import os
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.errors import CannotWrite, NablabError, UserError
from nablab.lessons.catalog import lesson
from nablab.lessons.figures import Mode

#: Where a notebook's metadata say what its cells were when a run wrote it, and in which mode.
_RUN = "nablab"


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


def sign(notebook: Any, mode: Mode) -> None:
    """Note in a notebook's metadata how it is run, and what its cells are: so a later run sees edits."""
    notebook.metadata[_RUN] = {"cells": _digest(notebook), "mode": mode}


def mode_of(notebook: Any) -> str:
    """How a notebook was run, `quick` or `full`; empty where it does not say."""
    return str(notebook.metadata.get(_RUN, {}).get("mode", ""))


def check_place(letter: str, folder: Path | str) -> None:
    """See, before a lab runs for a minute or for hours, that it can be written without anybody losing work.

    Raises:
        UserError: a notebook of that name is there, and somebody has worked in it.
        CannotWrite: the folder cannot be made, or not be written to.
    """
    path = Path(folder) / file_name(letter)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot make the folder {path.parent}: {error.strerror or error}") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotWrite(f"the folder {path.parent} cannot be written to; name another one (--out)")
    if path.exists() and not _is_ours(path, letter):
        raise UserError(
            f"{path} is not as nablab wrote it: it may hold your work, and a run would replace it; "
            "name another folder (--out), or move it away"
        )


def _is_ours(path: Path, letter: str) -> bool:
    """Whether a notebook has the cells of the lab, or those that a run of any version left there."""
    nbformat: Any = import_module("nbformat")
    try:
        there = nbformat.read(path, as_version=4)
        signed = there.metadata.get(_RUN, {}).get("cells")
    except Exception:  # nbformat raises whatever its parts do: that is no notebook of ours
        return False
    return _digest(there) in (signed, _digest(lesson_notebook(letter)))


def _digest(notebook: Any) -> str:
    cells = [(cell.cell_type, cell.source.rstrip()) for cell in notebook.cells]
    return sha256(repr(cells).encode()).hexdigest()


def file_name(letter: str, suffix: str = ".ipynb") -> str:
    """
    >>> file_name("A")
    'lab-a.ipynb'
    """
    return f"lab-{lesson(letter).letter}{suffix}"
