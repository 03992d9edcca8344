"""The delivery: a notebook with the models, their training and all plots, run from a fresh kernel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.analysis.results import Results, load_results
from nablab.errors import CannotWrite, UserError
from nablab.report.notebook_cells import Cell, Material, cells, quoted
from nablab.report.notebook_run import execute, kernel_metadata, machine_paths, notebook_text, scrub
from nablab.report.view import ComparisonView, comparison_view
from nablab.report.view_context import nearest_preset
from nablab.runs.experiment import EXPERIMENT, Experiment, read_experiment

#: Of the recipe, decided by the plan or given otherwise.
_NOT_ARGUMENTS = ("seed", "threads")


def write_notebook(folder: Path | str, path: Path | str, train: bool = False) -> None:
    """Write the executed notebook of a comparison.

    It finds its records by a path relative to itself, so the two may move together; or, from outside of the
    user's home, by one from `~`. Cells are numbered from 1, outputs are inside, nothing in it names this
    machine's folders.

    Args:
        folder: of the results.
        path: of the notebook, `.ipynb`.
        train: train inside of it, into `<name of the notebook>-runs` beside it, instead of reading records.

    Raises:
        UserError: no results there; or, with `train`, models or data that only a Python session had, or a
            folder of an earlier training in the way.
        NablabError: a cell failed, or the file cannot be written.
    """
    path = Path(path).absolute()
    results = load_results(folder)
    view = comparison_view(results)
    experiment = _experiment(results, needed=train)
    material = Material(
        view=view,
        results=_relative(results.folder, path.parent),
        data=_data_expression(view, experiment, path.parent, needed=train),
        source_files=source_files(results, path.parent),
        training=_arguments(experiment, path, len(results.runs)) if train and experiment is not None else {},
    )
    _make_folder(path.parent)
    notebook = make_notebook(cells(material))
    execute(notebook, path.parent)
    scrub(notebook, machine_paths(path.parent))
    atomic.write_text(path, notebook_text(notebook))


def make_notebook(content: Sequence[Cell]) -> Any:
    """An `nbformat` 4.5 notebook of these cells, not run yet; equal cells give an equal notebook."""
    v4: Any = import_module("nbformat.v4")
    made = []
    for number, cell in enumerate(content, start=1):
        new = v4.new_markdown_cell if cell.kind == "markdown" else v4.new_code_cell
        made.append(new(cell.source, id=f"cell-{number:03d}"))
    return v4.new_notebook(cells=made, metadata=kernel_metadata())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _experiment(results: Results, *, needed: bool) -> Experiment | None:
    try:
        return read_experiment(results.folder / EXPERIMENT)
    except UserError:
        if needed:
            raise
        return None


def _data_expression(
    view: ComparisonView, experiment: Experiment | None, beside: Path, *, needed: bool
) -> str:
    """What loads the very images of the records again; empty where nothing does."""
    from nablab.data import load
    from nablab.data.sources import SOURCES

    if experiment is None:
        return ""
    reference, options = experiment.data_reference.reference, experiment.data_reference.options
    try:
        unchanged = load(reference, **options).fingerprint == view.data.fingerprint
    except UserError:
        if needed:
            raise
        return ""
    if not unchanged and not needed:
        return ""
    known = reference.lower() in SOURCES
    shown = reference if known else _relative(Path(reference).expanduser(), beside)
    arguments = [quoted(shown), *(f"{name}={_literal(value)}" for name, value in options.items())]
    return f"nablab.load({', '.join(arguments)})"


def _literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def source_files(results: Results, beside: Path) -> dict[str, str]:
    """The files of users' modules that are still what was trained."""
    found = {}
    for run in results.runs:
        source = run.record.model.source_file
        if source is not None and _is_unchanged(Path(source.path), source.sha256):
            found[run.label] = _relative(Path(source.path), beside)
    return found


def _is_unchanged(path: Path, digest: str) -> bool:
    try:
        return sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _arguments(experiment: Experiment, path: Path, runs: int) -> dict[str, Any]:
    """The arguments of `nablab.compare` that repeat the experiment, of so many runs, beside the notebook.

    Raises:
        UserError: the folder that it would train into is not empty.
    """
    out = path.with_name(f"{path.stem}-runs")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; move it away, or give the notebook another name")
    preset, differences = nearest_preset(experiment.recipe, _NOT_ARGUMENTS)
    arguments: dict[str, Any] = {
        "models": [_moved(reference, path.parent) for reference in experiment.models],
        "fractions": None if experiment.fractions is None else list(experiment.fractions),
        "seeds": list(experiment.seeds) if isinstance(experiment.seeds, tuple) else experiment.seeds,
        "test_fraction": None if experiment.test_fraction == 1 else experiment.test_fraction,
        "resample": experiment.resample or None,
        "jobs": experiment.jobs if experiment.jobs == "auto" else min(experiment.jobs, runs),
        "preset": preset,
        **{difference.name: difference.value for difference in differences},
        "out": out.name,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _moved(reference: str, beside: Path) -> str:
    """A user's file as it is named from the notebook's folder; other references as they are."""
    file, colon, name = reference.rpartition(":")
    return f"{_relative(Path(file), beside)}:{name}" if colon and file.endswith(".py") else reference


def _relative(path: Path, start: Path) -> str:
    """A path from `start`; from `~` where it would lead from outside into the user's home, by its name."""
    path, start, home = path.resolve(), start.resolve(), Path.home().resolve()
    if path.is_relative_to(home) and not start.is_relative_to(home):
        return (Path("~") / path.relative_to(home)).as_posix()
    return Path(os.path.relpath(path, start)).as_posix()
