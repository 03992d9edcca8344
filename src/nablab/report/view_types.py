"""The frozen values of a view: what every report shows, as rows and series.

Accuracies are in [0, 1], losses in nats, times in seconds. None means: not measured, or without meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.comparison import Pair
from nablab.analysis.curves import Curves
from nablab.errors import UserError, did_you_mean
from nablab.models.model import LayerRow, ModuleGraph, Tried

#: uint8, (H, W) grey or (H, W, 3) RGB.
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class CellView:
    """One model at one fraction of the training images: means over the seeds that finished."""

    fraction: float
    n_train: int  #: images trained on
    parameters: int | None  #: these and the next four of one run: neighbours grow with the images they keep
    macs: int | None
    flops: int | None
    counted: str  #: how an estimator's MACs come about, in words; empty for networks
    size_bytes: int | None  #: of the stored weights
    n: int  #: finished runs (seeds)
    failed: int  #: runs that did not finish
    accuracy: float | None  #: mean over seeds; None when no run finished
    accuracy_sd: float | None  #: standard deviation over seeds (n - 1); None for one seed
    accuracy_low: float | None  #: smallest over seeds
    accuracy_high: float | None
    accuracies: tuple[float, ...]  #: of each seed, in the order of `seeds`
    seeds: tuple[int, ...]
    loss: float | None  #: test log loss; None for margins
    train_seconds: float | None
    wall_seconds: float | None
    predict_seconds_1: float | None  #: an image, one at a time
    predict_seconds_256: float | None  #: an image, 256 at a time
    epochs: float | None  #: done, mean over seeds; None for estimators
    clock: int | None  #: runs of one number were timed alike; 0 is the commonest, others are not compared
    rank: int | None  #: from 1; ties share one; None where nothing can be said
    seeded: bool = True  #: False: the seed changes nothing, one run is all there is


@dataclass(frozen=True)
class RowView:
    """One model: a row of the table. `cells` stand in the order of `ComparisonView.fractions`."""

    label: str
    detail: str  #: the layer string, or an estimator's settings
    kind: str  #: `network`, `module` or `estimator`
    parameters: int | None  #: these and the next four are those of `main`
    macs: int | None
    flops: int | None
    counted: str
    size_bytes: int | None
    cells: tuple[CellView | None, ...]  #: None where nothing was planned

    @property
    def main(self) -> CellView | None:
        """The cell of the largest fraction that has a result, else of the largest there is."""
        present = [cell for cell in self.cells if cell is not None]
        done = [cell for cell in present if cell.n]
        best = done or present
        return best[-1] if best else None


@dataclass(frozen=True)
class ExampleView:
    """A test image and what a model said about it. The picture is `ComparisonView.images[index]`."""

    index: int  #: position in the full test set
    truth: int
    prediction: int
    probability: float | None  #: of the prediction, mean over the runs that gave it; None for margins
    runs: int  #: runs (seeds) that gave this prediction
    of: int  #: runs there are


@dataclass(frozen=True)
class NeighbourView:
    """A training image that was asked."""

    index: int  #: position in the full training set
    label: int
    distance: float
    picture: Picture


@dataclass(frozen=True)
class DecidedView:
    """A test image, and the training images that decided what it was taken for, the nearest first."""

    index: int  #: position in the full test set
    truth: int
    prediction: int
    picture: Picture
    neighbours: tuple[NeighbourView, ...]


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other, one way."""

    truth: int
    prediction: int
    count: int  #: summed over seeds
    share: float  #: of the images of the true class


@dataclass(frozen=True)
class ClassView:
    """How one class fares; over the counts of all seeds."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int  #: test images of this class


@dataclass(frozen=True)
class ConfusionView:
    """Counts (K, K), rows the truth, columns the prediction, summed over `runs` seeds."""

    counts: NDArray[np.int64]
    runs: int
    classes: tuple[ClassView, ...]
    confused: tuple[ConfusedPair, ...]  #: most confused first
    cells: Mapping[tuple[int, int], tuple[ExampleView, ...]]  #: (truth, prediction) -> pictures behind it
    mistakes: tuple[ExampleView, ...]  #: the surest wrong answers first


@dataclass(frozen=True)
class FailureView:
    """A run that did not finish."""

    run: str
    label: str
    fraction: float
    seed: int
    kind: str
    message: str
    epoch: int | None
    step: int | None


@dataclass(frozen=True)
class SectionView:
    """Everything about one model; matrix and costs at its largest finished fraction."""

    label: str
    detail: str
    reference: str  #: what names it again
    kind: str
    row: RowView
    fraction: float | None  #: of `confusion` and `calibration`; None when no run finished
    curves: tuple[Curves, ...]  #: one a fraction that was trained in epochs
    confusion: ConfusionView | None
    calibration_error: float | None  #: expected calibration error, 15 bins; None for margins
    brier: float | None  #: None for margins
    layers: tuple[LayerRow, ...]  #: of a network or module
    graph: ModuleGraph | None  #: of a module that could be traced; drawn in place of its layers
    spec: str | None  #: canonical layer string of a network
    input_shape: tuple[int, ...]
    kept: str  #: in words, which weights were measured
    source_file: str  #: a user's file, its hash and commit, in one line; empty otherwise
    failures: tuple[FailureView, ...]
    remarks: tuple[str, ...] = ()  #: what runs remarked, each once
    deciding: tuple[DecidedView, ...] = ()  #: of methods that ask neighbours, by the first seed
    tried: tuple[Tried, ...] = ()  #: the settings that were chosen from, by the first seed


@dataclass(frozen=True)
class PointView:
    """A model in a plot of accuracy against `x` (seconds or parameters)."""

    label: str
    fraction: float
    x: float
    accuracy: float
    low: float  #: over seeds
    high: float
    n: int


@dataclass(frozen=True)
class DataView:
    """What was trained and tested on."""

    name: str
    source: str
    fingerprint: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    n_test: int
    train_total: int  #: of the full training set
    samples: tuple[tuple[int, int], ...]  #: (index, truth) of test images that are in `images`, by class


@dataclass(frozen=True)
class EnvironmentView:
    """Where some of the runs ran: names and values to print, and how many runs they hold for."""

    values: tuple[tuple[str, str], ...]
    runs: int


@dataclass(frozen=True)
class Difference:
    """One setting of a recipe that is not as in its preset."""

    name: str
    preset: Any
    value: Any


@dataclass(frozen=True)
class RecipeView:
    """How some of the models were trained: the nearest preset and what differs from it."""

    preset: str
    differences: tuple[Difference, ...]
    labels: tuple[str, ...]
    values: Mapping[str, Any]  #: the whole recipe; seed and threads are those of its first run


@dataclass(frozen=True)
class RepeatView:
    """How to get these results again."""

    commands: tuple[str, ...]  #: written out in full, one for each recipe
    experiment: str  #: the content of `experiment.toml`, which stands beside the runs; or empty


@dataclass(frozen=True)
class ComparisonView:
    """A comparison, ready to be drawn."""

    title: str
    headline: str  #: the answer, in a sentence or two
    notes: tuple[str, ...]  #: what a reader must know before believing it
    data: DataView
    fractions: tuple[float, ...]  #: ascending
    rows: tuple[RowView, ...]  #: best first at the largest fraction, failed ones last
    sections: tuple[SectionView, ...]  #: in the order of `rows`
    curves: tuple[Curves, ...]  #: all models' at the largest fraction, for one plot
    pairs: Mapping[float, tuple[Pair, ...]]  #: by fraction: every two models, better first
    time_points: tuple[PointView, ...]  #: training seconds; only what was timed alike
    parameter_points: tuple[PointView, ...]  #: at the largest fraction
    environments: tuple[EnvironmentView, ...]
    recipes: tuple[RecipeView, ...]
    repeat: RepeatView
    failures: tuple[FailureView, ...]
    conventions: tuple[str, ...] = ()  #: how parameters, MACs and FLOPs of these models are counted
    images: Mapping[int, Picture] = field(default_factory=dict)  #: by test index; empty for features

    def section(self, label: str) -> SectionView:
        """Everything about the model of this label.

        Raises:
            UserError: there is none; names the nearest.
        """
        for section in self.sections:
            if section.label == label:
                return section
        known = [section.label for section in self.sections]
        raise UserError(f"no model {label!r} in these results{did_you_mean(label, known)}")

    def pair(self, fraction: float, a: str, b: str) -> Pair | None:
        """The verdict on `a` against `b` at a fraction, turned so that `a` comes first."""
        for pair in self.pairs.get(fraction, ()):
            if (pair.a, pair.b) == (a, b):
                return pair
            if (pair.b, pair.a) == (a, b):
                return pair.turned()
        return None
