"""Where a training stands: everything, beside the network's own state, that an exact resume needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nablab.training.trainable import Arrays

_BEST = "best/"


@dataclass(frozen=True, slots=True)
class Running:
    """Sums over the steps of the current epoch, while the weights move.

    On an accelerator the sums may live there; `float()` and `int()` wait for them.
    """

    loss_sum: Any = 0.0  #: of mean loss x batch size, in nats
    correct: Any = 0
    seen: int = 0  #: images

    @property
    def loss(self) -> float:
        return float(self.loss_sum) / max(self.seen, 1)

    @property
    def accuracy(self) -> float:
        return int(self.correct) / max(self.seen, 1)


@dataclass(frozen=True, slots=True)
class Watch:
    """What has been seen of the validation loss, for early stopping and the plateau schedule."""

    best_loss: float | None = None
    best_epoch: int | None = None  #: from 1
    plateau_waited: int = 0  #: epochs since the last better one or the last fall
    plateau_falls: int = 0  #: times the learning rate has fallen


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where the loop stands.

    Attributes:
        epoch: epochs done.
        step: steps done of the epoch under way.
        lr: the learning rate of the last step.
        running: sums of the epoch under way.
        watch: the validation losses so far.
        train_seconds: spent in steps, batches included, since the start of the run.
        wall_seconds: spent in all, since the start of the run.
        best_weights: of `watch.best_epoch`, under early stopping.
    """

    epoch: int = 0
    step: int = 0
    lr: float = 0.0
    running: Running = Running()
    watch: Watch = Watch()
    train_seconds: float = 0.0
    wall_seconds: float = 0.0
    best_weights: Arrays | None = field(default=None, compare=False, repr=False)

    def pack(self) -> tuple[dict[str, Any], Arrays]:
        """As values that JSON holds exactly, and arrays by name."""
        values = {
            "epoch": self.epoch,
            "step": self.step,
            "lr": self.lr,
            "running": {
                "loss_sum": float(self.running.loss_sum),
                "correct": int(self.running.correct),
                "seen": self.running.seen,
            },
            "watch": asdict(self.watch),
            "train_seconds": self.train_seconds,
            "wall_seconds": self.wall_seconds,
        }
        return values, {_BEST + name: array for name, array in (self.best_weights or {}).items()}

    @staticmethod
    def unpack(values: Mapping[str, Any], arrays: Arrays) -> LoopState:
        """The inverse of `pack`; arrays that are not its own are left alone."""
        best = {name[len(_BEST) :]: array for name, array in arrays.items() if name.startswith(_BEST)}
        return LoopState(
            epoch=values["epoch"],
            step=values["step"],
            lr=values["lr"],
            running=Running(**values["running"]),
            watch=Watch(**values["watch"]),
            train_seconds=values["train_seconds"],
            wall_seconds=values["wall_seconds"],
            best_weights=best or None,
        )
