"""The errors that nablab raises on purpose: one line that says what, where and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

# Control characters, those of terminals too, ends of lines and paragraphs, and bytes that are not UTF-8.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class NablabError(Exception):
    """A failure that nablab explains itself; the command line prints it without a traceback.

    Its message is one line that can be printed, also where it repeats names and texts of others' files.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(_CONTROL.sub(lambda found: repr(found[0])[1:-1], message))


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


def has_control(text: str) -> bool:
    """Whether a text has characters that do not belong on a line, or cannot be encoded.

    >>> has_control("Bär"), has_control("line\\nbreak"), has_control("\\udce4")
    (False, True, True)
    """
    return _CONTROL.search(text) is not None


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
