"""What a model takes for what: the matrix over all seeds, and the pictures behind its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.metrics import by_class, confusion, predicted, probabilities
from nablab.analysis.results import RunData
from nablab.report.view_types import ClassView, ConfusedPair, ConfusionView, ExampleView, Picture

#: Pictures behind one cell, pairs of confused classes, and mistakes that a report shows.
PICTURES_A_CELL = 12
CONFUSED_PAIRS = 8
MISTAKES = 24


def confusion_view(runs: Sequence[RunData], images: Mapping[int, Picture]) -> ConfusionView:
    """The matrix of finished runs of one model at one fraction, summed over them.

    Raises:
        UserError: predictions that cannot be read.
    """
    names = runs[0].record.data.classes
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for run in runs:
        counts += confusion(run.predictions.y, run.predictions.scores, len(names))
    answers = sorted(_answers(runs, images), key=_sureness, reverse=True)
    return ConfusionView(
        counts=counts,
        runs=len(runs),
        classes=_classes(names, counts, len(runs)),
        confused=_confused(counts),
        cells=_cells(answers, len(runs)),
        mistakes=_mistakes(answers, len(runs)),
    )


def _classes(names: Sequence[str], counts: NDArray[np.int64], runs: int) -> tuple[ClassView, ...]:
    found = by_class(counts)
    return tuple(
        ClassView(
            name,
            float(found.precision[k]),
            float(found.recall[k]),
            float(found.f1[k]),
            int(found.support[k]) // runs,
        )
        for k, name in enumerate(names)
    )


def _confused(counts: NDArray[np.int64]) -> tuple[ConfusedPair, ...]:
    wrong = counts - np.diag(np.diag(counts))
    totals = counts.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED_PAIRS]
    cells = [(int(cell) // len(counts), int(cell) % len(counts)) for cell in order]
    return tuple(
        ConfusedPair(truth, given, int(wrong[truth, given]), float(wrong[truth, given] / totals[truth]))
        for truth, given in cells
        if wrong[truth, given]
    )


@dataclass
class _Answer:
    """What was said about an image, gathered over runs; `lead` is by how much it beat the truth."""

    index: int
    truth: int
    prediction: int
    probabilities: list[float] = field(default_factory=list)
    leads: list[float] = field(default_factory=list)


def _answers(runs: Sequence[RunData], images: Mapping[int, Picture]) -> Iterable[_Answer]:
    """Every answer to a test image that there is a picture of."""
    found: dict[tuple[int, int], _Answer] = {}
    for run in runs:
        p = run.predictions
        chances = probabilities(p.scores, run.record.model.score_kind)
        given = predicted(p.scores)
        for row in np.flatnonzero(np.isin(p.indices, list(images))):
            index, truth, prediction = int(p.indices[row]), int(p.y[row]), int(given[row])
            answer = found.setdefault((index, prediction), _Answer(index, truth, prediction))
            answer.leads.append(float(p.scores[row, prediction] - p.scores[row, truth]))
            if chances is not None:
                answer.probabilities.append(float(chances[row, prediction]))
    return found.values()


def _sureness(answer: _Answer) -> tuple[float, int]:
    """Surest first: by the mean probability; where there is none, by the lead over the truth."""
    values = answer.probabilities or answer.leads
    return float(np.mean(values)), -answer.index


def _example(answer: _Answer, runs: int) -> ExampleView:
    chance = float(np.mean(answer.probabilities)) if answer.probabilities else None
    return ExampleView(answer.index, answer.truth, answer.prediction, chance, len(answer.leads), runs)


def _cells(answers: Sequence[_Answer], runs: int) -> dict[tuple[int, int], tuple[ExampleView, ...]]:
    def cell(answer: _Answer) -> tuple[int, int]:
        return answer.truth, answer.prediction

    return {
        key: tuple(_example(answer, runs) for answer in list(group)[:PICTURES_A_CELL])
        for key, group in groupby(sorted(answers, key=cell), key=cell)
    }


def _mistakes(answers: Sequence[_Answer], runs: int) -> tuple[ExampleView, ...]:
    """The surest wrong answers, one an image."""
    first: dict[int, _Answer] = {}
    for answer in answers:
        if answer.prediction != answer.truth:
            first.setdefault(answer.index, answer)
    return tuple(_example(answer, runs) for answer in list(first.values())[:MISTAKES])
