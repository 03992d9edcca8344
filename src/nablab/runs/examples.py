"""The few test images that a run keeps for reports: its mistakes, the worst first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.models.model import ScoreKind
from nablab.training.measure import cross_entropies

PER_CELL = 3  #: images of each (truth, prediction) with a mistake
WORST = 25  #: mistakes kept whatever their cell
AT_MOST = 200


def choose_examples(scores: NDArray[np.float32], y: NDArray[np.int64], kind: ScoreKind) -> NDArray[np.int64]:
    """Which test images to keep, int64 (E,), E <= 200: places in `y`, the worst mistake first.

    The 25 worst mistakes; then the worst of every cell of the confusion matrix that holds a mistake, then
    the second and the third of each. Where 200 are too few, the cells with milder mistakes miss out.

    Args:
        scores: (M, K) of any kind.
        y: (M,) true labels.
    """
    said = scores.argmax(axis=1)
    badness = how_wrong(scores, y, kind)
    wrong = np.flatnonzero(said != y)
    wrong = wrong[np.argsort(-badness[wrong], kind="stable")]
    rank = _rank_in_cell(y[wrong] * scores.shape[1] + said[wrong])
    by_cell = np.argsort(rank, kind="stable")
    by_cell = by_cell[rank[by_cell] < PER_CELL]
    chosen = np.concatenate([np.arange(min(WORST, len(wrong))), by_cell])
    first = np.unique(chosen, return_index=True)[1]
    kept = np.sort(chosen[np.sort(first)][:AT_MOST])
    return np.asarray(wrong[kept])


def how_wrong(scores: NDArray[np.float32], y: NDArray[np.int64], kind: ScoreKind) -> NDArray[np.float64]:
    """(M,) how wrong each answer is: its cross entropy in nats, or the margin by which the truth lost."""
    if kind != "margins":
        return cross_entropies(scores, y, kind)
    wide = scores.astype(np.float64)
    return np.asarray(wide.max(axis=1) - wide[np.arange(len(y)), y])


def _rank_in_cell(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each element, how many equal ones stand before it.

    >>> _rank_in_cell(np.array([7, 2, 7, 7, 2])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(cells, kind="stable")
    grouped = cells[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1))
    rank = np.empty(len(cells), dtype=np.int64)
    rank[order] = np.arange(len(cells)) - np.repeat(starts, np.diff(starts, append=len(cells)))
    return rank
