"""The claim is the right gradient times a number; and where that number may come from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nablab.court.case import Case
from nablab.court.differences import careful_slope, entry_line
from nablab.court.evidence import Evidence
from nablab.court.problem import Problem
from nablab.court.report import Cause


def zero(case: Case, evidence: Evidence) -> Cause | None:
    """Nothing is claimed to matter."""
    if evidence.whole.any():
        return None
    return Cause("zero", "it is zero everywhere; the loss does change with this parameter", 0.0)


def constant_factor(case: Case, evidence: Evidence) -> Cause | None:
    """claimed = c x right."""
    g, n = evidence.pair()
    if not n.any():
        return None
    factor = float(g @ n / (n @ n))
    if not evidence.explains(factor * evidence.measured):
        return None
    if g.size == 1 and not _is_named(case, evidence, factor):
        return None  # any two numbers are a factor apart
    return Cause("factor", explain(case, evidence, factor), factor)


@dataclass(frozen=True)
class Origin:
    """A product of a sign, a power of two, of the number of samples, and of the number of classes."""

    sign: int
    two: int
    samples: int
    classes: int

    @property
    def parts(self) -> int:
        """How many mistakes it takes."""
        return (self.sign < 0) + abs(self.two) + abs(self.samples) + abs(self.classes)

    def value(self, N: int, K: int) -> float:
        """The factor, for N samples and K classes."""
        return float(self.sign * 2.0**self.two * float(N) ** self.samples * float(K) ** self.classes)

    def text(self, N: int, K: int) -> str:
        """What was done, in words."""
        said = []
        if self.sign < 0:
            said.append("its sign is wrong, as by (y - a) in place of (a - y)")
        if self.samples:
            said.append(
                f"it is summed over the {N} samples where the loss is averaged"
                if self.samples > 0
                else f"it is divided by the {N} samples once too often"
            )
        if self.classes:
            said.append(
                f"it is multiplied by the {K} classes, as where the loss alone is averaged over them"
                if self.classes > 0
                else f"it is averaged over the {K} classes too"
            )
        if self.two:
            said.append("it has a factor 2 too many" if self.two > 0 else "it lacks a factor 2")
        return "; ".join(said)


def explain(case: Case, evidence: Evidence, factor: float) -> str:
    """The factor in words: where it comes from, if that can be told."""
    origins = list(_origins(case.problem, factor))
    if len(origins) > 1:
        origins = _that_hold_for_fewer_samples(case, evidence, origins) or origins
    if not origins:
        other = _other_number(case, evidence, factor)
        why = f": the sum over the samples is divided by {other}, whatever their number" if other else ""
        return f"it is {factor:.4g} times the right gradient{why}"
    N, K = case.problem.samples or 1, case.problem.classes or 1
    fewest = origins[0].parts
    texts = [origin.text(N, K) for origin in origins if origin.parts == fewest]
    return f"{' (or: '.join(texts)}{')' * (len(texts) - 1)} (times {factor:.4g})"


def _origins(problem: Problem, factor: float) -> Iterator[Origin]:
    return origins(factor, problem.samples, problem.classes)


def origins(factor: float, N: int | None, K: int | None) -> Iterator[Origin]:
    """All that give the factor for N samples and K classes, where known; the simplest first."""
    powers = (0, 1, -1)
    candidates = itertools.product((1, -1), powers, powers if N else (0,), powers if K else (0,))
    ordered = sorted((Origin(*candidate) for candidate in candidates), key=lambda origin: origin.parts)
    for origin in ordered:
        if origin.parts and abs(origin.value(N or 1, K or 1) / factor - 1) < 2e-3 if factor else False:
            yield origin


def _is_named(case: Case, evidence: Evidence, factor: float) -> bool:
    return any(_holds(case, evidence, origin) is not False for origin in _origins(case.problem, factor))


def _that_hold_for_fewer_samples(case: Case, evidence: Evidence, origins: list[Origin]) -> list[Origin]:
    """Those that also predict the factor when some samples are taken away; none where that can't be tried."""
    return [origin for origin in origins if _holds(case, evidence, origin)]


def _holds(case: Case, evidence: Evidence, origin: Origin) -> bool | None:
    """Whether an origin also explains the factor on fewer samples; None where that cannot be tried."""
    fewer = _on_fewer(case, evidence)
    if fewer is None:
        return None
    count, factor = fewer
    return bool(abs(factor / origin.value(count, case.problem.classes or 1) - 1) < 1e-2)


def _other_number(case: Case, evidence: Evidence, factor: float) -> int | None:
    """The number M that sums over any number of samples are divided by; None if they are by none."""
    N, fewer = case.problem.samples, _on_fewer(case, evidence)
    if N is None or fewer is None or factor <= 0:
        return None
    M, again = N / factor, fewer[0] / fewer[1]
    whole = round(M) > 1 and abs(M - round(M)) < 1e-3 * M
    return round(M) if whole and abs(again / M - 1) < 1e-3 else None


def _on_fewer(case: Case, evidence: Evidence) -> tuple[int, float] | None:
    """About half of the samples: how many, and the factor there; None where that cannot be tried."""
    N = case.problem.samples
    if N is None or N < 3:
        return None
    count = N // 2 + 1
    fewer = case.problem.part(slice(0, count))
    claim = fewer.try_claim()
    if claim is None:
        return None
    largest = np.unravel_index(np.argmax(np.abs(evidence.measured)), evidence.measured.shape)
    place = tuple(int(r[i]) for r, i in zip(evidence.rows, largest, strict=True))
    right = careful_slope(entry_line(fewer, evidence.name, place), case.precision).value
    claimed = float(claim[evidence.name][place])
    return (count, claimed / right) if right and claimed else None
