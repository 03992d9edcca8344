"""The end of a run: what it says about the test images, what it comes to, and its weights, stored."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab.runs.checkpoint import remove_checkpoint
from nablab.runs.deciding import choose_tests, write_deciding
from nablab.runs.describe import counted
from nablab.runs.estimator_file import write_estimator
from nablab.runs.examples import choose_examples
from nablab.runs.job import Job
from nablab.runs.record import RunRecord, Totals
from nablab.runs.store import Examples, Predictions
from nablab.training.events import Finished
from nablab.training.feed import Part, TrainingData
from nablab.training.measure import NOT_MEASURED, PIECE, Measured, measure_scores
from nablab.training.signals import EpochMetrics
from nablab.training.timing import Scorer, prediction_seconds
from nablab.training.trainable import Trainable

if TYPE_CHECKING:
    from nablab.training.estimator_fit import FittedEstimator


def finish_network(
    job: Job, record: RunRecord, net: Trainable, data: TrainingData, end: Finished, before: float
) -> Totals:
    """Store a trained network; what it comes to.

    Args:
        net: holding the weights that are kept.
        before: seconds that went by before the loop's clock started.
    """
    began = perf_counter()
    scores = _scores(net.scores, data.test)
    at_1, at_256 = prediction_seconds(net.scores, data.test.first(256).all())
    metrics = job.folder.metrics()
    kept = next(m for m in metrics if m.epoch == end.kept_epoch)
    test = measure_scores(scores, data.test.y)
    _store_answers(job, record, scores, data.test.y)
    size = job.folder.write_weights(net.weights())
    totals = Totals(
        epochs=end.state.epoch,
        steps=metrics[-1].step,
        train_seconds=end.state.train_seconds,
        wall_seconds=before + end.state.wall_seconds + perf_counter() - began,
        test_accuracy=_known(test.accuracy),
        test_loss=test.loss,
        **_of_epoch(kept),
        predict_seconds_1=at_1,
        predict_seconds_256=at_256,
        kept_epoch=end.kept_epoch,
        kept=end.kept,
        size_bytes=size,
    )
    _close(job, replace(record, status="done", totals=totals))
    return totals


def finish_estimator(
    job: Job, record: RunRecord, fitted: FittedEstimator, data: TrainingData, began: float
) -> Totals:
    """Store a fitted estimator; what it comes to.

    Args:
        began: when the run did, by `perf_counter`.
    """
    scores = _scores(fitted.scores, data.test)
    at_1, at_256 = prediction_seconds(fitted.scores, data.test.first(256).all())
    test = measure_scores(scores, data.test.y, fitted.score_kind)
    sample = _measure(fitted, data.train_sample)
    validation = _measure(fitted, data.validation) if data.validation is not None else NOT_MEASURED
    _store_answers(job, record, scores, data.test.y)
    stored = fitted.estimator if fitted.stored is None else fitted.stored
    size = write_estimator(job.folder.path, stored, job.cut.train, job.dataset)
    said = scores.argmax(axis=1)
    shown = choose_tests(data.test.y, said)
    tests = job.cut.test[shown], data.test.take(shown), said[shown]
    write_deciding(job.folder.path, stored, tests, job.dataset, job.cut.train)
    totals = Totals(
        epochs=0,
        steps=0,
        train_seconds=fitted.fit_seconds,
        wall_seconds=perf_counter() - began,
        test_accuracy=_known(test.accuracy),
        test_loss=test.loss,
        train_accuracy=sample.accuracy,
        train_loss=sample.loss,
        validation_accuracy=validation.accuracy,
        validation_loss=validation.loss,
        predict_seconds_1=at_1,
        predict_seconds_256=at_256,
        kept="fit",
        size_bytes=size,
    )
    model = counted(record.model, stored)
    _close(
        job,
        replace(
            record, status="done", model=model, totals=totals, remarks=fitted.remarks, tried=fitted.tried
        ),
    )
    return totals


def _scores(scorer: Scorer, part: Part) -> NDArray[np.float32]:
    """(n, K) for all of a part, its images taken piece by piece so that they never all are in memory."""
    return np.concatenate([scorer(x) for x, _ in part.pieces(PIECE)])


def _measure(fitted: FittedEstimator, part: Part) -> Measured:
    return measure_scores(_scores(fitted.scores, part), part.y, fitted.score_kind)


def _of_epoch(metrics: EpochMetrics) -> dict[str, Any]:
    """The measurements of the weights that are kept, as `Totals` names them."""
    names = ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss")
    return {name: getattr(metrics, name) for name in names}


def _store_answers(job: Job, record: RunRecord, scores: NDArray[np.float32], y: NDArray[np.int64]) -> None:
    """Predictions for all test images, pixels for the few that reports show."""
    rows = job.cut.test
    job.folder.write_predictions(Predictions(y, scores, job.dataset.test_ids[rows]))
    shown = rows[choose_examples(scores, y, record.model.score_kind)]
    job.folder.write_examples(Examples(job.dataset.x_test[shown], job.dataset.test_ids[shown]))


def _close(job: Job, record: RunRecord) -> None:
    """The record last, so that a run which says done has everything; then no checkpoint is needed."""
    job.folder.write_record(record)
    remove_checkpoint(job.folder.path)


def _known(accuracy: float | None) -> float:
    if accuracy is None:
        raise ValueError("a test set without images")
    return accuracy
