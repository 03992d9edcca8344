"""How many runs compute at the same time, and with how many threads each. Decided once, when planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.machine import memory_bytes, usable_cores
from nablab.models.model import Model
from nablab.training.feed import kept_of

#: Multiply-accumulates for one image, up to which a network is too small to keep two threads busy.
#: Measured on two cores, two single-thread runs against one with two threads: one linear layer 1.75 times
#: as fast, an MLP 2 times, lenet5 (0.4 million) 1.3 times; fashion_cnn-sized networks gain nothing.
SMALL_MACS = 3_000_000

#: What a process takes before it holds any data: Python, PyTorch, scikit-learn.
PROCESS_BYTES = 450 * 2**20


def decide(
    jobs: int | Literal["auto"],
    *,
    threads: int,
    runs: int,
    models: Sequence[Model],
    macs: Sequence[int | None],
    dataset: Dataset,
    device: str,
) -> tuple[int, int]:
    """(runs at a time, threads of each).

    Args:
        jobs: as asked, and no more than there are runs; `auto` chooses more than one where that is faster.
        threads: of each run as asked; 0 shares the cores out.
        runs: how many there are.
        models: all of them.
        macs: of each model, None where not known (estimators).
        dataset: whose copies in memory limit how many run at a time.
        device: `cpu`, `cuda` or `mps`; accelerators are not shared.

    Raises:
        UserError: `jobs` is not a whole number from 1, or above 1 with classes or objects of this process.
    """
    cores = usable_cores()
    live = [model.label for model in models if model.live]
    if jobs == "auto":
        small = all(m is None or m <= SMALL_MACS for m in macs)
        together = not live and device == "cpu" and small
        at_once = max(1, min(runs, cores // max(threads, 1), _fit_memory(dataset))) if together else 1
    elif isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UserError(f"jobs must be a whole number from 1, or auto, not {jobs!r}")
    elif jobs > 1 and live:
        raise UserError(
            f"{live[0]} is a class or object of this Python and cannot be sent to another process; "
            f"use jobs=1, or name it by its file (file.py:Class)"
        )
    else:
        at_once = min(jobs, runs)
    return at_once, threads or max(1, cores // at_once)


def _fit_memory(dataset: Dataset) -> int:
    """How many runs fit in half of the memory, each with its images as float32 where it keeps them."""
    images = kept_of(dataset, len(dataset.x_train) + len(dataset.x_test))
    return max(1, memory_bytes() // 2 // (PROCESS_BYTES + images))
