from __future__ import annotations

from time import sleep

import numpy as np

from nablab.training.timing import REPEATS, prediction_seconds


class Sleeper:
    """Scores that take their time: so many seconds a call."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.sizes = seconds, []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        sleep(self.seconds[min(len(self.sizes), len(self.seconds) - 1)])
        self.sizes.append(len(x))
        return np.zeros((len(x), 2))


X = np.zeros((10, 1, 4, 4), np.float32)


def test_seconds_are_an_images() -> None:
    scores = Sleeper(0.002)
    at_1, at_256 = prediction_seconds(scores, X, budget=0.1)
    assert 0.002 <= at_1 < 0.02
    assert 0.002 / 256 <= at_256 < 0.02 / 256
    assert set(scores.sizes) == {1, 256}


def test_warm_up_does_not_count() -> None:
    at_1, _ = prediction_seconds(Sleeper(0.05, 0.05, 0.05, 0.001), X)
    assert at_1 < 0.03


def test_slow_methods_are_called_once() -> None:
    scores = Sleeper(0.1)
    at_1, _ = prediction_seconds(scores, X, budget=0.05)
    assert at_1 >= 0.1
    assert scores.sizes == [1, 256]


def test_fast_methods_are_not_called_for_ever() -> None:
    scores = Sleeper(0)
    prediction_seconds(scores, X, budget=5)
    assert scores.sizes.count(1) == REPEATS + 3
