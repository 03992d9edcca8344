"""Which samples are the same to the last bit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.samples import blocks

Rows = NDArray[np.int64]

_DIGEST = 16  # bytes: among a thousand million images, two that differ collide with probability 1e-21


@dataclass(frozen=True, eq=False)
class Copies:
    """The samples by what they hold. Rows count through both parts: the training rows, then the test rows.

    Attributes:
        of_row: (N + M,) a number for each row, the same for equal samples.
        firsts: (U,) the first row of each different sample, ascending.
        groups: the rows of each sample that is there more than once, ascending; most copies first.
    """

    of_row: Rows
    firsts: Rows
    groups: tuple[Rows, ...]


def find_copies(dataset: Dataset, progress: Progress | None = None) -> Copies:
    """Compare all samples by a hash of their values (BLAKE2b, 128 bits), a block at a time.

    >>> from nablab.data import load
    >>> find_copies(load("digits")).groups
    ()
    """
    total = len(dataset.x_train) + len(dataset.x_test)
    digests = np.empty(total, dtype=f"S{2 * _DIGEST}")
    row = 0
    for block in chain(blocks(dataset.x_train), blocks(dataset.x_test)):
        # Added because -0.0 and 0.0 are equal, and shall hash alike.
        for sample in np.array(block + block.dtype.type(0), order="C"):
            digests[row] = hashlib.blake2b(sample.data, digest_size=_DIGEST).hexdigest()
            row += 1
        if progress:
            progress("looking for copies", row, total)
    _, firsts, of_row, counts = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)
    return Copies(of_row.astype(np.int64), np.sort(firsts).astype(np.int64), _groups(of_row, counts))


def _groups(of_row: Rows, counts: Rows) -> tuple[Rows, ...]:
    by_number = np.argsort(of_row, kind="stable").astype(np.int64)
    ends = np.cumsum(counts)
    several = np.flatnonzero(counts > 1)
    groups = [by_number[ends[number] - counts[number] : ends[number]] for number in several]
    return tuple(sorted(groups, key=lambda rows: (-len(rows), int(rows[0]))))
