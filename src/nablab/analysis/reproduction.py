"""A published figure beside ours: does theirs lie within what another run of ours could give?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Literal

from scipy.special import stdtrit  # type: ignore[import-untyped]

from nablab.analysis.published import TEST_IMAGES, Figure, Published
from nablab.analysis.results import RunData

#: The share of further runs that the interval holds.
LEVEL = 0.95

Standing = Literal["within", "above", "below", "open"]


@dataclass(frozen=True)
class Reproduced:
    """A published figure, and the runs of ours that stand for it.

    Attributes:
        row: the published row; `figure`, one of its numbers.
        runs: ours that finished, by seed; empty where nothing ran, and `reason` says why.
        low, high: where another run of ours would lie (`interval`); None where chance is not measured.
        standing: of ours: theirs is within the interval, ours lies above or below theirs, or `open`.
    """

    row: Published
    figure: Figure
    runs: tuple[RunData, ...] = ()
    reason: str = ""
    low: float | None = None
    high: float | None = None
    standing: Standing = "open"

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Ours, a run each."""
        return tuple(run.record.totals.test_accuracy for run in self.runs if run.record.totals)

    @property
    def accuracy(self) -> float | None:
        """The mean of ours."""
        return fmean(self.accuracies) if self.runs else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of ours over seeds (n - 1); None for one run."""
        return stdev(self.accuracies) if len(self.runs) > 1 else None

    @property
    def train_seconds(self) -> float | None:
        """The mean of ours."""
        return (
            fmean(run.record.totals.train_seconds for run in self.runs if run.record.totals)
            if self.runs
            else None
        )


def hold_against(row: Published, figure: Figure, runs: Sequence[RunData]) -> Reproduced:
    """Our finished runs beside a published figure.

    Args:
        runs: of one model at the figure's fraction; at least one.
    """
    ordered = tuple(sorted(runs, key=lambda run: run.seed))
    ours = Reproduced(row, figure, ordered)
    record = ordered[0].record
    bounds = interval(ours.accuracies, figure, test_images=record.data.n_test, seeded=record.model.seeded)
    if bounds is None:
        return ours
    low, high = bounds
    standing: Standing = "within" if low <= figure.accuracy <= high else "open"
    if standing == "open":
        standing = "above" if figure.accuracy < low else "below"
    return Reproduced(row, figure, ordered, low=low, high=high, standing=standing)


def interval(
    accuracies: Sequence[float], figure: Figure, *, test_images: int = TEST_IMAGES, seeded: bool = True
) -> tuple[float, float] | None:
    """Between which a further run like ours would be published: a prediction interval at `LEVEL`.

    With n seeds of mean a and deviation s, another one lies within a +- t * s * sqrt(1 + 1/n), Student's t
    with n - 1 degrees of freedom. Where one of the two was measured on m only of all M test images, that adds
    a (1 - a) (1/m - 1/M) to the variance (a sample without replacement). Half a unit of their last digit is
    rounding.

    Args:
        accuracies: ours, in [0, 1].
        figure: theirs: its digits and test images count, not its accuracy.
        test_images: that ours were measured on.
        seeded: False: another run of ours would give the same.

    Returns:
        None for one run of a method that chance enters into: nothing is known of its spread.

    >>> low, high = interval([0.90, 0.91, 0.92], Figure(1.0, 0.93, 3))
    >>> round(low, 3), round(high, 3)
    (0.86, 0.96)
    """
    n = len(accuracies)
    mean = fmean(accuracies)
    if n < 2 and seeded:
        return None
    of_seeds = stdev(accuracies) ** 2 * (1 + 1 / n) if n > 1 else 0.0
    parts = sum(1 / images - 1 / TEST_IMAGES for images in (figure.test_images, test_images))
    of_images = mean * (1 - mean) * max(parts, 0.0)
    quantile = float(stdtrit(n - 1 if n > 1 else figure.test_images - 1, (1 + LEVEL) / 2))
    half = quantile * sqrt(of_seeds + of_images) + 0.5 * 10**-figure.digits
    return mean - half, mean + half
