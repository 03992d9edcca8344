"""What the causes are looked for in: the problem, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from nablab.court.differences import Precision
from nablab.court.evidence import Evidence
from nablab.court.layers import Layers, find_layers
from nablab.court.problem import Array, Problem


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
    def alone(self) -> tuple[dict[str, Array], ...] | None:
        """What is claimed for each sample alone; None where samples cannot be taken apart."""
        count = self.problem.samples
        if count is None or not 2 <= count <= 256:
            return None
        claims = []
        for i in range(count):
            claim = self.problem.part([i]).try_claim()
            if claim is None:
                return None
            claims.append(claim)
        return tuple(claims)
