"""The Pareto front against its definition, tried on every pair."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nablab.analysis.pareto import front

values = st.floats(0, 3).map(lambda x: round(x * 2) / 2)  # few of them, so that many points are equal


def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether `a` is no dearer and no worse than `b`, and cheaper or better."""
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(st.lists(st.tuples(values, values), max_size=12))
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[float, float]]) -> None:
    named = {str(number): point for number, point in enumerate(points)}
    found = front(named)
    wanted = {name for name, point in named.items() if not any(dominates(other, point) for other in points)}
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert [named[name][0] for name in found] == sorted(named[name][0] for name in found)
