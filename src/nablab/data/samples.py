"""Samples by row: arrays in memory, or large ones that stay in their files, of which some rows are read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from nablab.data.mapped import MappedArray

Array: TypeAlias = NDArray[Any]
RowNumbers: TypeAlias = NDArray[np.int64]

#: Samples of up to so many bytes are read into memory; larger ones stay in their file as `LazyRows`.
READ_BYTES = 2**28
#: Numbers in a block, unless told otherwise: few enough for a processor's cache.
BLOCK = 2**19


class Samples(Protocol):
    """What a data set holds its images in: as much of an array as `LazyRows` has too.

    Index rows (a number, a slice, numbers or truth values), and only them: that gives an array in memory. For
    what needs all rows of a set that may be large, go over `blocks`.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> Any: ...
    def __array__(self) -> Array: ...
    def astype(self, dtype: Any, /) -> Any: ...


@final
@dataclass(frozen=True, eq=False)
class LazyRows:
    """Rows of an array that is too large to be copied; what is indexed is read, and nothing else is.

    Attributes:
        values: (M, ...) as stored, memory-mapped where `file` says so.
        rows: (N,) which of them these are, in their order.
        dtype: uint8 or float32, which values become when they are read.
        spans: (M, 2) float32, the smallest and largest value of each stored row, NaN where it holds one; None
            for bytes, of which all are allowed.
        file: where `values` lies; None where it is in memory.

    >>> lazy = LazyRows(np.eye(3), np.array([2, 0]), np.dtype(np.float32))
    >>> lazy.shape, lazy[0]
    ((2, 3), array([0., 0., 1.], dtype=float32))
    """

    values: Array
    rows: RowNumbers
    dtype: np.dtype[Any]
    spans: NDArray[np.float32] | None = None
    file: MappedArray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        return self.values.ndim

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """What all rows would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any, /) -> Array:
        """One sample for a number, else those of a slice, of row numbers or of truth values (N,)."""
        chosen = self.rows[rows]
        return self._read(chosen[None])[0] if chosen.ndim == 0 else self._read(chosen)

    def __iter__(self) -> Iterator[Array]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it in memory; `copy=False` cannot be had."""
        if copy is False:
            raise ValueError("rows that are read from a file are always a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def select(self, rows: RowNumbers) -> LazyRows:
        """Rows of these rows; nothing is read."""
        return replace(self, rows=self.rows[rows])

    def forwards(self) -> LazyRows:
        """The same rows in the order in which they are stored, for what does not mind and reads all."""
        return replace(self, rows=np.sort(self.rows))

    def astype(self, dtype: Any) -> LazyRows:
        """The same rows, read as another type."""
        return replace(self, dtype=np.dtype(dtype))

    def _read(self, rows: RowNumbers) -> Array:
        """(n, ...) C-contiguous. Read forwards, whatever the order of the rows: so a disk goes one way."""
        order = np.argsort(rows, kind="stable")
        out = np.empty((len(rows), *self.values.shape[1:]), self.dtype)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused
            out[order] = self.values[rows[order]]
        return out


def select(x: Samples, rows: RowNumbers) -> Samples:
    """These rows: of an array a copy, of rows in a file a note of which."""
    return x.select(rows) if isinstance(x, LazyRows) else x[rows]


def blocks(x: Samples, rows: RowNumbers | None = None, *, numbers: int = BLOCK) -> Iterator[Array]:
    """All samples in their order, or those of `rows`, in arrays (n, ...) of about so many numbers.

    >>> [block.tolist() for block in blocks(np.arange(5), numbers=2)]
    [[0, 1], [2, 3], [4]]
    """
    step = max(1, numbers // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x) if rows is None else len(rows), step):
        part = slice(start, start + step)
        yield x[part] if rows is None else x[rows[part]]


def spans(values: Array) -> NDArray[np.float32]:
    """The smallest and largest value of each row, float32 (N, 2), NaN in a row that holds one."""
    found = np.empty((len(values), 2), np.float32)
    start = 0
    with np.errstate(over="ignore"):
        for block in blocks(values):
            flat = block.reshape(len(block), -1)
            found[start : start + len(block)] = np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1)
            start += len(block)
    return found


def limits(x: Samples) -> tuple[float, float]:
    """The smallest and largest value."""
    if not isinstance(x, LazyRows):
        return float(np.min(x)), float(np.max(x))
    found = spans(x.values)[x.rows] if x.spans is None else x.spans[x.rows]
    return float(found[:, 0].min()), float(found[:, 1].max())


def resident_bytes(x: Samples) -> int:
    """What the values take in memory; those in a file take none that the system could not have back."""
    if isinstance(x, LazyRows):
        return 0 if x.file else x.values.nbytes
    return x.nbytes


def first_not_finite(x: Samples) -> int | None:
    """The first row that holds NaN or an infinite value; None where none does."""
    if x.dtype == np.uint8:
        return None
    if isinstance(x, LazyRows):
        found = spans(x.values) if x.spans is None else x.spans
        finite = np.isfinite(found[:, 0] + found[:, 1])[x.rows]
    else:
        finite = np.concatenate([np.isfinite(b).reshape(len(b), -1).all(axis=1) for b in blocks(x)])
    return None if finite.all() else int(np.argmin(finite))
