"""Features that were computed before, by the images that they are of."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.errors import CannotWrite

Rows = NDArray[np.float32]


class FeatureCache:
    """A file of rows by 16-byte keys. Several processes may write it: the last wins, and all are right."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """The places of the keys that are not there, each key once."""
        first = {key: place for place, key in reversed(list(enumerate(keys)))}
        return sorted(place for key, place in first.items() if key not in self._known)

    def rows(self, keys: Sequence[bytes]) -> Rows:
        """The rows (N, D) of keys that are all there."""
        return np.stack([self._known[key] for key in keys])

    def add(self, keys: Sequence[bytes], rows: Rows) -> None:
        """Keep rows, also on disk where that can be written: a full disk costs time, not the result."""
        self._known.update(zip(keys, rows, strict=True))
        names = np.frombuffer(b"".join(self._known), np.uint8).reshape(-1, 16)
        values = np.stack(list(self._known.values()))
        try:
            atomic.write_with(
                self._path, lambda temporary: np.savez(temporary, keys=names, rows=values, allow_pickle=False)
            )
        except CannotWrite:
            return

    @cached_property
    def _known(self) -> dict[bytes, Rows]:
        """What the file has; nothing, where it cannot be read."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                names, values = stored["keys"], stored["rows"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        return {name.tobytes(): row for name, row in zip(names, values, strict=True)}
