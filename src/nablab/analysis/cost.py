"""What models cost, and which times may be held against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nablab.runs.record import Environment


@dataclass(frozen=True)
class Clock:
    """The conditions that a time was taken under. Times are only compared under equal ones."""

    cpu: str
    device: str
    threads: int
    jobs: int

    def __str__(self) -> str:
        where = self.device if self.device != "cpu" else self.cpu
        return f"{_count(self.jobs, 'run')} at a time, {_count(self.threads, 'thread')} each, {where}"


def clock(environment: Environment) -> Clock:
    return Clock(environment.cpu, environment.device, environment.threads, environment.jobs)


def number_clocks(clocks: Iterable[Clock]) -> dict[Clock, int]:
    """Numbers from 0, the commonest first; at a tie the one seen first."""
    return {clock: number for number, (clock, _) in enumerate(Counter(clocks).most_common())}


#: What stands in the words that a fitted estimator's count comes with, and the convention behind it.
_BY_METHOD = (
    ("output", "linear models: outputs x features"),
    ("support vector", "kernel machines: support vectors x (features + coefficients), the kernel's own "
     "function (a power, an exponential) not counted"),
    ("stored image", "nearest neighbours: stored images x features; on disk, only their places in the data"),
    ("comparisons deep", "trees: their depth, a comparison counting as a MAC, as the training images "
     "went down them in the mean"),
    ("landmark", "kernel approximation: landmarks x (features + landmarks)"),
    ("HOG", "HOG: 2 for a value's gradient, 8 for a pixel's votes, 4 for a feature's block"),
)  # fmt: skip


def conventions(counted: Iterable[str]) -> tuple[str, ...]:
    """How parameters, MACs and FLOPs are counted, in sentences; of classical methods, those that are there.

    Args:
        counted: the records' `ModelRecord.counted`, empty for networks.

    >>> len(conventions(["", ""])), conventions(["5 stored images x 4 features"])[-1]
    (1, 'MACs of nearest neighbours: stored images x features; on disk, only their places in the data.')
    """
    texts = [text for text in counted if text]
    lines = ["MACs: multiply-accumulates of convolutions and linear layers for one image; FLOPs = 2 MACs."]
    if texts:
        lines.append(
            "Parameters of scikit-learn's methods are the numbers that a prediction reads, stored images, "
            "support vectors, thresholds and leaves among them."
        )
    lines += [f"MACs of {rule}." for word, rule in _BY_METHOD if any(word in text for text in texts)]
    return tuple(lines)


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what was measured; None when nothing was.

    >>> mean([1.0, None, 2.0])
    1.5
    """
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
