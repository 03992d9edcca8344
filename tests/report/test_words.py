"""Numbers as words, at the borders where their form changes."""

from __future__ import annotations

import pytest

from nablab.report.words import bytes_, listed, percent, plus_minus, seconds, share, short, times


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-7, "0.10 µs"),
        (9.994e-7, "1.00 µs"),
        (9.999e-4, "1.00 ms"),
        (0.9999, "1.00 s"),
        (59.94, "59.9 s"),
        (99.97, "1 min 40 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7170, "2 h 00 min"),
        (None, "–"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (999_600, "1.00 M"), (2_000_000_000, "2.00 G")],
)
def test_short(value, text):
    assert short(value) == text


def test_bytes():
    assert [bytes_(n) for n in (12, 999_600, None)] == ["12 B", "1.00 MB", "–"]


def test_percentages():
    assert percent(None) == plus_minus(None, None) == "–"
    assert plus_minus(0.5, None) == "50.0 %"
    assert [share(f) for f in (0.001, 1 / 3, 1)] == ["0.1 %", "33.33 %", "100 %"]


def test_times_and_lists():
    assert [times(r) for r in (1.25, 9.96, 1234.5)] == ["1.2", "10", "1,234"]
    assert [listed(names) for names in ([], ["a"], ["a", "b"])] == ["", "a", "a and b"]
