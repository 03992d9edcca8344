"""Candidates for wrong labels as a finding about a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.label_noise import Averaged, averaged, label_noise, says_probabilities
from nablab.analysis.results import RunData
from nablab.data.checks import Finding, Row
from nablab.data.checks.naming import counted, percent, portion
from nablab.data.dataset import Dataset
from nablab.errors import UserError

RULE = "label-noise"
#: The share of the test labels that are candidates, from which that is a warning.
MANY = 0.01


def noise_findings(dataset: Dataset, runs: Sequence[RunData]) -> tuple[Finding, ...]:
    """None or one: the test images that the runs are confident are of another class.

    Args:
        runs: finished ones; those whose scores are margins are left out.

    Raises:
        UserError: the scores of all runs are margins, or they are runs on other data.
    """
    speaking = [run for run in runs if says_probabilities(run)]
    if not speaking:
        raise UserError(
            f"{RULE} is not applicable: the scores of {runs[0].label} are margins, no probabilities; give "
            "runs of other models"
        )
    if speaking[0].record.data.classes != dataset.classes:
        raise UserError(f"{speaking[0].folder.path} is a run on data of other classes than {dataset.name}")
    said = averaged(speaking)
    rows = _rows_of(dataset, said, speaking[0])
    noise = label_noise(said.y, said.p)
    if not len(noise.rows):
        return ()
    asked, count = len(said.y), len(noise.rows)
    accuracy = percent(np.mean(said.p.argmax(axis=1) == said.y))
    captions = [
        f"looks like {dataset.classes[suggested]} ({said.p[row, suggested]:.2f} to {said.p[row, given]:.2f})"
        for row, given, suggested in zip(noise.rows, noise.given, noise.suggested, strict=True)
    ]
    return (
        Finding(
            RULE,
            "warning" if count / asked >= MANY else "note",
            f"{portion(count, asked, 'test labels is/are')} probably wrong, or hard: "
            f"{counted(len(speaking), 'run disagrees/disagree')} ({accuracy} accuracy, confident learning)",
            "look at them: what is wrong limits every accuracy, what is right is what models confuse",
            tuple((Row("test", int(rows[row])),) for row in noise.rows),
            tuple(captions),
        ),
    )


def _rows_of(dataset: Dataset, said: Averaged, run: RunData) -> NDArray[np.int64]:
    """The rows of `x_test` that the runs were asked about.

    Raises:
        UserError: images that are not here, or that have other labels here.
    """
    order = np.argsort(dataset.test_ids)
    places = np.searchsorted(dataset.test_ids, said.indices, sorter=order)
    rows = order[np.minimum(places, len(order) - 1)]
    if not np.array_equal(dataset.test_ids[rows], said.indices):
        raise UserError(f"{run.folder.path} is a run on test images that {dataset.name} does not hold")
    if not np.array_equal(dataset.y_test[rows], said.y):
        raise UserError(f"{run.folder.path} is a run on data with other labels than {dataset.name}")
    return np.asarray(rows, dtype=np.int64)
