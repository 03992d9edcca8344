"""Which times may be compared."""

from __future__ import annotations

from dataclasses import replace

from nablab.analysis.cost import clock, mean, number_clocks
from nablab.runs.record import Environment

ALONE = Environment("0.1.0", "3.11", "Linux x86_64", "A processor", 2, 8.0, "cpu", 2, 1)


def test_the_commonest_clock_is_number_zero():
    alone, two = clock(ALONE), clock(replace(ALONE, threads=1, jobs=2))
    assert number_clocks([alone, two, two]) == {two: 0, alone: 1}


def test_clocks_differ_by_what_changes_times_and_by_nothing_else():
    other = (
        replace(ALONE, jobs=2),
        replace(ALONE, threads=1),
        replace(ALONE, cpu="Another"),
        replace(ALONE, device="cuda: X"),
    )
    assert len({clock(one) for one in (ALONE, *other)}) == 5
    assert clock(replace(ALONE, packages={"numpy": "3"})) == clock(ALONE)


def test_clock_in_words():
    assert str(clock(ALONE)) == "1 run at a time, 2 threads each, A processor"
    assert str(clock(replace(ALONE, device="cuda: X"))).endswith("cuda: X")


def test_mean_of_nothing_is_nothing():
    assert mean([None, None]) is None
