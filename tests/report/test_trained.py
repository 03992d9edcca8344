"""A comparison that was really trained, on digits: what reports say is what the runs measured."""

from __future__ import annotations

import numpy as np
import pytest

from nablab.analysis.metrics import accuracy, log_loss
from nablab.analysis.results import load_results
from nablab.report.tables import to_csv
from nablab.report.view import comparison_view
from nablab.training.recipe import Recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two networks and an estimator, two seeds, one epoch; the results."""
    from nablab.data import load
    from nablab.models.reference import resolve_all
    from nablab.runs.execute import execute
    from nablab.runs.plan import make_plan

    folder = tmp_path_factory.mktemp("trained") / "out"
    models = resolve_all(["net_linear", "16-ReLU-K", "logistic_regression"])
    recipe = Recipe(epochs=2, batch_size=64, threads=1)
    plan = make_plan(models, load("digits"), recipe, out=folder, fractions=(0.2,), seeds=2, jobs=1)
    for _ in execute(plan):
        pass
    return load_results(folder)


def test_everything_finished(trained):
    assert len(trained.labels) == 3
    assert all(run.done for run in trained.runs)


def test_totals_are_what_the_predictions_give(trained):
    for run in trained.runs:
        p, totals = run.predictions, run.record.totals
        assert accuracy(p.y, p.scores) == pytest.approx(totals.test_accuracy, abs=1e-12)
        loss = log_loss(p.y, p.scores, run.record.model.score_kind)
        assert loss == pytest.approx(totals.test_loss, rel=1e-5)


def test_curves_end_where_the_totals_are(trained):
    for run in trained.runs:
        if run.record.model.kind == "network":
            assert run.metrics[-1].epoch == run.record.totals.epochs == 2
            assert run.metrics[-1].test_accuracy == pytest.approx(run.record.totals.test_accuracy)


def test_the_view_holds_together(trained):
    view = comparison_view(trained)
    assert {row.main.rank is None for row in view.rows} == {False}
    assert len(view.pairs[0.2]) == 3
    assert len(view.curves) == 2
    for section in view.sections:
        mean = np.mean([run.record.totals.test_accuracy for run in trained.done(section.label)])
        counts = section.confusion.counts
        assert counts.trace() / counts.sum() == pytest.approx(mean)
        assert section.confusion.mistakes
        assert {mistake.index for mistake in section.confusion.mistakes} <= set(view.images)
    assert view.repeat.commands[0].startswith("nablab compare ")
    assert "--data digits --fractions 0.2" in view.repeat.commands[0]
    assert view.repeat.experiment
    assert len(to_csv(view).splitlines()) == 1 + 3
