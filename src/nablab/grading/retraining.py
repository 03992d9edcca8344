"""Training again what a delivery says was trained, and whether the accuracies are those of the same training.

Seeds that were recorded are trained again, and as many more as make three. Where the same seed gives the
same answers, that settles it. Else the mean of the n recorded accuracies is held against that of the m new
ones by Student's two-sample t test: pooled variance, n + m - 2 degrees of freedom. Few seeds may agree by
luck: the variance is taken no smaller than what single images' answers vary by between the new runs. Methods
that the seed does not change are compared by McNemar's exact test over the test images. Holm's correction
over all models and fractions; below `LEVEL` is a finding.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr  # type: ignore[import-untyped]

from nablab.analysis.comparison import holm
from nablab.analysis.results import Results, RunData, load_results
from nablab.data.dataset import Dataset
from nablab.errors import NablabError
from nablab.grading.rescoring import NotAsked, attempt
from nablab.grading.verdict import Finding, plain
from nablab.models.model import Model
from nablab.training.recipe import Recipe

#: Accusing one honest delivery in a hundred is too often for two in a class; so far apart chance rarely gets.
LEVEL = 0.01
#: Runs that the spread is taken from.
SEEDS = 3


@dataclass(frozen=True)
class Again:
    """One model at one fraction, trained again."""

    label: str
    fraction: float
    recorded: tuple[float, ...]
    again: tuple[float, ...]
    exact: bool  #: the same seeds gave the same answers
    p: float
    where: str

    def message(self, p_adjusted: float) -> str:
        return (
            f"{plain(self.label, 60)} at {100 * self.fraction:g} %: recorded {_mean(self.recorded)}, trained "
            f"again {_mean(self.again)}: not the same training (p = {p_adjusted:.2g}, Holm)"
        )


class Retraining:
    """Trains deliveries' models again, for so long at most."""

    def __init__(self, seconds: float, seeds: int = SEEDS) -> None:
        self._seconds = seconds
        self._seeds = seeds

    def __call__(self, results: Results, dataset: Dataset) -> tuple[list[Finding], list[str]]:
        """Findings and notes about all models of a delivery at all fractions."""
        until = monotonic() + self._seconds
        done: list[Again] = []
        notes: list[str] = []
        for label in results.labels:
            for fraction in results.fractions:
                runs = results.done(label, fraction)
                if not runs:
                    continue
                again, note, wrong = attempt(partial(self._again, runs, dataset, until))
                if again is None:
                    what = f"{plain(label, 60)} at {100 * fraction:g} %"
                    notes.append(f"{what}: not trained again: {note or wrong}")
                else:
                    done.append(again)
        adjusted = holm([one.p for one in done])
        findings = [
            Finding("training", one.where, one.message(p))
            for one, p in zip(done, adjusted, strict=True)
            if p < LEVEL
        ]
        exact = sum(one.exact for one in done)
        notes.append(
            f"trained again: {len(done)} models at a fraction, {exact} to the very same answers, "
            f"{len(findings)} to others than chance explains (two-sample t or McNemar, Holm, "
            f"{100 * LEVEL:g} %)"
        )
        return findings, notes

    def _again(self, runs: Sequence[RunData], dataset: Dataset, until: float) -> Again:
        record = runs[0].record
        seeds = sorted({run.seed for run in runs})
        if record.model.seeded:
            seeds += range(max(seeds) + 1, max(seeds) + 1 + max(0, self._seeds - len(seeds)))
        with tempfile.TemporaryDirectory(prefix="nablab-retrain-") as private:
            new = _train(runs, dataset, seeds, Path(private) / "results", until)
            accuracies = tuple(run.record.totals.test_accuracy for run in new if run.record.totals)
            exact = _same_answers(runs, new)
            p = 1.0 if exact else _p(runs, new)
        recorded = tuple(run.record.totals.test_accuracy for run in runs if run.record.totals)
        where = f"run {plain(record.id, 80)}"
        return Again(runs[0].label, runs[0].fraction, recorded, accuracies, exact, p, where)


def _train(
    runs: Sequence[RunData], dataset: Dataset, seeds: Sequence[int], out: Path, until: float
) -> tuple[RunData, ...]:
    """The same recipe with these seeds, here, one after the other.

    Raises:
        NotAsked: not a model of nablab's own; time is over; none finished.
    """
    from nablab.runs.execute import execute
    from nablab.runs.plan import make_plan

    record = runs[0].record
    if monotonic() > until:
        raise NotAsked("the time is over (--time-limit)")
    recipe = Recipe.from_dict(record.recipe).but(device="auto", seed=min(seeds))
    plans = [(recipe, list(seeds))]
    if len({run.record.recipe.get("split_seed") for run in runs}) > 1:
        # --resample, seed by seed: no plan has that with a share of the test images, and old records may.
        plans = [(recipe.but(seed=seed, split_seed=seed), [seed]) for seed in seeds]
    for number, (one, some) in enumerate(plans):
        plan = make_plan(
            [own_model(runs[0])], dataset, one, out=out / str(number), fractions=[record.data.fraction],
            seeds=some, test_fraction=record.data.test_fraction, jobs=1,
        )  # fmt: skip
        events = execute(plan)
        for _ in events:
            if monotonic() > until:
                events.close()  # type: ignore[attr-defined]
                raise NotAsked("the time is over (--time-limit)")
    new = load_results(out)
    finished = tuple(run for run in new.runs if run.done)
    if not finished:
        raise NotAsked(f"it fails here: {plain(new.runs[0].record.failure)}")
    for run in finished:
        _ = run.predictions  # before the folder goes
    return finished


def own_model(run: RunData) -> Model:
    """The model of a record, if that can be made without running anything but nablab and scikit-learn.

    A record's reference is someone's text, and a reference may name a file to run: so it is not resolved as
    such, but as a network's layers or as an estimator's name.

    Raises:
        NotAsked: a user's module; what starts from other weights, or works on features.
    """
    from nablab.models.estimators import ESTIMATORS
    from nablab.models.language import parse
    from nablab.models.reference import resolve
    from nablab.models.sklearn_model import PREFIX, sklearn_model

    model = run.record.model
    if run.record.start is not None:
        raise NotAsked("it starts from other weights")
    if model.spec is not None and model.kind == "network" and model.engine == "torch":
        return resolve(parse(model.spec))
    if model.kind == "estimator" and model.reference in ESTIMATORS:
        return resolve(model.reference)
    if model.kind == "estimator" and model.reference.startswith(PREFIX) and ".py:" not in model.reference:
        return sklearn_model(model.reference)
    raise NotAsked("a module of the student's own, or a method on others' weights")


def _same_answers(runs: Sequence[RunData], new: Sequence[RunData]) -> bool:
    """Whether every recorded run that was trained again said the same about every test image."""
    by_seed = {run.seed: run for run in new}
    pairs = [(run, by_seed[run.seed]) for run in runs if run.seed in by_seed]
    return bool(pairs) and all(
        np.array_equal(a.predictions.scores.argmax(axis=1), b.predictions.scores.argmax(axis=1))
        and np.array_equal(a.predictions.indices, b.predictions.indices)
        and np.array_equal(a.predictions.y, b.predictions.y)
        for a, b in pairs
    )


def _correct(runs: Sequence[RunData]) -> NDArray[np.bool_]:
    """Which images (columns) each run (rows) was right about, in the order of their positions."""
    rows: list[Any] = []
    for run in runs:
        said = run.predictions
        order = np.argsort(said.indices, kind="stable")
        rows.append((said.scores.argmax(axis=1) == said.y)[order])
    return np.array(rows, dtype=np.bool_)


def _p(runs: Sequence[RunData], new: Sequence[RunData]) -> float:
    recorded, again = _correct(runs), _correct(new)
    if recorded.shape[1] != again.shape[1]:
        raise NablabError("measured on other test images than its recipe says")
    if not runs[0].record.model.seeded:
        return mcnemar(recorded[0], again[0])
    return two_samples(recorded.mean(axis=1), again)


def two_samples(recorded: NDArray[Any], again: NDArray[np.bool_]) -> float:
    """The two-sided p value of Student's test for two means, the variance pooled and not below the images'.

    Args:
        recorded: (n,) accuracies.
        again: (m, images): what each new run was right about.

    >>> again = np.random.default_rng(0).random((3, 1000)) < 0.8
    >>> two_samples(np.array([0.8]), again) > 0.1, two_samples(np.array([0.99]), again) < 0.01
    (True, True)
    """
    new = again.mean(axis=1)
    n, m = len(recorded), len(new)
    degrees = n + m - 2
    if degrees < 1:
        return 1.0
    squares = ((recorded - recorded.mean()) ** 2).sum() + ((new - new.mean()) ** 2).sum()
    variance = max(float(squares) / degrees, _of_images(again), 1 / again.shape[1] ** 2)
    t = (recorded.mean() - new.mean()) / np.sqrt(variance * (1 / n + 1 / m))
    return float(2 * stdtr(degrees, -abs(t)))


def _of_images(correct: NDArray[np.bool_]) -> float:
    """The variance of an accuracy that comes from runs differing on single images, each by itself."""
    n, images = correct.shape
    if n < 2:
        return 0.0
    values = correct.astype(float)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((rest**2).sum() / ((n - 1) * max(1, images - 1)) / images)


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """The two-sided exact p value that two methods are right equally often, over images that they disagree on
    (McNemar 1947): binomial with probability 1/2.

    >>> round(mcnemar(np.array([1] * 6 + [0]) > 0, np.array([0] * 6 + [0]) > 0), 4)
    0.0312
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    total = only_a + only_b
    return 1.0 if total == 0 else float(min(1.0, 2 * bdtr(min(only_a, only_b), total, 0.5)))


def _mean(accuracies: Sequence[float]) -> str:
    values = np.array(accuracies)
    spread = f" ± {100 * values.std(ddof=1):.2f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.2f}{spread} % ({len(values)} run{'s' if len(values) > 1 else ''})"
