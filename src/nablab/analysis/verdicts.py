"""The statistics of `comparison`, applied to runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.comparison import Pair, Sample, compare_all
from nablab.analysis.metrics import predicted
from nablab.analysis.results import Results, RunData


def sample(runs: Sequence[RunData], *, resampled: bool = False) -> Sample:
    """Which test images each of these runs of one model got right.

    `resampled`: seeds drew the training images too, so that even a method without chance varies with them.
    Only test images that all of the runs were measured on count.

    Raises:
        UserError: predictions that cannot be read.
    """
    images = reduce(np.intersect1d, [run.predictions.indices for run in runs[1:]], _sorted_images(runs[0]))
    correct = []
    for run in runs:
        right = predicted(run.predictions.scores) == run.predictions.y
        order = np.argsort(run.predictions.indices)
        places = order[np.searchsorted(run.predictions.indices, images, sorter=order)]
        correct.append(right[places])
    seeded = runs[0].record.model.seeded or resampled
    return Sample(runs[0].label, np.stack(correct), images, seeded)


def _sorted_images(run: RunData) -> NDArray[np.int64]:
    return np.unique(run.predictions.indices)


def verdicts(results: Results, fraction: float) -> tuple[Pair, ...]:
    """Every two models that finished at a fraction, the better mean first; Holm's family is all of them."""
    done = [results.done(label, fraction) for label in results.labels]
    samples = [sample(runs, resampled=results.resampled) for runs in done if runs]
    return compare_all(sorted(samples, key=lambda one: -one.accuracy))
