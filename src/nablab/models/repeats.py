"""Stretches of a sequence that stand several times in a row: the repeated blocks of deep networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

#: What stands this often in a row is worth saying once; two of a kind are as quick to read.
LEAST = 3


def repeats(
    items: Sequence[Item], leads: Callable[[Item], bool], least: int = LEAST
) -> list[tuple[Sequence[Item], int]]:
    """The sequence as stretches with how often each stands in a row, 1 for what is not repeated.

    From left to right, the repeat that covers most is taken, and of those the shortest stretch. Where it
    may begin at several items (a-b-a-b-a-b-a), it does at the first that leads.

    Args:
        leads: whether a stretch is best read from this item on.
        least: how often a stretch must stand in a row to be one.

    >>> repeats("xabababay", leads=lambda letter: letter == "b")
    [('x', 1), ('a', 1), ('ba', 3), ('y', 1)]
    """
    found: list[tuple[Sequence[Item], int]] = []
    start = 0
    while start < len(items):
        period, length = _longest(items, start, least)
        if period == 0:
            found.append((items[start : start + 1], 1))
            start += 1
            continue
        spare = length % period
        skipped = next((n for n in range(spare + 1) if leads(items[start + n])), 0)
        found += [(items[i : i + 1], 1) for i in range(start, start + skipped)]
        start += skipped
        found.append((items[start : start + period], length // period))
        start += length - spare
    return found


def _longest(items: Sequence[Item], start: int, least: int) -> tuple[int, int]:
    """Of the repeats that begin here, the period and length of the longest; 0 and 0 where there is none."""
    best = 0, 0
    for period in range(1, (len(items) - start) // least + 1):
        end = start + period
        while end < len(items) and items[end] == items[end - period]:
            end += 1
        length = end - start
        if length >= least * period and length - length % period > best[1] - (best[1] % (best[0] or 1)):
            best = period, length
    return best
