"""What checking a delivery comes to: findings, notes, and marks with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: What a finding is about: the order of cells, a missing piece, a number, a picture, a record, or the data.
Subject = Literal["order", "piece", "number", "picture", "record", "data", "training"]

#: Characters of others' texts that are repeated in one message.
LONGEST = 300


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or missing."""

    subject: Subject
    where: str  #: `cell 42, In [31]`, `run lenet-f0.1-s0`, or empty
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


@dataclass(frozen=True)
class Reason:
    """What one criterion came to: its share in [0, 1], and the evidence for it, a line each."""

    criterion: str
    weight: float
    share: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """Points for one part of a rubric."""

    part: str
    points: float
    of: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Verdict:
    """Everything that was found out about one delivery.

    Attributes:
        delivery: how it is called in tables: its path below the folder that was given.
        findings: what is wrong; empty where everything is right.
        notes: what was not checked, and what is left to a person.
        marks: by the rubric.
        facts: counts of what was looked at, e.g. `{"numbers checked": 214}`.
        error: why it could not be used at all; then the rest is empty.
    """

    delivery: str
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> float:
        return sum(mark.of for mark in self.marks)

    @property
    def exit_code(self) -> int:
        """0: everything is right; 1: something was found; 2: it cannot be used."""
        return 2 if self.error else 1 if self.findings else 0

    def document(self) -> dict[str, Any]:
        """As plain data, with the sums."""
        return asdict(self) | {"points": self.points, "of": self.of}


def plain(text: object, longest: int = LONGEST) -> str:
    """Others' text as one line that can be printed anywhere: no control characters, and not too long.

    >>> plain("a\\x1b[31m\\n  b\\ud800")
    'a?[31m b?'
    """
    line = " ".join(str(text).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
