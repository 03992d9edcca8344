"""Points in the plane that show what a network can separate: moons, circles and blobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.sources.source import Source

_POINTS = 300  # to train on, and as many others to test with
_LICENCE = "none needed: drawn by nablab, with scikit-learn"


@dataclass(frozen=True)
class _Figure:
    """A figure that one of scikit-learn's generators draws.

    Attributes:
        name: of the data set.
        generator: the name of the generator in `sklearn.datasets`.
        arguments: of the generator, beside the number of points and the seed.
        classes: in the order of the generator's labels.
        reach: how far from 0 a coordinate may lie: five and more deviations of the noise beyond the figure.
        description: what it is, in one line.
    """

    name: str
    generator: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    reach: float
    description: str

    def load(self) -> Dataset:
        """300 points (N, 2) of seed 0 to train on, in the order of their classes; 300 of seed 1 to test."""
        from sklearn import datasets

        generate = getattr(datasets, self.generator)
        (x_train, y_train), (x_test, y_test) = (
            generate(_POINTS, shuffle=False, random_state=seed, **self.arguments) for seed in (0, 1)
        )
        given = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return make_dataset(
            self.name,
            x_train.astype(np.float32),
            y_train,
            x_test.astype(np.float32),
            y_test,
            self.classes,
            source=f"drawn by scikit-learn: {self.generator}({_POINTS}, {given}), seeds 0 and 1",
            value_range=(-self.reach, self.reach),
            licence=_LICENCE,
        )

    def source(self) -> Source:
        """The figure as a data set that can be asked for by name."""
        return Source(
            name=self.name,
            title=self.name.capitalize(),
            description=self.description,
            licence=_LICENCE,
            load=self.load,
            available=lambda: "all of it: it is drawn when loaded",
        )


MOONS = _Figure(
    name="moons",
    generator="make_moons",
    arguments={"noise": 0.15},
    classes=("upper moon", "lower moon"),
    reach=3.0,
    description="2 x 150 points in the plane: half circles that reach into each other",
).source()

CIRCLES = _Figure(
    name="circles",
    generator="make_circles",
    arguments={"noise": 0.1, "factor": 0.5},
    classes=("outer circle", "inner circle"),
    reach=2.0,
    description="2 x 150 points in the plane: a circle within a circle, which no line separates",
).source()

BLOBS = _Figure(
    name="blobs",
    generator="make_blobs",
    arguments={"centers": ((0.0, 3.0), (-2.5, -1.5), (2.5, -1.5)), "cluster_std": 1.0},
    classes=("top", "left", "right"),
    reach=9.0,
    description="3 x 100 points in the plane: round clouds that touch, which lines nearly separate",
).source()
