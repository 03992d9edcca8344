"""Which of two models is better, and whether that can be said at all.

What is compared is the expected accuracy over seeds and test images. Let c[s, i] be 1 where the run with
seed s is right about test image i: n seeds by m images for each model. In the two-way random effects model
c[s, i] = mean + seed[s] + image[i] + rest[s, i], the difference of two models' means has the variance

    SE^2 = S_A/n_A + S_B/n_B + V/m - R_A/(n_A m) - R_B/(n_B m)

where S is the variance of the accuracy between seeds, V the variance between images of the paired
difference of the two models' mean correctness, and R the residual mean square of c. The rest is contained
in S and in V; the last two terms keep it from being counted twice (the moment estimator of the crossed
design: Searle, Casella and McCulloch, Variance Components, 1992, chapter 4). Degrees of freedom are
Satterthwaite's (1946) over the mean squares; p values are those of Student's t, two-sided.

Special cases: two methods without seeds give the paired t test over images; no variance between images
gives Welch's test over seeds.

Assumed: test images are drawn independently; seeds are drawn independently for each model (that equal
seeds share their order of images is ignored, which can only cost power when it makes runs alike); the
training images are what they are: without `--resample` nothing is said about other training images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

Verdict = Literal["better", "worse", "tie", "undecided"]

#: Verdicts are given at this level over all pairs of a family.
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Sample:
    """What is known of one model: which images each of its runs got right.

    Attributes:
        label: the model.
        correct: bool (n, m): run by test image.
        images: int64 (m,): which test images, so that only like is compared with like.
        seeded: whether another seed could give another result; False has no variance between seeds.
    """

    label: str
    correct: NDArray[np.bool_]
    images: NDArray[np.int64]
    seeded: bool = True

    @cached_property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @cached_property
    def by_image(self) -> NDArray[np.float64]:
        """(m,) the share of runs that are right about each image."""
        return np.asarray(self.correct.mean(axis=0), dtype=np.float64)

    @cached_property
    def seed_term(self) -> SeedTerm:
        """What its seeds contribute to the variance of its accuracy."""
        n, m = self.correct.shape
        if n == 1:
            return SeedTerm(0.0, 0.0, 0)
        by_seed = self.correct.mean(axis=1)
        rest = self.correct - by_seed[:, None] - self.by_image + self.accuracy
        residual = float((rest**2).sum()) / ((n - 1) * (m - 1)) / (n * m)
        # Two seeds may agree by luck; what single images do shows how far they could have been apart.
        return SeedTerm(max(float(by_seed.var(ddof=1)) / n, residual), residual, n - 1)


@dataclass(frozen=True)
class SeedTerm:
    """The part of seeds in a variance, for n of them and m images."""

    variance: float  #: S/n
    residual: float  #: R/(n m), contained in `variance`
    degrees: int


@dataclass(frozen=True)
class Pair:
    """`a` held against `b`: is `a` better, worse, a tie (not distinguishable), or undecided?

    `low` and `high` bound the difference at the level that Holm's procedure tests this pair at, so that
    0 lies outside of them exactly when the verdict is better or worse.
    """

    a: str
    b: str
    verdict: Verdict
    difference: float  #: accuracy of a minus accuracy of b
    standard_error: float | None = None
    degrees: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None  #: of this pair alone
    p_adjusted: float | None = None  #: Holm's, over all decided pairs of the family
    reason: str = ""  #: why it is undecided

    def turned(self) -> Pair:
        """The same with `b` held against `a`."""
        turned: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
        return replace(
            self,
            a=self.b,
            b=self.a,
            verdict=turned.get(self.verdict, self.verdict),
            difference=-self.difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
        )


def compare(a: Sample, b: Sample) -> Pair:
    """One pair by itself: no correction for other pairs, no verdict but `tie` or `undecided` yet."""
    difference = a.accuracy - b.accuracy
    reason = _undecidable(a, b)
    if reason:
        return Pair(a.label, b.label, "undecided", difference, reason=reason)
    seed_terms = [sample.seed_term for sample in (a, b)]
    paired = a.by_image - b.by_image
    m = len(paired)
    residual = sum(term.residual for term in seed_terms)
    image = max(float(paired.var(ddof=1)) / m, residual)
    # Accuracy comes in steps of one image: no difference is known more finely than that.
    variance = max(sum(term.variance for term in seed_terms) + image - residual, 1 / m**2)
    curvature = image**2 / (m - 1)
    curvature += sum(term.variance**2 / term.degrees for term in seed_terms if term.degrees)
    degrees = variance**2 / curvature if curvature else float(m - 1)
    error = float(np.sqrt(variance))
    p = 2 * float(stdtr(degrees, -abs(difference) / error))
    return Pair(a.label, b.label, "tie", difference, error, degrees, p=p)


def compare_all(samples: Sequence[Sample], alpha: float = ALPHA) -> tuple[Pair, ...]:
    """Every two of `samples`, with Holm's correction (1979) over all pairs that can be decided.

    Returns:
        one `Pair` for every two, in the order of `samples`.
    """
    pairs = [compare(a, b) for a, b in combinations(samples, 2)]
    steps = iter(_stepped([pair.p for pair in pairs if pair.p is not None]))
    return tuple(pair if pair.p is None else _judge(pair, float(next(steps)), alpha) for pair in pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    return [min(float(value), 1.0) for value in _stepped(p_values)]


def _stepped(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Holm's adjusted p values before those above 1 are cut to 1."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = np.empty_like(p)
    steps[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return steps


def ranks(accuracies: Mapping[str, float], pairs: Sequence[Pair]) -> dict[str, int | None]:
    """Places from 1. A group shares one when none of it can be told from the best of the group.

    Models are walked from the highest mean down; the first that is worse than the best of the current
    group opens the next one, whose place counts all models before it (1, 1, 3). A model whose comparison
    with the best of the group is undecided, and one alone, has no place.
    """
    verdicts = {(pair.a, pair.b): pair.verdict for pair in pairs}
    verdicts |= {(pair.b, pair.a): pair.turned().verdict for pair in pairs}
    decided = {a for (a, _), verdict in verdicts.items() if verdict != "undecided"}
    places: dict[str, int | None] = dict.fromkeys(accuracies)
    best: str | None = None
    place = 0
    for before, label in enumerate(sorted(decided, key=lambda name: -accuracies[name])):
        if best is None or verdicts[best, label] == "better":
            best, place = label, before + 1
        if label == best or verdicts[best, label] != "undecided":
            places[label] = place
    return places


def _undecidable(a: Sample, b: Sample) -> str:
    if not np.array_equal(a.images, b.images):
        return "measured on different test images"
    if len(a.images) < 2:
        return "one test image is not enough"
    lone = [sample.label for sample in (a, b) if sample.seeded and len(sample.correct) < 2]
    if lone:
        return f"one seed only of {' and '.join(lone)}"
    return ""


def _judge(pair: Pair, stepped: float, alpha: float) -> Pair:
    assert pair.p is not None
    assert pair.standard_error is not None
    assert pair.degrees is not None
    verdict: Verdict = "tie"
    if stepped < alpha:
        verdict = "better" if pair.difference > 0 else "worse"
    level = alpha * pair.p / stepped if stepped > 0 else alpha
    half = float(stdtrit(pair.degrees, 1 - level / 2)) * pair.standard_error
    return replace(
        pair,
        verdict=verdict,
        p_adjusted=min(stepped, 1.0),
        low=pair.difference - half,
        high=pair.difference + half,
    )
