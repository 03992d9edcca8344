"""Metrics against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as reference

from nablab.analysis import metrics
from nablab.training.measure import measure_scores

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(200, 5)).astype(np.float32) * 3
Y = RNG.integers(5, size=200)


def test_accuracy_and_confusion():
    counts = metrics.confusion(Y, LOGITS, 5)
    assert metrics.accuracy(Y, LOGITS) == reference.accuracy_score(Y, LOGITS.argmax(axis=1))
    assert counts.trace() / counts.sum() == metrics.accuracy(Y, LOGITS)


def test_confusion_has_rows_for_classes_that_nobody_met():
    counts = metrics.confusion(np.array([0, 2]), np.eye(4)[[0, 1]], 4)
    assert counts.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_by_class():
    found = metrics.by_class(metrics.confusion(Y, LOGITS, 5))
    expected = reference.precision_recall_fscore_support(Y, LOGITS.argmax(axis=1), zero_division=0)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), expected, strict=True):
        assert ours == pytest.approx(theirs)


def test_a_class_never_predicted_or_never_there_scores_zero():
    found = metrics.by_class(np.array([[0, 3], [0, 0]]))
    assert (found.precision.tolist(), found.recall.tolist(), found.f1.tolist()) == ([0, 0], [0, 0], [0, 0])


def test_probabilities():
    assert metrics.probabilities(LOGITS, "logits") == pytest.approx(softmax(LOGITS.astype(float), axis=1))
    p = softmax(LOGITS, axis=1)
    assert metrics.probabilities(p, "probabilities") == pytest.approx(p)
    assert metrics.probabilities(LOGITS, "margins") is None


def test_log_loss():
    p = softmax(LOGITS.astype(float), axis=1)
    expected = reference.log_loss(Y, p)
    assert metrics.log_loss(Y, LOGITS, "logits") == pytest.approx(expected)
    assert metrics.log_loss(Y, p, "probabilities") == pytest.approx(expected)
    assert metrics.log_loss(Y, LOGITS, "margins") is None


def test_log_loss_of_huge_logits_does_not_overflow():
    assert metrics.log_loss(np.array([1]), np.array([[1e4, 0.0]]), "logits") == pytest.approx(1e4)


def test_log_loss_of_a_truth_thought_impossible_is_finite():
    p = np.array([[1.0, 0.0]])
    expected = reference.log_loss([1], p, labels=[0, 1])
    stored = p.astype(np.float32)  # as runs store what scikit-learn said in float64
    assert metrics.log_loss(np.array([1]), stored, "probabilities") == pytest.approx(expected)
    assert measure_scores(stored, np.array([1]), "probabilities").loss == pytest.approx(expected)


def test_brier():
    assert metrics.brier(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])) == 1.0
    p = softmax(RNG.normal(size=(50, 2)), axis=1)
    y = RNG.integers(2, size=50)
    assert metrics.brier(y, p) == pytest.approx(2 * reference.brier_score_loss(y, p[:, 1]))


def test_calibration_error_by_hand():
    """Two bins of 1/2: (0.5, 1] holds 0.6, 0.8 (one right): |0.5 - 0.7| over all of them."""
    p = np.array([[0.6, 0.4], [0.2, 0.8]])
    assert metrics.calibration_error(np.array([0, 0]), p, bins=2) == pytest.approx(0.2)
    # Four bins: 0.6 (right) and 0.8 (wrong) stand alone: (0.4 + 0.8)/2.
    assert metrics.calibration_error(np.array([0, 0]), p, bins=4) == pytest.approx(0.6)


def test_calibrated_predictions_have_a_small_error_and_sure_ones_a_large_one():
    rng = np.random.default_rng(1)
    p = softmax(rng.normal(size=(20_000, 4)), axis=1)
    y = (p.cumsum(axis=1) > rng.random((len(p), 1))).argmax(axis=1)
    assert metrics.calibration_error(y, p) < 0.02
    sharper = p**4 / (p**4).sum(axis=1, keepdims=True)
    assert metrics.calibration_error(y, sharper) > 0.2
