"""Moons, circles and blobs: figures as described, noise as stated."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from nablab.data import load

#: Shares of test points: what lines get right at least and at most, and nearest neighbours at least.
SEPARABLE = {"moons": (0.8, 0.92, 0.97), "circles": (0.35, 0.65, 0.97), "blobs": (0.96, 1.0, 0.96)}


@pytest.mark.parametrize("name", SEPARABLE)
def test_what_separates_them(name: str) -> None:
    low, high, near = SEPARABLE[name]
    figure = load(name)
    linear = LogisticRegression().fit(figure.x_train, figure.y_train)
    neighbours = KNeighborsClassifier(7).fit(figure.x_train, figure.y_train)
    assert low <= linear.score(figure.x_test, figure.y_test) <= high
    assert neighbours.score(figure.x_test, figure.y_test) >= near


@pytest.mark.parametrize("name", SEPARABLE)
def test_training_and_test_points_are_as_many_and_others(name: str) -> None:
    figure = load(name)
    assert figure.x_train.shape == figure.x_test.shape == (300, 2)
    assert figure.x_train.dtype == np.float32
    assert len(set(np.bincount(figure.y_train))) == 1
    assert not np.isin(figure.x_train, figure.x_test).any()


def test_moons_are_half_circles() -> None:
    moons = load("moons")
    lower = moons.y_train == 1
    centred = moons.x_train - np.where(lower[:, None], [1.0, 0.5], [0.0, 0.0])
    radius = np.linalg.norm(centred, axis=1)
    assert radius.mean() == pytest.approx(1, abs=0.03)
    assert radius.std() == pytest.approx(0.15, abs=0.02)


def test_circles_have_their_radii() -> None:
    circles = load("circles")
    radius = np.linalg.norm(circles.x_train, axis=1)
    for label, wanted in enumerate((1.0, 0.5)):
        assert radius[circles.y_train == label].mean() == pytest.approx(wanted, abs=0.03)
        assert radius[circles.y_train == label].std() == pytest.approx(0.1, abs=0.02)
    assert circles.classes == ("outer circle", "inner circle")


def test_blobs_are_where_their_names_say() -> None:
    blobs = load("blobs")
    centres = {
        name: blobs.x_train[blobs.y_train == label].mean(axis=0) for label, name in enumerate(blobs.classes)
    }
    assert centres["top"] == pytest.approx([0, 3], abs=0.3)
    assert centres["left"] == pytest.approx([-2.5, -1.5], abs=0.3)
    assert centres["right"] == pytest.approx([2.5, -1.5], abs=0.3)
    assert blobs.x_train[blobs.y_train == 0].std(axis=0) == pytest.approx([1, 1], abs=0.2)
