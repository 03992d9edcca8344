"""Files for libraries that believe what headers say."""

from __future__ import annotations

import io
import os
from pathlib import Path

_SMALL = 2**16


class BoundedFile(io.BufferedReader):
    """A file opened to be read, of which no more is asked for than it has.

    Python takes memory for as many bytes as `read` is asked for, before it looks how many there are: Pillow's
    formats ask for what a header announces, which may be gigabytes.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._length = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes; all that follow where it is negative or None."""
        if size is not None and size > _SMALL:
            size = min(size, max(self._length - self.tell(), 0))
        return super().read(size)
