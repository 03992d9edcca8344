"""Memory for intermediate values that stays with its thread.

What is allocated and freed for every batch may go back to the system each time, and every page of it costs
a fault when it is used again: measured, that took as long as the computation itself.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: More than this is not kept.
_KEPT_BYTES = 2**22


class Scratch(threading.local):
    """Arrays by name. One that is asked for again has the memory, and what is left in it, of the last."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        """An array of any content: of no use after the next call with this name."""
        size = math.prod(shape) * np.dtype(kind).itemsize
        if size > _KEPT_BYTES:
            return np.empty(shape, kind)
        memory = self._kept.get(name)
        if memory is None or memory.size < size:
            memory = self._kept[name] = np.empty(size, np.uint8)
        return memory[:size].view(kind).reshape(shape)
