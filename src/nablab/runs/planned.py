"""A comparison as a value: which runs, with what. Everything is decided here, before anything trains."""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.models.model import Model
from nablab.runs.start import KeptStart
from nablab.runs.store import RUNS, RunFolder
from nablab.training.recipe import Recipe

#: Seeds that a number may ask for.
MOST_SEEDS = 10_000


#: What records say of how data is loaded.
OPTIONS = ("size", "color", "group")


@dataclass(frozen=True)
class DataReference:
    """How the data is loaded again in another process: what `nablab.data.load` is given."""

    reference: str = ""  #: a source's name or a path; empty for data that was made in Python
    options: Mapping[str, Any] = field(default_factory=dict)  #: `size`, `color`, `group`

    def load(self, what_for: str) -> Dataset:
        """The data.

        Raises:
            UserError: it was made in Python, or cannot be loaded; an option that there is not.
        """
        from nablab.data import load

        if not self.reference:
            raise UserError(f"{what_for} was given its data in Python; give it there again")
        unknown = sorted(self.options.keys() - set(OPTIONS))
        if unknown:
            named, known = ", ".join(unknown), ", ".join(OPTIONS)
            raise UserError(f"{what_for} gives {named} with its data, which takes {known}")
        return load(self.reference, **self.options)


@dataclass(frozen=True)
class Estimate:
    """What one run is expected to take, from a short calibration on this machine."""

    fixed_seconds: float  #: whatever the number of epochs
    epoch_seconds: float  #: each epoch, its measurements included; 0 for estimators
    memory_bytes: int  #: of its process, at most

    def seconds(self, epochs: int) -> float:
        return self.fixed_seconds + epochs * self.epoch_seconds


@dataclass(frozen=True)
class PlannedRun:
    """One training: a model, a fraction of the data and a seed."""

    id: str  #: its folder's name
    label: str  #: of its model
    fraction: float
    recipe: Recipe  #: complete: its seed and threads are set

    @property
    def seed(self) -> int:
        return self.recipe.seed


@dataclass(frozen=True, eq=False)
class Plan:
    """What a comparison will do.

    Attributes:
        out: its folder.
        models: in the order of the table, labels unique.
        dataset: what all train on.
        data: how `dataset` is loaded again.
        recipe: shared by all runs, but for the seed.
        fractions: of the full training set, in the order asked.
        seeds: one run each, for every model that the seed changes.
        test_fraction: of the test set.
        resample: whether the seed also draws which images train.
        jobs: runs that compute at the same time; above 1, each in a process of its own.
        estimates: by (label, fraction); empty when nothing was calibrated.
        changes: what a budget changed, in words.
        starts: by label, what the models start from that do not start from chance.
    """

    out: Path
    models: tuple[Model, ...]
    dataset: Dataset
    data: DataReference
    recipe: Recipe
    fractions: tuple[float, ...]
    seeds: tuple[int, ...]
    test_fraction: float = 1.0
    resample: bool = False
    jobs: int = 1
    estimates: Mapping[tuple[str, float], Estimate] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    starts: Mapping[str, KeptStart] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """All of them, those of the first fraction and seed first."""
        return tuple(self._run(*each) for each in self._each())

    def model(self, label: str) -> Model:
        return next(model for model in self.models if model.label == label)

    def recipe_of(self, model: Model) -> Recipe:
        """The recipe of all runs of a model, but for the seed; a linear probe is fed as its backbone needs.

        What is for networks that come with weights is left out for those that start from chance: freezing
        noise, or training it slowly, would make them no comparison. A user's module may bring weights.
        """
        recipe = self.recipe.but(preprocessing=model.fed) if model.fed else self.recipe
        if model.start or model.kind == "module":
            return recipe
        return recipe.but(freeze="", layer_decay=1.0, new_head=False)

    def folder(self, run: PlannedRun) -> RunFolder:
        return RunFolder(self.out / RUNS / run.id)

    def epochs(self, run: PlannedRun) -> int:
        """Epochs that the run does at most; 0 for estimators."""
        return self._epochs(self.model(run.label))

    def estimate(self, run: PlannedRun) -> Estimate | None:
        """What the run is expected to take; None when nothing was calibrated."""
        return self.estimates.get((run.label, run.fraction))

    @property
    def seconds(self) -> float | None:
        """Expected wall time of the whole, `jobs` at a time; None when nothing was calibrated."""
        if not self.estimates:
            return None
        each = (
            self.estimates[model.label, fraction].seconds(self._epochs(model))
            for model, fraction, _ in self._each()
        )
        return makespan(each, self.jobs)

    @property
    def memory_bytes(self) -> int | None:
        """Expected memory of the `jobs` largest runs together; None when nothing was calibrated."""
        if not self.estimates:
            return None
        each = (self.estimates[model.label, fraction].memory_bytes for model, fraction, _ in self._each())
        return sum(heapq.nlargest(self.jobs, each))

    def _each(self) -> Iterator[tuple[Model, float, int]]:
        """Model, fraction and seed of every run, in their order."""
        return (
            (model, fraction, seed)
            for fraction in self.fractions
            for seed in self.seeds
            for model in self.models
            if seed == self.seeds[0] or model.seeded or self.resample
        )

    def _epochs(self, model: Model) -> int:
        return 0 if model.kind == "estimator" else self.recipe.epochs

    def _run(self, model: Model, fraction: float, seed: int) -> PlannedRun:
        split_seed = seed if self.resample else self.recipe.split_seed
        return PlannedRun(
            id=run_id(model.label, fraction, seed),
            label=model.label,
            fraction=fraction,
            recipe=self.recipe_of(model).but(seed=seed, split_seed=split_seed),
        )


def run_id(label: str, fraction: float, seed: int) -> str:
    """The name of a run's folder.

    Characters that some file system refuses, and what makes a name too long, are replaced by a
    hash, so that different labels keep different names.

    >>> run_id("lenet", 0.1, 0)
    'lenet-f0.1-s0'
    >>> run_id("nets/a.py:Net", 1.0, 2)
    'nets_a.py_Net_5ecac46c-f1-s2'
    """
    name = re.sub(r"[^\w.+()-]", "_", label, flags=re.ASCII)
    if len(name) > 80 or name != label:
        name = f"{name[:70]}_{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    return f"{name}-f{fraction_text(fraction)}-s{seed}"


def fraction_text(fraction: float) -> str:
    """The shortest decimal that reads back as `fraction`: `1`, `0.1`, `0.00001`."""
    return np.format_float_positional(fraction, trim="-")


def makespan(seconds: Iterable[float], jobs: int) -> float:
    """When the last of these tasks ends, if each goes in turn to the first of `jobs` workers that is free.

    >>> makespan([3.0, 1.0, 1.0, 4.0], 2)
    6.0
    """
    free = [0.0] * jobs
    for task in seconds:
        heapq.heapreplace(free, free[0] + task)
    return max(free)


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """The fractions as given.

    Raises:
        UserError: one is outside (0, 1], or comes twice.
    """
    for fraction in fractions:
        is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
        if not (is_number and math.isfinite(fraction) and 0 < fraction <= 1):
            raise UserError(f"fraction {fraction!r} must be above 0 and at most 1 (0.1 is a tenth)")
    if len(set(fractions)) < len(fractions):
        raise UserError(f"fractions {', '.join(map(str, fractions))}: one comes twice")
    if not fractions:
        raise UserError("no fractions; give at least one, e.g. 0.1")
    return tuple(float(fraction) for fraction in fractions)


def check_seeds(seeds: int | Sequence[int], first: int) -> tuple[int, ...]:
    """The seeds: as given, or so many from `first` on.

    Raises:
        UserError: none, too many to be meant, a negative one, or one that comes twice.
    """
    if isinstance(seeds, int) and seeds > MOST_SEEDS:
        raise UserError(f"{seeds} seeds? give how many (such as 3), or a list of them")
    chosen = tuple(range(first, first + seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen:
        raise UserError(f"seeds {seeds!r} leaves none; give how many (at least 1), or a list of them")
    for seed in chosen:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UserError(f"seed {seed!r} must be a whole number from 0")
    if len(set(chosen)) < len(chosen):
        raise UserError(f"seeds {', '.join(map(str, chosen))}: one comes twice")
    return chosen
