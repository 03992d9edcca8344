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


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what was measured; None when nothing was.

    >>> mean([1.0, None, 2.0])
    1.5
    """
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
