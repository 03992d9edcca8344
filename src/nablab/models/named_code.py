"""Whose code is run: what its user names, and nothing that only the records of a folder name.

A model may be a file, and a file runs when it is loaded. Results are passed on, and their records name
files; so a name from a record is followed only where this user gave it before, on a command line, in Python,
or in an experiment's file. Names are kept by place, not by content: a file of one's own may be edited. They
are kept in the user's home and not with the results, where whoever wrote these could write them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from nablab import atomic
from nablab.errors import CannotWrite, UserError

#: The folder whose records name what is resolved now; None where the user does.
_records: ContextVar[Path | None] = ContextVar("records", default=None)

#: What was named in this process: all there is, where the home cannot be written.
_named: set[str] = set()


@contextmanager
def named_by(records: Path) -> Iterator[None]:
    """What is resolved meanwhile is named by the records in a folder, and not by the user."""
    token = _records.set(records)
    try:
        yield
    finally:
        _records.reset(token)


def name_code(reference: str, place: str) -> None:
    """Take note of code that the user names; refuse what records name and the user never did.

    Args:
        reference: of the model, as it is written.
        place: what is loaded: a file, or the name of a backbone.

    Raises:
        UserError: how to go on.
    """
    records = _records.get()
    if records is None:
        _remember(_absolute(place))
    else:
        check_named(reference, place, f"{records} names")


def check_named(reference: str, place: str, who: str = "an estimator works on") -> None:
    """Refuse code that the user never named.

    Args:
        who: names it, for the message.

    Raises:
        UserError: how to go on.
    """
    code = _absolute(place)
    if code not in _named and not os.path.isfile(_note(code)):
        raise UserError(
            f"{who} code that you never named, {place}, which may be somebody else's; read it, and if it may "
            f"run here, {_first_needed()}name it once yourself: nablab inspect {reference} --data DATA"
        )


def _first_needed() -> str:
    """What naming code needs before it, where it would be forgotten with the process."""
    folder = _state_folder()
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return (
        f"set XDG_STATE_HOME to a folder of yours that can be written, for {folder}, where names are kept, "
        "cannot; then "
    )


def _remember(code: str) -> None:
    _named.add(code)
    with suppress(CannotWrite):  # then it is known in this process
        if not os.path.isfile(_note(code)):
            atomic.write_text(_note(code), code + "\n")


def _note(code: str) -> Path:
    """The file that says that this code was named."""
    return _state_folder() / "named" / hashlib.sha256(code.encode("utf-8", "surrogateescape")).hexdigest()


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
    return Path(os.path.expanduser(state)) / "nablab"


def _absolute(place: str) -> str:
    """A file wherever it is named from; other names as they are."""
    path = Path(os.path.expanduser(place))
    return str(path.resolve()) if path.suffix in (".py", ".pt2") else place
