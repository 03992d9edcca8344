"""What the training loop says while it runs: the measurements of an epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochMetrics:
    """One line of metrics.jsonl. Losses are mean cross entropies without regularisation terms, in nats.

    `running_*` is measured while the weights move (augmented, dropout on); all others on frozen weights
    in evaluation mode, `train_*` on a fixed sample of the training images. None: not measured this epoch.
    """

    epoch: int  #: from 1: after this many passes
    step: int  #: steps done in all
    lr: float  #: at the last step
    running_loss: float
    running_accuracy: float
    train_loss: float | None
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    train_seconds: float  #: steps only, since the start of the run
    wall_seconds: float  #: everything, since the start of the run
