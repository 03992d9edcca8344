"""Puts the names of points and lines where they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rectangle:
    """In pixels; y grows upwards as in matplotlib."""

    left: float
    bottom: float
    width: float
    height: float

    def overlap(self, other: Rectangle) -> float:
        """The area that both cover."""
        width = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        height = min(self.bottom + self.height, other.bottom + other.height) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    def outside(self, frame: Rectangle) -> float:
        """The area of this one that lies out of `frame`."""
        return self.width * self.height - self.overlap(frame)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved apart until neighbours are `gap` from each other, as little as a few rounds need.

    Stays within `low` and `high` where there is room for all.

    >>> spread([1.0, 1.0, 5.0], gap=1.0, low=0.0, high=9.0)
    [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    groups: list[list[float]] = []  # of wanted positions; each group stands in steps of `gap` around its mean
    for i in order:
        groups.append([positions[i]])
        while len(groups) > 1 and _start(groups[-1], gap) < _end(groups[-2], gap) + gap:
            groups[-2].extend(groups.pop())
    places = [_start(group, gap) + gap * k for group in groups for k in range(len(group))]
    for k in range(len(places)):
        places[k] = max(places[k], low + gap * k)
    for k in range(len(places)):
        from_top = len(places) - 1 - k
        places[from_top] = min(places[from_top], high - gap * k)
    placed = [0.0] * len(positions)
    for i, place in zip(order, places, strict=True):
        placed[i] = place
    return placed


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Rectangle],
    frame: Rectangle,
) -> list[tuple[float, float]]:
    """Where the lower left corner of each point's label goes.

    For each label in turn, of places around its point (near ones first) the one that covers least of the
    labels placed before, of all `obstacles`, and of what lies outside of `frame`.

    Args:
        points: where the labels belong.
        sizes: width and height of each label.
    """
    placed: list[Rectangle] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        best, best_cost = Rectangle(x, y, width, height), math.inf
        for rank, (left, bottom) in enumerate(_candidates(x, y, width, height)):
            box = Rectangle(left, bottom, width, height)
            cost = rank * height * 0.4 + 8 * box.outside(frame)
            cost += sum(9 * box.overlap(other) for other in placed)
            cost += sum(4 * box.overlap(other) for other in obstacles)
            if cost < best_cost:
                best, best_cost = box, cost
        placed.append(best)
    return [(box.left, box.bottom) for box in placed]


def _candidates(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """Lower left corners around a point: right, left, above, below, then diagonals, then farther out."""
    corners = []
    for distance in (8.0, 20.0, 36.0):
        middle, centre = y - height / 2, x - width / 2
        corners += [(x + distance, middle), (x - distance - width, middle)]
        corners += [(centre, y + distance), (centre, y - distance - height)]
        for side in (x + distance, x - distance - width):
            corners += [(side, y + distance * 0.7), (side, y - distance * 0.7 - height)]
    return corners


def _start(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _end(group: Sequence[float], gap: float) -> float:
    return _start(group, gap) + gap * (len(group) - 1)
