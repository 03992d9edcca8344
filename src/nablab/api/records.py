"""Results that are there: opening, listing, showing and deleting them."""

from __future__ import annotations

from pathlib import Path

from nablab.api.comparison import Comparison
from nablab.api.paths import as_path
from nablab.api.sheet import Sheet
from nablab.api.trained import TrainedRun
from nablab.errors import UserError
from nablab.report import words


def results(folder: str | Path) -> Comparison:
    """The results in a comparison's folder, in one run's, or in a folder of comparisons on the same data.

    Raises:
        UserError: there are no runs.
    """
    from nablab.runs.store import find_runs

    folder = as_path(folder, "the folder of results")  # by `~` in a notebook far from them
    find_runs(folder)
    return Comparison(folder)


def list_runs(folder: str | Path = "runs") -> Sheet:
    """Every run in a folder, whatever it trained on, also one whose record cannot be read.

    Raises:
        UserError: there are none.
    """
    from nablab.runs.store import find_runs

    rows = []
    for run in find_runs(as_path(folder, "a folder of runs")):
        try:
            record = run.record()
        except UserError:  # `show_run` says why
            rows.append((str(run.path), *[words.NOTHING] * 3, "unreadable", words.NOTHING))
            continue
        status = record.status
        if status == "running" and not run.is_live:
            status = "interrupted"
        accuracy = words.percent(record.totals.test_accuracy) if record.totals else words.NOTHING
        when = record.created[:16].replace("T", " ")
        rows.append(
            (str(run.path), when, record.data.name, words.share(record.data.fraction), status, accuracy)
        )
    headings = ("run", "begun (UTC)", "data", "of it", "status", "test accuracy")
    return Sheet(headings, tuple(rows), right=frozenset({"of it", "test accuracy"}))


def show_run(folder: str | Path) -> TrainedRun:
    """One run.

    Raises:
        UserError: there is none in the folder, or several.
    """
    return TrainedRun(single_run(folder))


def delete_run(*folders: str | Path) -> None:
    """Remove the folders of runs with all that they hold; where one of them is refused, none.

    Raises:
        UserError: there is no run in a folder itself, or a process works on it.
        NablabError: one cannot be removed.
    """
    from nablab.runs.store import RECORD, RunFolder

    runs = list(dict.fromkeys(RunFolder(as_path(folder, "a run's folder")) for folder in folders))
    for run in runs:
        if not run.exists:
            raise UserError(f"no run in {run.path} (it has no {RECORD}); nothing was deleted")
        if run.is_live:
            raise UserError(f"a process works on {run.path}; nothing was deleted")
    for run in runs:
        run.delete()


def single_run(folder: str | Path) -> Path:
    """The folder of the one run in `folder`.

    Raises:
        UserError: there is none, or several.
    """
    from nablab.runs.store import find_runs

    runs = find_runs(as_path(folder, "a run's folder"))
    if len(runs) > 1:
        raise UserError(f"{folder} holds {len(runs)} runs; name one of them, for example {runs[0].path}")
    return runs[0].path
