"""Ctrl-C between two events, not in the middle of a step, so that what is stored is of one moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the first Ctrl-C; a second one is raised where it arrives."""
        if self.requested or self._at_once:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Raise what was asked for.

        Raises:
            KeyboardInterrupt: the user asked to stop.
        """
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """While nothing is worth waiting for: the first Ctrl-C is raised where it arrives, too."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False


@contextmanager
def deferred_interrupts() -> Iterator[Interrupt]:
    """Let Ctrl-C set a flag instead of raising, where this thread is the one that would receive it."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
