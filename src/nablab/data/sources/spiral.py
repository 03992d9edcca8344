"""Three arms of a spiral in the plane: what a linear classifier cannot tell apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data import keyed
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.sources.source import Source

_ARMS = 3
_POINTS = 100  # on each arm
_TURN = 4.0  # radians that an arm turns through
_NOISE = 0.2  # deviation of the angle, in radians


def load() -> Dataset:
    """3 x 100 points (N, 2) of radius 0 to 1, and as many others drawn alike to test with.

    The points of an arm are evenly spaced in radius; their angle grows with it and has normal noise. From
    the lecture's spiral, which is that of Stanford's CS231n, "Putting it together: minimal neural network
    case study".
    """
    x_train, y_train = _draw("training points")
    x_test, y_test = _draw("test points")
    return make_dataset(
        "spiral",
        x_train,
        y_train,
        x_test,
        y_test,
        tuple(f"arm {arm + 1}" for arm in range(_ARMS)),
        source=f"drawn by nablab: {_ARMS} arms of {_POINTS} points, angle noise {_NOISE}",
        value_range=(-1.0, 1.0),
        licence="none needed: drawn by nablab",
    )


def _draw(purpose: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    noise = _NOISE * keyed.generator(0, f"spiral, {purpose}").standard_normal((_ARMS, _POINTS))
    radius = np.linspace(0, 1, _POINTS)
    angle = _TURN * (np.arange(_ARMS)[:, None] + radius) + noise
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    labels = np.repeat(np.arange(_ARMS, dtype=np.int64), _POINTS)
    return points.reshape(-1, 2).astype(np.float32), labels


SOURCE = Source(
    name="spiral",
    title="Spiral",
    description=f"{_ARMS} x {_POINTS} points in the plane, {_ARMS} classes that no line separates",
    licence="none needed: drawn by nablab",
    load=load,
    available=lambda: "all of it: it is drawn when loaded",
)
