"""Paths and names as users give them."""

from __future__ import annotations

import os
from pathlib import Path

from nablab.errors import UserError


def as_path(given: object, what: str) -> Path:
    """A path, with `~` as the home.

    >>> as_path("runs", "a folder")
    PosixPath('runs')

    Raises:
        UserError: it is none; `what` says what is needed.
    """
    if not isinstance(given, str | os.PathLike):
        raise UserError(f"{given!r:.80} is no path; give {what} as a text or a Path")
    try:
        return Path(given).expanduser()
    except RuntimeError:  # ~nobody
        return Path(given)


def as_name(given: object, what: str) -> str:
    """A name.

    >>> as_name("digits", "the name of a data set")
    'digits'

    Raises:
        UserError: it is no text; `what` says what is needed.
    """
    if not isinstance(given, str):
        raise UserError(f"{given!r:.80} is no text; give {what}")
    return given
