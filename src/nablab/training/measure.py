"""Loss and accuracy of scores: plain cross entropy in nats, whatever the training objective adds to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.models.model import ScoreKind
from nablab.training.feed import Part

#: Images that are scored at a time.
PIECE = 1000


@dataclass(frozen=True)
class Measured:
    """Of some images: mean cross entropy in nats (None for margins) and accuracy in [0, 1]."""

    loss: float | None
    accuracy: float | None


NOT_MEASURED = Measured(None, None)


def cross_entropies(scores: NDArray[Any], y: NDArray[np.int64], kind: ScoreKind) -> NDArray[np.float64]:
    """The cross entropy of each sample in nats, float64 (N,).

    For logits s it is log(sum_k exp(s_k)) - s_y, computed with the largest logit taken off first; for
    probabilities -log(p_y), with p_y no smaller than float64's epsilon, as `sklearn.metrics.log_loss` has it.

    Args:
        scores: (N, K) logits or probabilities.
        y: (N,) labels.

    Raises:
        ValueError: margins have no cross entropy.

    >>> cross_entropies(np.zeros((1, 10)), np.array([3]), "logits").round(6).tolist()
    [2.302585]
    """
    wide = scores.astype(np.float64)
    of_truth = wide[np.arange(len(y)), y]
    if kind == "logits":
        largest = wide.max(axis=1)
        with np.errstate(invalid="ignore"):  # of infinite logits there is none, which the result says
            return np.asarray(largest + np.log(np.exp(wide - largest[:, None]).sum(axis=1)) - of_truth)
    if kind == "probabilities":
        return np.asarray(-np.log(np.maximum(of_truth, np.finfo(np.float64).eps)))
    raise ValueError("margins have no cross entropy")


def measure_scores(scores: NDArray[Any], y: NDArray[np.int64], kind: ScoreKind = "logits") -> Measured:
    """What these scores (N, K) are worth for labels y (N,)."""
    loss = None if kind == "margins" else float(cross_entropies(scores, y, kind).mean())
    return Measured(loss, float((scores.argmax(axis=1) == y).mean()))


def measure(scorer: Callable[[NDArray[np.float32]], NDArray[Any]], part: Part) -> Measured:
    """What the logits that `scorer` gives this part are worth, scored piece by piece to spare memory."""
    loss_sum, correct = 0.0, 0
    for x, y in part.pieces(PIECE):
        scores = scorer(x)
        loss_sum += float(cross_entropies(scores, y, "logits").sum())
        correct += int((scores.argmax(axis=1) == y).sum())
    return Measured(loss_sum / len(part), correct / len(part))
