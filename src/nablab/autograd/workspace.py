"""Large arrays whose memory is used again.

Fresh memory is slow: the system hands it out page by page, each filled with zeros when it is first touched.
So a block goes into a pool when the last array on it is gone, which for what a graph saved is when the graph
is freed, and the next array of that size gets it. Nobody has to return anything.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from threading import local

import numpy as np
from numpy.typing import NDArray

from nablab.autograd.dtypes import Array, DType

#: Smaller arrays come from NumPy; when more bytes than this are free, all go back to the system.
SMALLEST, LARGEST_POOL = 1 << 16, 1 << 29

Block = NDArray[np.uint8]


class Pool(local):
    """Free blocks by size. Each thread has its own: what it used last is still in its core's cache."""

    def __init__(self) -> None:
        self._free: dict[int, list[Block]] = {}
        self.free_bytes = 0

    def take(self, size: int) -> Block:
        """A block of at least `size` bytes, with anything in it."""
        size = -(-size // SMALLEST) * SMALLEST
        if not self._free:
            _keep_freed_memory()
        try:
            block = self._free[size].pop()
        except (KeyError, IndexError):
            return np.empty(size, np.uint8)
        self.free_bytes -= size
        return block

    def put(self, block: Block) -> None:
        """Take a block back."""
        self._free.setdefault(block.size, []).append(block)
        self.free_bytes += block.size
        if self.free_bytes > LARGEST_POOL:
            self._free.clear()
            self.free_bytes = 0


pool = Pool()


def _keep_freed_memory() -> None:
    """Have the C library keep for later what is freed, for arrays that do not come from here.

    The GNU library asks the system for each large array anew until one of that size was freed; from then on
    (up to 32 MiB) it keeps and reuses them. On others this does nothing.
    """
    np.empty((32 << 20) - (1 << 16), np.uint8)


class _Loan:
    """The owner of an array's memory, as NumPy sees it: lives as long as any array or view on it."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: Block, shape: tuple[int, ...], dtype: DType) -> None:
        self._block = block
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (block.__array_interface__["data"][0], False),
            "version": 3,
        }

    def __del__(self, put: Callable[[Block], None] = pool.put) -> None:
        put(self._block)


def empty(shape: tuple[int, ...], dtype: DType) -> Array:
    """As `np.empty`, from used memory where the array is large."""
    size = prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    return np.asarray(_Loan(pool.take(size), shape, dtype))
