"""What attempts that did not end left in a folder, and links that lead out of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nablab.atomic import is_unfinished
from nablab.errors import CannotWrite
from nablab.runs.checkpoint import CHECKPOINT
from nablab.runs.deciding import DECIDING
from nablab.runs.estimator_file import ESTIMATOR, FEATURES, NEIGHBOURS
from nablab.runs.store import EXAMPLES, METRICS, PREDICTIONS, RECORD, WEIGHTS

#: What a run stores when it ends. Which of these there are says what was trained.
_ANSWERS = (PREDICTIONS, EXAMPLES, WEIGHTS, ESTIMATOR, NEIGHBOURS, FEATURES, DECIDING)
#: What it stores while it lasts, and goes on from.
_STATE = (RECORD, METRICS, CHECKPOINT)


def remove_leftovers(folder: Path) -> None:
    """Clear the folder of a run that is about to begin or to go on.

    What an earlier attempt answered goes, since it may have been of another model in the same file; and so do
    files that a killed process had not finished.

    Raises:
        CannotWrite: one cannot be removed.
    """
    known = (*_ANSWERS, *_STATE)
    for path in folder.iterdir():
        if path.name in _ANSWERS or is_unfinished(path.name, known):
            _remove(path)
    remove_links(folder, _STATE)


def remove_links(folder: Path, names: Iterable[str]) -> None:
    """Let files of a folder be its own: what a link leads to, in results of somebody else, is not written to.

    Raises:
        CannotWrite: one cannot be removed.
    """
    for path in (folder / name for name in names):
        if path.is_symlink():
            _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot remove {path}: {error.strerror or error}") from error
