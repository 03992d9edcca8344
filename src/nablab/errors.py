"""The errors that nablab raises on purpose: one line that says what, where and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class NablabError(Exception):
    """A failure that nablab explains itself; the command line prints it without a traceback."""

    exit_code = 1


class UserError(NablabError):
    """The user's mistake: nothing was run, nothing was changed (exit code 2)."""

    exit_code = 2


class CannotWrite(NablabError):  # noqa: N818
    """The disk is full, or the folder read-only: nothing more can be stored, what is stored is intact."""


class RunFailed(NablabError):  # noqa: N818
    """A run that could not finish, for example because its loss stopped being a number.

    `step` and `epoch` count from 0 and say where it happened; None where that has no meaning.
    """

    def __init__(self, message: str, *, step: int | None = None, epoch: int | None = None) -> None:
        super().__init__(message)
        self.step = step
        self.epoch = epoch


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint such as `; did you mean lenet or lenet5?`, or the list of all where nothing is near.

    >>> did_you_mean("lenet6", ["lenet", "lenet5", "mlp"])
    '; did you mean lenet or lenet5?'
    """
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(names)}"
