"""What the causes are looked for in: the problem, and what was measured of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from nablab.court.calls import Array
from nablab.court.differences import Precision
from nablab.court.evidence import Evidence
from nablab.court.layers import Layers, find_layers
from nablab.court.problem import Problem

#: What is claimed for samples, one by one.
Claims = tuple[dict[str, Array], ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A problem whose gradient was found wrong somewhere.

    Attributes:
        problem: what is tried.
        precision: of its loss.
        evidence: claim beside measurement, by parameter.
    """

    problem: Problem
    precision: Precision
    evidence: Mapping[str, Evidence]

    @cached_property
    def layers(self) -> Layers | None:
        """The parameters as a chain of linear layers, with what runs through it; None if they are none."""
        return find_layers(self.problem, self.precision)

    @cached_property
    def alone(self) -> Claims | None:
        """What is claimed for each sample alone; None where samples cannot be taken apart."""
        count = self.problem.samples
        return self.claims(range(count)) if count is not None and 2 <= count <= 256 else None

    def claims(self, rows: Iterable[int]) -> Claims | None:
        """What is claimed for each of some samples alone; None where they cannot be taken apart."""
        claims = []
        for row in rows:
            claim = self.problem.part([row]).try_claim()
            if claim is None:
                return None
            claims.append(claim)
        return tuple(claims)
