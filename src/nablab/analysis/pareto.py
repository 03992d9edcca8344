"""What nothing beats: the choices that no other is both at least as good and at least as cheap as."""

from __future__ import annotations

from collections.abc import Mapping


def front(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """The names of the Pareto front, cheapest first.

    A point is left out where another one is at least as accurate and at least as cheap, and better in one
    of the two (V. Pareto, Manuale di economia politica, 1906). Equal points are on the front together. It
    goes by the numbers as they stand: whether a difference is more than chance is what verdicts say.

    Args:
        points: (cost, accuracy) by name.

    >>> front({"a": (1.0, 0.8), "b": (2.0, 0.9), "c": (3.0, 0.85), "d": (2.0, 0.9)})
    ('a', 'b', 'd')
    """
    found: list[str] = []
    best: tuple[float, float] | None = None
    for name in sorted(points, key=lambda name: (points[name][0], -points[name][1])):
        cost, accuracy = points[name]
        if best is None or accuracy > best[1] or (cost, accuracy) == best:
            best = (cost, accuracy)
            found.append(name)
    return tuple(found)
