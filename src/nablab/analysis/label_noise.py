"""Which test labels are probably wrong, from what trained models say about the images: confident learning.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of
Artificial Intelligence Research 70, 2021. Test images are out of sample for every run.
Shapes: y (M,), probabilities p (M, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.metrics import probabilities
from nablab.analysis.results import RunData
from nablab.errors import UserError

Labels = NDArray[np.int64]
Numbers = NDArray[np.float64]

_ROUNDING = 1e-9  # of a mean of probabilities: images that all have the same one reach their mean


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """Candidates for wrong labels, the most suspicious first, C of M images.

    Attributes:
        rows: (C,) which of the M images.
        given: (C,) their labels.
        suggested: (C,) the classes that they are confidently in.
        margin: (C,) the probability of the suggested class less that of the given one, descending.
        thresholds: (K,) the probability from which an image is confidently in a class: the mean over the
            images that are labelled so; infinite for a class without any.
        joint: (K, K) the estimated share of all images by label (row) and true class (column); sums to 1.
    """

    rows: Labels
    given: Labels
    suggested: Labels
    margin: Numbers
    thresholds: Numbers
    joint: Numbers

    @property
    def share(self) -> float:
        """The estimated share of wrong labels: what is off the diagonal of `joint`."""
        return float(1 - np.trace(self.joint))


def label_noise(y: Labels, p: Numbers) -> LabelNoise:
    """The images that are confidently in another class than their label says.

    An image is confidently in class j where p_j reaches the threshold of j; of several such classes, in that
    of the largest p_j. Counted by label, that is the paper's confident joint; the candidates are what it
    counts off its diagonal. `joint` is that with its rows scaled to the number of labels of each class, as
    shares of all.

    Args:
        y: (M,) labels, which may be wrong.
        p: (M, K) probabilities by a model that was not trained on these images.

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]])
    >>> noise = label_noise(np.array([0, 0, 0, 1, 1]), p)
    >>> noise.rows.tolist(), noise.thresholds.round(2).tolist()
    ([2], [0.6, 0.85])
    """
    classes = p.shape[1]
    counts = np.bincount(y, minlength=classes)
    own = np.bincount(y, weights=p[np.arange(len(y)), y], minlength=classes)
    thresholds = np.divide(own, counts, out=np.full(classes, np.inf), where=counts > 0)
    confident = p >= thresholds - _ROUNDING
    suggested = np.where(confident, p, -1).argmax(axis=1)
    sure = confident.any(axis=1)
    candidates = np.flatnonzero(sure & (suggested != y))
    margin = p[candidates, suggested[candidates]] - p[candidates, y[candidates]]
    order = np.argsort(-margin, kind="stable")
    rows = candidates[order]
    return LabelNoise(
        rows, y[rows], suggested[rows], margin[order], thresholds, _joint(y[sure], suggested[sure], counts)
    )


def _joint(y: Labels, suggested: Labels, counts: Labels) -> Numbers:
    """The confident joint, scaled to how many images have each label, as shares of all images."""
    confident = np.zeros((len(counts), len(counts)))
    np.add.at(confident, (y, suggested), 1)
    empty = np.flatnonzero(confident.sum(axis=1) == 0)
    confident[empty, empty] = 1  # none of its images is sure: nothing says that they are of other classes
    scaled = confident / confident.sum(axis=1, keepdims=True) * counts[:, None]
    return np.asarray(scaled / scaled.sum(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Averaged:
    """What several runs say on average about the test images that all of them were asked about.

    Attributes:
        y: (M,) the labels.
        p: (M, K) mean probabilities.
        indices: (M,) positions in the full test set, ascending.
    """

    y: Labels
    p: Numbers
    indices: Labels


def says_probabilities(run: RunData) -> bool:
    """Whether probabilities can be had from a run's scores; margins of a support vector machine are none."""
    return run.record.model.score_kind != "margins"


def averaged(runs: Sequence[RunData]) -> Averaged:
    """The mean of the runs' probabilities, each run with the same weight.

    Args:
        runs: finished ones whose scores are no margins, at least one.

    Raises:
        UserError: runs on data with other classes or labels, or without a test image in common.
    """
    first = runs[0]
    for run in runs:
        if run.record.data.classes != first.record.data.classes:
            raise UserError(f"{run.folder.path} and {first.folder.path} are runs on data of other classes")
    common = reduce(np.intersect1d, [run.predictions.indices for run in runs])
    if not len(common):
        raise UserError("the runs have no test image in common; take runs of one comparison")
    labels, scores = zip(*(_of(run, common) for run in runs), strict=True)
    for run, y in zip(runs, labels, strict=True):
        if not np.array_equal(y, labels[0]):
            raise UserError(f"{run.folder.path} and {first.folder.path} are runs on data of other labels")
    return Averaged(labels[0], np.mean(scores, axis=0), common)


def _of(run: RunData, indices: Labels) -> tuple[Labels, Numbers]:
    """Labels and probabilities of the test images at these positions."""
    said = run.predictions
    order = np.argsort(said.indices)
    rows = order[np.searchsorted(said.indices, indices, sorter=order)]
    p = probabilities(said.scores[rows], run.record.model.score_kind)
    if p is None:
        raise UserError(f"{run.folder.path}: its scores are margins, and no probabilities")
    return said.y[rows], p
