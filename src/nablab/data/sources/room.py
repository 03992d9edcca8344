"""Room in memory that threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """As many bytes as all threads together may take; who wants more of them than are free waits.

    >>> room = Room(100)
    >>> with room.taken(60), room.taken(40):
    ...     room.free
    0
    >>> room.free
    100
    """

    def __init__(self, size: int) -> None:
        self.size = self.free = size
        self._given_back = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes, or all there are, are free, and hold them within the block."""
        size = min(size, self.size)
        with self._given_back:
            self._given_back.wait_for(lambda: self.free >= size)
            self.free -= size
        try:
            yield
        finally:
            with self._given_back:
                self.free += size
                self._given_back.notify_all()
