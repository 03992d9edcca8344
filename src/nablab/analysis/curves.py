"""Learning curves over seeds: mean and range of each quantity against the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nablab.training.signals import EpochMetrics

SeriesName = Literal["running", "train", "validation", "test"]

#: In the order that legends show them. `running` moves with the weights; the others stand on frozen ones.
SERIES: tuple[SeriesName, ...] = ("running", "train", "validation", "test")


@dataclass(frozen=True)
class Band:
    """A quantity against epochs: its mean over seeds, between the smallest and the largest.

    An epoch stands here when at least one seed measured it; `n` says how many did (early stopping
    ends runs at different epochs).
    """

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[int, ...]


@dataclass(frozen=True)
class Curves:
    """One model's curves at one fraction. A series that nobody measured is left out."""

    label: str
    fraction: float
    runs: int  #: seeds
    loss: Mapping[SeriesName, Band]
    accuracy: Mapping[SeriesName, Band]
    kept_epochs: tuple[int, ...]  #: whose weights were kept, one a seed where known


def band(histories: Sequence[Sequence[EpochMetrics]], field: str) -> Band | None:
    """The band of one field of `EpochMetrics` over seeds, or None when it was never measured."""
    by_epoch: dict[int, list[float]] = {}
    for history in histories:
        for metrics in history:
            value = getattr(metrics, field)
            if value is not None:
                by_epoch.setdefault(metrics.epoch, []).append(float(value))
    if not by_epoch:
        return None
    epochs = sorted(by_epoch)
    return Band(
        epochs=tuple(epochs),
        mean=tuple(sum(by_epoch[epoch]) / len(by_epoch[epoch]) for epoch in epochs),
        low=tuple(min(by_epoch[epoch]) for epoch in epochs),
        high=tuple(max(by_epoch[epoch]) for epoch in epochs),
        n=tuple(len(by_epoch[epoch]) for epoch in epochs),
    )


def curves(
    label: str,
    fraction: float,
    histories: Sequence[Sequence[EpochMetrics]],
    kept_epochs: Sequence[int] = (),
) -> Curves | None:
    """All series of one model at one fraction; None when there is no history (estimators)."""
    histories = [history for history in histories if history]
    if not histories:
        return None
    return Curves(
        label=label,
        fraction=fraction,
        runs=len(histories),
        loss=_bands(histories, "loss"),
        accuracy=_bands(histories, "accuracy"),
        kept_epochs=tuple(kept_epochs),
    )


def _bands(histories: Sequence[Sequence[EpochMetrics]], quantity: str) -> dict[SeriesName, Band]:
    bands = {series: band(histories, f"{series}_{quantity}") for series in SERIES}
    return {series: found for series, found in bands.items() if found is not None}
