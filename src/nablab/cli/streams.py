"""What a command prints to: with `--json` stdout is for the document alone, whatever a user's code prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TextIO

#: Where results go while all else is kept from stdout.
_kept: ContextVar[TextIO | None] = ContextVar("kept", default=None)


def results() -> TextIO:
    """Where a command prints its result: stdout, also while that is kept for nothing else."""
    return _kept.get() or sys.stdout


@contextmanager
def stdout_for_results() -> Iterator[None]:
    """Send to stderr what is printed meanwhile, by Python, by C, or by a process begun meanwhile."""
    with _stdout_apart() as stream, redirect_stdout(sys.stderr):
        token = _kept.set(stream)
        try:
            yield
        finally:
            _kept.reset(token)


@contextmanager
def _stdout_apart() -> Iterator[TextIO]:
    """A stream to where stdout leads, while the process's own leads to stderr."""
    own = sys.__stdout__
    if own is None or sys.stdout is not own:  # Python prints elsewhere already, and the process nothing
        yield sys.stdout
        return
    own.flush()
    held = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(held, "w", encoding=own.encoding, errors=own.errors, closefd=False) as stream:
            yield stream
    finally:
        own.flush()
        os.dup2(held, 1)
        os.close(held)


@contextmanager
def reader_may_leave() -> Iterator[TextIO]:
    """The stream of results; from where its reader leaves (`| head`) on, it takes everything in silence."""
    stream = results()
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
