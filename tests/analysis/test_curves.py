"""Bands over seeds, by hand."""

from __future__ import annotations

from dataclasses import replace

from nablab.analysis.curves import Band, band, curves
from nablab.training.signals import EpochMetrics

FIRST = EpochMetrics(1, 10, 0.1, 2.0, 0.3, 1.8, 0.4, None, None, 1.9, 0.35, 1.0, 2.0)
A = [FIRST, replace(FIRST, epoch=2, test_loss=1.0)]
B = [replace(FIRST, test_loss=2.1), replace(FIRST, epoch=2, test_loss=None)]


def test_mean_and_range_at_each_epoch_with_how_many_measured_it():
    assert band([A, B], "test_loss") == Band((1, 2), (2.0, 1.0), (1.9, 1.0), (2.1, 1.0), (2, 1))


def test_a_series_that_nobody_measured_is_left_out():
    assert band([A, B], "validation_loss") is None
    found = curves("lenet", 0.1, [A, B], [2, 2])
    assert found is not None
    assert list(found.loss) == list(found.accuracy) == ["running", "train", "test"]
    assert (found.runs, found.kept_epochs) == (2, (2, 2))


def test_estimators_have_no_curves():
    assert curves("knn", 0.1, [[], []]) is None
