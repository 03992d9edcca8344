"""The one way randomness is drawn: from a key (seed, purpose, numbers), never from a stream.

A stream has to be replayed to the place where a run was interrupted; a key does not. What an image is
augmented with, or which units dropout drops for it, depends on (seed, purpose, epoch, position) alone, so
that a resumed run, a run with another batch size before it, or one that skipped an epoch draws the same.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

# SplitMix64: the increment and the two multipliers of its mixing function (variant 13 of Stafford).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator (Philox) that is a function of its key: equal keys draw equal numbers.

    Args:
        seed: what the user sets.
        purpose: what the numbers are for; two purposes never share numbers.
        numbers: what else they depend on, such as the epoch.

    >>> bool(generator(0, "order", 3).integers(100) == generator(0, "order", 3).integers(100))
    True
    """
    return np.random.Generator(np.random.Philox(key=_digest(seed, purpose, numbers, size=16)))


def uniforms(seed: int, purpose: str, epoch: int, positions: ArrayLike, count: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), `count` for each position, each row a function of its own key.

    Row i depends on (seed, purpose, epoch, positions[i]) and on nothing else, and its first numbers stay
    the same when `count` grows. The numbers are SplitMix64's (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", OOPSLA 2014), computed here so that no version of NumPy changes them:
    the order of a data set hangs on them.

    Args:
        positions: (N,) whole numbers.

    Returns:
        (N, count)
    """
    start = np.uint64(_digest(seed, purpose, (epoch,), size=8))
    row_keys = _mix(start + np.asarray(positions).astype(np.uint64) * _GOLDEN)
    bits = _mix(row_keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output for each state; arithmetic is modulo 2^64, as it is meant to be."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


@lru_cache(maxsize=1024)
def _digest(seed: int, purpose: str, numbers: tuple[int, ...], *, size: int) -> int:
    """A number of `size` bytes from the key.

    A hash of its text, and not NumPy's SeedSequence, which takes the keys (1,) and (1, 0) for one.
    """
    key = repr((int(seed), purpose, *(int(number) for number in numbers)))
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=size).digest(), "little")
