"""A rule: a question put to a data set, answered with findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from nablab.data.checks.finding import Finding

#: What is asked: `Material` (samples) or `Survey` (picture files before they are read).
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """One member of the registry.

    Attributes:
        name: what findings carry, e.g. `exact-leak`.
        question: what it finds out, in one line.
        find: the findings, none where nothing is wrong.
        of_images: whether it has no meaning for features.
    """

    name: str
    question: str
    find: Callable[[Subject], Iterable[Finding]]
    of_images: bool = True
