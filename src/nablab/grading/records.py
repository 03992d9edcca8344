"""Run records held against what they come to when redone: scores, weights, costs, and curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.results import Results, RunData
from nablab.data.dataset import Dataset
from nablab.grading.images import asked, test_rows
from nablab.grading.recount import LOSS_ROUNDING, agree, curve_findings, recounted
from nablab.grading.rescoring import Rescored, Scorer, attempt, rescore, scorer_of
from nablab.grading.verdict import Finding, plain
from nablab.runs.export import tolerance_of
from nablab.runs.record import Failure, RunRecord, Totals
from nablab.runs.store import Predictions, RunFolder
from nablab.training.measure import measure_scores

#: The share of test images on which a model may say something else. Of two training images that are equally
#: near, which one decides is chance; and where two classes of a network have the same score but for rounding,
#: another machine may say the other one.
TIES = 0.005


@dataclass(frozen=True, eq=False)
class Replay:
    """One run, redone.

    Attributes:
        run: with totals and answers as recomputed; as recorded where nothing could be.
        findings: what does not agree.
        notes: what was not redone, and why.
        asked_again: test images that its weights were asked about.
    """

    run: RunData
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    asked_again: int


class _Recomputed(RunFolder):
    """A run's folder whose answers are those recomputed."""

    def __init__(self, path: Path, answers: Predictions) -> None:
        super().__init__(path)
        self._answers = answers

    def predictions(self) -> Predictions:
        return self._answers


def replay(
    run: RunData,
    dataset: Dataset | None,
    sample: int | None = None,
    other_scorer: Callable[[RunFolder, RunRecord, Dataset], Scorer] = scorer_of,
) -> Replay:
    """Redo what a finished run's record says, from its answers and its weights.

    Args:
        dataset: of the record's fingerprint; None where it is not here.
        sample: test images that the weights are asked about; None is all.
        other_scorer: what makes a scorer from a run; by default, of nablab's own models only.
    """
    work = _Work(run, dataset)
    answers, _, wrong = attempt(lambda: work.answers())
    if wrong:
        return Replay(work.without_result(wrong), (work.finding("record", wrong),), (), 0)
    answers = work.with_true_labels(answers)
    rescored, note, wrong = attempt(lambda: work.ask_again(answers, sample, other_scorer))
    if wrong:
        work.found("record", f"its stored model cannot be used: {wrong}")
    if note:
        work.notes.append(f"not asked again: {note}")
    if rescored is not None:
        answers = work.held_against(answers, rescored)
    truth = work.truth(answers)
    asked_again = 0 if rescored is None else len(rescored.rows)
    return Replay(truth, tuple(work.findings), tuple(work.notes), asked_again)


class _Work:
    """The findings about one run, as they are made."""

    def __init__(self, run: RunData, dataset: Dataset | None) -> None:
        assert run.record.totals is not None
        self.run, self.record, self.dataset = run, run.record, dataset
        self.totals: Totals = run.record.totals
        self.where = f"run {plain(run.record.id, 80)}"
        self.findings: list[Finding] = []
        self.notes: list[str] = []

    def finding(self, subject: str, message: str) -> Finding:
        return Finding("data" if subject == "data" else "record", self.where, message)

    def found(self, subject: str, message: str) -> None:
        self.findings.append(self.finding(subject, message))

    def answers(self) -> Predictions:
        """The recorded ones, once they have the shapes that answers have, and the curves can be read.

        Raises:
            UserError: files are gone, or damaged.
            ValueError: they hold something else.
        """
        _ = self.run.metrics
        given = self.run.predictions
        m, k = len(given.y), len(self.record.data.classes)
        if given.scores.shape != (m, k) or given.indices.shape != (m,) or not m:
            raise ValueError(f"its predictions.npz holds scores of {given.scores.shape} for {k} classes")
        if given.scores.dtype.kind != "f" or not np.isfinite(given.scores).all():
            raise ValueError("its predictions.npz holds scores that are not finite numbers")
        if (
            given.y.dtype.kind != "i"
            or given.indices.dtype.kind != "i"
            or not ((given.y >= 0) & (given.y < k)).all()
        ):
            raise ValueError("its predictions.npz holds labels that are no classes")
        if m != self.record.data.n_test:
            raise ValueError(f"it answered {m:,} test images, and run.json says {self.record.data.n_test:,}")
        return given

    def without_result(self, why: str) -> RunData:
        """The run as one that failed: nothing is counted for it."""
        record = replace(self.record, status="failed", totals=None, failure=Failure(why, "error"))
        return RunData(self.run.folder, record, self.run.label)

    def with_true_labels(self, answers: Predictions) -> Predictions:
        """The answers with the data's own labels, where the data is here."""
        if self.dataset is None:
            return answers
        rows = asked(self.dataset, answers.indices)
        expected, _, wrong = attempt(lambda: test_rows(self.record, self.dataset))  # type: ignore[arg-type]
        if rows is None or wrong or set(answers.indices.tolist()) != set(expected.tolist()):
            self.found("data", "predictions.npz is not about the test images that its recipe measures on")
        if rows is None:
            return answers
        labels = self.dataset.y_test[rows].astype(np.int64)
        changed = int(np.sum(labels != answers.y))
        if changed:
            self.found("data", f"predictions.npz has other labels than the data for {changed:,} test images")
        return replace(answers, y=labels)

    def ask_again(
        self,
        answers: Predictions,
        sample: int | None,
        other_scorer: Callable[[RunFolder, RunRecord, Dataset], Scorer],
    ) -> Rescored | None:
        if self.dataset is None:
            return None
        rows = asked(self.dataset, answers.indices)
        if rows is None:
            return None
        scorer = other_scorer(self.run.folder, self.record, self.dataset)
        done = rescore(scorer, self.record, self.dataset.x_test, rows, sample)
        if sample is not None and self._differ(answers, done)[0]:
            done = rescore(scorer, self.record, self.dataset.x_test, rows, None)
        if done.note:
            self.notes.append(done.note)
        return done

    def _differ(self, answers: Predictions, now: Rescored) -> tuple[bool, NDArray[np.bool_]]:
        """Whether the weights say something else than was recorded, and which answers differ."""
        recorded = answers.scores[now.rows]
        if now.scores.shape != recorded.shape:
            return True, np.ones(len(now.rows), dtype=np.bool_)
        apart = np.abs(now.scores.astype(np.float64) - recorded).max(axis=1)
        beyond = ~(apart <= tolerance_of(self.record, recorded))
        other = np.asarray(now.scores.argmax(axis=1) != recorded.argmax(axis=1), dtype=np.bool_)
        most = TIES if self.record.model.kind == "estimator" else 0.0
        return bool(beyond.mean() > most or other.mean() > TIES), other

    def held_against(self, answers: Predictions, now: Rescored) -> Predictions:
        """The recorded answers where the weights give them again, else what the weights say."""
        differ, other = self._differ(answers, now)
        if not differ:
            return answers
        y = answers.y[now.rows]
        before = float((answers.scores[now.rows].argmax(axis=1) == y).mean())
        after = (
            float((now.scores.argmax(axis=1) == y).mean())
            if now.scores.shape[1:] == answers.scores.shape[1:]
            else 0.0
        )
        self.found(
            "record",
            f"its weights do not give its recorded scores: {int(other.sum()):,} of {len(y):,} answers "
            f"differ; accuracy {100 * after:.2f} % by the weights, {100 * before:.2f} % by predictions.npz",
        )
        if len(now.rows) < len(answers.y) or now.scores.shape != answers.scores.shape:
            return answers
        return replace(answers, scores=now.scores)

    def truth(self, answers: Predictions) -> RunData:
        """The run with what its answers come to; findings where run.json says otherwise."""
        measured = measure_scores(answers.scores, answers.y, self.record.model.score_kind)
        recorded = measure_scores(
            self.run.predictions.scores, self.run.predictions.y, self.record.model.score_kind
        )
        assert measured.accuracy is not None
        for name, said, come_to in (
            ("test_accuracy", self.totals.test_accuracy, recorded.accuracy),
            ("test_loss", self.totals.test_loss, recorded.loss),
        ):
            if not agree(said, come_to, 1e-9 if name == "test_accuracy" else LOSS_ROUNDING):
                self.found("record", f"run.json says {name} {said}, its recorded scores come to {come_to}")
        self.findings += (self.finding("record", line) for line in curve_findings(self.run))
        model, wrong = recounted(self.run)
        self.findings += (self.finding("record", line) for line in wrong)
        totals = replace(self.totals, test_accuracy=measured.accuracy, test_loss=measured.loss)
        record = replace(self.record, totals=totals, model=model)
        return RunData(_Recomputed(self.run.folder.path, answers), record, self.run.label)


def copied_runs(results: Results) -> list[Finding]:
    """Networks of one recipe whose seeds differ and whose scores do not: one training under two names."""
    found, seen = [], dict[tuple[object, ...], RunData]()
    for run in results.runs:
        said, _, wrong = attempt(lambda run=run: run.predictions)  # type: ignore[misc]
        if wrong or not run.done or run.record.model.kind == "estimator" or not run.record.model.seeded:
            continue
        key = (run.label, run.fraction, said.scores.shape, sha256(said.scores.tobytes()).digest())
        first = seen.setdefault(key, run)
        if first.seed != run.seed:
            message = f"its scores are those of run {plain(first.record.id, 80)} to the last digit: a copy"
            found.append(Finding("record", f"run {plain(run.record.id, 80)}", message))
    return found


def replayed_results(results: Results, replays: list[Replay]) -> Results:
    """The results with every finished run as redone."""
    by_path = {replay.run.folder.path: replay.run for replay in replays}
    return replace(results, runs=tuple(by_path.get(run.folder.path, run) for run in results.runs))
