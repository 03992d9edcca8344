"""The two clocks of a run: steps only, and everything."""

from __future__ import annotations

from time import perf_counter


class Clock:
    """Seconds since the start of a run, carried over interruptions.

    `train` counts between `start` and `stop`; `wall` always.
    """

    def __init__(self, train: float = 0.0, wall: float = 0.0) -> None:
        self._train = train
        self._began = perf_counter() - wall
        self._started: float | None = None

    def start(self) -> None:
        self._started = perf_counter()

    def stop(self) -> float:
        """The training seconds so far."""
        if self._started is not None:
            self._train += perf_counter() - self._started
            self._started = None
        return self._train

    @property
    def wall(self) -> float:
        return perf_counter() - self._began
