"""How good predictions are: accuracy, losses, calibration, confusion. Shapes: y (M,), scores (M, K)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.models.model import ScoreKind
from nablab.training.measure import cross_entropies

Array = NDArray[Any]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ByClass:
    """Precision, recall, F1 and number of test images of each class; arrays (K,)."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: Labels


def predicted(scores: Array) -> Labels:
    """The class of the largest score of each row; the first of equals."""
    return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)


def probabilities(scores: Array, kind: ScoreKind) -> NDArray[np.float64] | None:
    """Rows that sum to 1: the softmax of logits, probabilities as they are, None for margins."""
    if kind == "margins":
        return None
    values = scores.astype(np.float64)
    if kind == "logits":
        values = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(values / values.sum(axis=1, keepdims=True), dtype=np.float64)


def accuracy(y: Labels, scores: Array) -> float:
    """The share of rows whose largest score is at the true class."""
    return float(np.mean(predicted(scores) == y))


def log_loss(y: Labels, scores: Array, kind: ScoreKind) -> float | None:
    """Mean cross entropy in nats, as records hold it (`nablab.training.measure`); None for margins."""
    return None if kind == "margins" else float(cross_entropies(scores, y, kind).mean())


def brier(y: Labels, p: Array) -> float:
    """Mean squared distance of probabilities (M, K) from the truth, in [0, 2] (Brier 1950)."""
    return float(np.mean(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)))


def calibration_error(y: Labels, p: Array, bins: int = 15) -> float:
    """Expected calibration error: over equal bins of the top probability, the mean distance of confidence
    from accuracy, weighted by the images in each bin (Naeini et al. 2015; Guo et al. 2017).

    >>> p = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> round(calibration_error(np.array([0, 1]), p), 3)  # sure at 90 %, right half of the time
    0.4
    """
    confidence = p.max(axis=1)
    right = predicted(p) == y
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def confusion(y: Labels, scores: Array, classes: int) -> Labels:
    """Counts (K, K): row the truth, column the prediction."""
    from sklearn.metrics import confusion_matrix

    return np.asarray(confusion_matrix(y, predicted(scores), labels=range(classes)), dtype=np.int64)


def by_class(counts: Labels) -> ByClass:
    """What a confusion matrix says of each class. A class never predicted has precision 0."""
    right = np.diag(counts).astype(float)
    support, given = counts.sum(axis=1), counts.sum(axis=0)
    return ByClass(
        precision=right / np.maximum(given, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(support + given, 1),
        support=support,
    )
