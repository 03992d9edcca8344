"""Candidates for wrong labels: a case worked by hand, flipped labels on digits, and runs on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from nablab.analysis.label_noise import averaged, label_noise, says_probabilities
from nablab.analysis.noise_finding import noise_findings
from nablab.analysis.results import RunData, load_results
from nablab.data import Dataset, load
from nablab.data.checks import Row
from nablab.errors import UserError
from nablab.runs.store import Predictions


def test_the_confident_joint_worked_by_hand() -> None:
    """Three classes, eight images.

    Thresholds: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6; class 1 (0.8 + 0.6 + 0.1) / 3 = 0.5; class 2
    (0.9 + 0.5) / 2 = 0.7. Image 2 (label 0) is over the threshold of class 2 only, image 5 (label 1) over
    that of class 0 only; image 7 (label 2) is sure of nothing, and is not counted. So the confident joint is
    [[2, 0, 1], [1, 2, 0], [0, 0, 1]]; with rows scaled to 3, 3 and 2 labels and divided by 8, its diagonal is
    2/8 + 2/8 + 2/8.
    """
    y = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    p = np.array(
        [
            [0.90, 0.05, 0.05],
            [0.70, 0.20, 0.10],
            [0.20, 0.05, 0.75],
            [0.10, 0.80, 0.10],
            [0.30, 0.60, 0.10],
            [0.80, 0.10, 0.10],
            [0.05, 0.05, 0.90],
            [0.40, 0.10, 0.50],
        ]
    )
    noise = label_noise(y, p)
    np.testing.assert_allclose(noise.thresholds, [0.6, 0.5, 0.7])
    assert noise.rows.tolist() == [5, 2]
    assert noise.given.tolist() == [1, 0]
    assert noise.suggested.tolist() == [0, 2]
    np.testing.assert_allclose(noise.margin, [0.7, 0.55])
    np.testing.assert_allclose(noise.joint * 8, [[2, 0, 1], [1, 2, 0], [0, 0, 2]])
    assert noise.share == pytest.approx(0.25)


def test_of_two_confident_classes_the_larger_counts() -> None:
    """The thresholds are 0.43 and 0.435, and image 1, labelled 0, is over both: it is in class 1."""
    p = np.array([[0.4, 0.35, 0.25], [0.46, 0.54, 0.0], [0.0, 0.36, 0.64], [0.39, 0.51, 0.1]])
    noise = label_noise(np.array([0, 0, 1, 1]), p)
    np.testing.assert_allclose(noise.thresholds, [0.43, 0.435, np.inf])
    assert noise.rows.tolist() == [1]


def test_classes_without_labels_or_without_sure_images_are_no_obstacle() -> None:
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.2, 0.1, 0.7], [0.2, 0.1, 0.7]])
    noise = label_noise(y, p)
    assert noise.thresholds[2] == np.inf
    assert noise.joint.sum() == pytest.approx(1)
    assert noise.rows.tolist() == []


@pytest.mark.parametrize("rate", [0.02, 0.05])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_most_flipped_labels_of_digits_are_candidates(rate: float, seed: int) -> None:
    """Ten neighbours (98 % accuracy), out of sample, on labels as wrong as those they judge.

    Precision is 0.85 to 0.99, recall 0.67 to 0.82, and the estimated share is right to within 0.7 points.
    """
    x, truth = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    flipped = rng.choice(len(truth), round(rate * len(truth)), replace=False)
    y = truth.copy()
    y[flipped] = (truth[flipped] + rng.integers(1, 10, len(flipped))) % 10
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    noise = label_noise(
        y, cross_val_predict(KNeighborsClassifier(10), x, y, cv=folds, method="predict_proba")
    )
    hits = np.isin(noise.rows, flipped)
    assert hits.mean() >= 0.8
    assert hits.sum() / len(flipped) >= 0.65
    assert hits[: len(flipped) // 2].mean() >= 0.85  # the most suspicious come first
    assert np.mean(noise.suggested[hits] == truth[noise.rows[hits]]) >= 0.95
    assert noise.share == pytest.approx(rate, abs=0.01)


def run_that_says(run: RunData, y: Any, scores: Any, indices: Any, **model: Any) -> RunData:
    """The run with other predictions and another record of its model."""
    record = replace(run.record, model=replace(run.record.model, **model))
    other = RunData(run.folder, record, run.label)
    object.__setattr__(other, "predictions", Predictions(y, scores.astype(np.float32), indices))
    return other


@pytest.fixture
def run(digits_results: Path) -> RunData:
    return load_results(digits_results).runs[0]


@pytest.fixture
def digits() -> Dataset:
    return load("digits")


def perfect(data: Dataset, rows: Any) -> Any:
    """Logits that are nearly sure of the labels of these test rows."""
    return 6.0 * np.eye(10)[data.y_test[rows]]


def test_runs_are_averaged_over_the_images_they_share(run: RunData, digits: Dataset) -> None:
    first = run_that_says(run, digits.y_test[:200], perfect(digits, np.arange(200)), np.arange(200))
    order = np.random.default_rng(0).permutation(np.arange(100, 358))
    p = np.full((len(order), 10), 0.1)
    second = run_that_says(run, digits.y_test[order], p, order, score_kind="probabilities")
    mean = averaged([first, second])
    np.testing.assert_array_equal(mean.indices, np.arange(100, 200))
    np.testing.assert_array_equal(mean.y, digits.y_test[100:200])
    sure = np.exp(6) / (np.exp(6) + 9)
    own = mean.p[np.arange(100), mean.y]
    np.testing.assert_allclose(own, (sure + 0.1) / 2, rtol=1e-6)
    np.testing.assert_allclose(mean.p.sum(axis=1), 1)


def test_runs_that_do_not_belong_together_are_refused(run: RunData, digits: Dataset) -> None:
    rows = np.arange(100)
    one = run_that_says(run, digits.y_test[rows], perfect(digits, rows), rows)
    wrong = digits.y_test[rows].copy()
    wrong[7] = (wrong[7] + 1) % 10
    with pytest.raises(UserError, match="data of other labels"):
        averaged([one, run_that_says(run, wrong, perfect(digits, rows), rows)])
    with pytest.raises(UserError, match="no test image in common"):
        averaged([one, run_that_says(run, digits.y_test[rows], perfect(digits, rows), rows + 100)])
    with pytest.raises(UserError, match="data with other labels"):
        noise_findings(digits, [run_that_says(run, wrong, perfect(digits, rows), rows)])
    with pytest.raises(UserError, match="does not hold"):
        noise_findings(digits, [run_that_says(run, digits.y_test[rows], perfect(digits, rows), rows + 300)])
    with pytest.raises(UserError, match="data of other classes"):
        noise_findings(load("spiral"), [one])


def test_margins_are_not_applicable(run: RunData, digits: Dataset) -> None:
    rows = np.arange(358)
    margins = run_that_says(run, digits.y_test, perfect(digits, rows), rows, score_kind="margins")
    assert not says_probabilities(margins)
    with pytest.raises(UserError, match=r"not applicable: the scores of .* are margins"):
        noise_findings(digits, [margins])
    logits = run_that_says(run, digits.y_test, perfect(digits, rows), rows)
    assert noise_findings(digits, [margins, logits]) == ()


def test_a_finding_names_the_rows_of_this_data_set_and_both_classes(run: RunData, digits: Dataset) -> None:
    """The run's test images are in another order than the rows, and two labels are wrong in both."""
    y = digits.y_test.copy()
    truth = y[[17, 204]]
    y[[17, 204]] = (truth + 1) % 10
    rng = np.random.default_rng(0)
    data = replace(digits, y_test=y, test_ids=3 * rng.permutation(358))
    order = rng.permutation(358)
    said = run_that_says(run, y[order], perfect(digits, order), data.test_ids[order])
    (finding,) = noise_findings(data, [said])
    assert set(finding.rows) == {Row("test", 17), Row("test", 204)}
    assert (finding.rule, finding.severity) == ("label-noise", "note")
    assert "2 of 358 test labels (0.56 %) are" in finding.claim
    assert "1 run disagrees (99.4 % accuracy" in finding.claim
    for group, caption in zip(finding.groups, finding.captions, strict=True):
        right = truth[[17, 204].index(group[0].index)]
        assert caption == f"looks like {right} (0.98 to 0.00)"


def test_real_runs_on_digits(digits_results: Path, digits: Dataset) -> None:
    """Two networks and the neighbours, trained briefly: only test rows, and not many of them."""
    runs = load_results(digits_results).runs
    for finding in noise_findings(digits, runs):
        assert {row.part for row in finding.rows} == {"test"}
        assert len(finding.groups) == len(finding.captions) < 358 / 4
