"""What the loop asks of a network, whichever engine runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Named arrays: weights, or everything an exact resume needs.
Arrays = dict[str, NDArray[Any]]


def under(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Batch:
    """The images of one step.

    Attributes:
        x: float32 (B, C, H, W), or (B, D), augmented and preprocessed.
        y: int64 (B,) labels.
        epoch: from 0.
        positions: int64 (B,) places in this epoch's order; with the seed and the epoch they key all chance.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    epoch: int
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step measured, on the weights before it and in training mode.

    `loss` is the mean cross entropy of the batch in nats, without smoothing, weights or penalties.
    On the CPU `loss` is a float and `correct` an int. On an accelerator both are 0-d tensors there, which
    add up without waiting; `float()` and `int()` wait for them.
    """

    loss: Any
    correct: Any
    size: int


class Trainable(Protocol):
    """A network with its optimiser.

    Two sets of weights may live in it: those that steps move, and once `average` was called their
    running average. `scores` and `weights` speak of the average where there is one.
    """

    def step(self, batch: Batch, lr: float) -> StepResult:
        """Move the weights once along the gradient of this batch."""

    def average(self, rate: float) -> None:
        """Move the average by `rate` towards the current weights; the first call starts it at them."""

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, K) in evaluation mode for preprocessed images (N, ...)."""

    def weights(self) -> Arrays:
        """A copy of the weights and buffers that `scores` uses, by name."""

    def load_weights(self, weights: Arrays) -> None:
        """Take these weights; an average, if any, is dropped."""

    def state(self) -> Arrays:
        """A copy of everything that later steps depend on: weights, buffers, optimiser, average."""

    def load(self, state: Arrays) -> None:
        """Take what `state` returned; later steps are then bit for bit those that would have followed."""
