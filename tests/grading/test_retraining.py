"""Training again: the same machine gives the same answers, and another training is told from it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from scipy import stats

from nablab.grading.retraining import mcnemar, two_samples


def test_two_samples_is_student_s_test_where_seeds_differ_more_than_images():
    rng = np.random.default_rng(0)
    again = np.stack([rng.random(4000) < p for p in (0.70, 0.80, 0.90)])
    recorded = np.array([0.75, 0.95])
    wanted = stats.ttest_ind(recorded, again.mean(axis=1)).pvalue
    assert two_samples(recorded, again) == pytest.approx(wanted)


def test_two_samples_does_not_trust_seeds_that_agree_by_luck():
    rng = np.random.default_rng(1)
    again = np.array([rng.permutation(np.arange(1000) < 800) for _ in range(3)])
    assert np.ptp(again.mean(axis=1)) == 0
    assert two_samples(np.array([0.81]), again) > 0.05


def test_mcnemar_is_the_binomial_test_over_what_they_disagree_on():
    a, b = np.array([1] * 8 + [0] * 3 + [1] * 20) > 0, np.array([0] * 8 + [1] * 3 + [1] * 20) > 0
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(3, 11).pvalue)
    assert mcnemar(a, a) == 1


def test_an_honest_delivery_is_trained_to_the_same_answers(delivery, check):
    found = check(delivery, retrain=True)
    assert found.findings == ()
    assert any("trained again: 2 models at a fraction, 2 to the very same answers" in n for n in found.notes)


def test_runs_of_another_recipe_than_they_say_are_found(delivery, check):
    """The records claim two epochs; they were trained for twelve. Everything else agrees."""
    import nablab

    long = nablab.compare(
        ["net_linear", "mlp"], "digits", seeds=2, epochs=12, jobs=1, threads=1,
        out=delivery.folder / "long", progress=False,
    )  # fmt: skip
    for name in ("net_linear-f1-s0", "net_linear-f1-s1"):
        shutil.rmtree(delivery.run(name))
        shutil.copytree(long.folder / "runs" / name, delivery.run(name))
        delivery.edit_record(name, lambda values: values["recipe"].update(epochs=2))
    shutil.rmtree(delivery.folder / "long")
    found = [finding for finding in check(delivery, retrain=True).findings if finding.subject == "training"]
    assert len(found) == 1
    assert "net_linear at 100 %: recorded" in found[0].message
    assert "not the same training" in found[0].message


def test_out_of_time_it_says_so(delivery, check):
    found = check(delivery, retrain=True, time_limit=1e-6)
    assert any("not trained again: the time is over" in note for note in found.notes)


@pytest.mark.parametrize("test_fraction", [1.0, 0.5])
def test_resampled_runs_are_trained_again_also_of_a_share_of_the_test_images(tmp_path, test_fraction):
    """No plan has both any more; records from before may."""
    import nablab
    from nablab.analysis.results import load_results
    from nablab.grading.retraining import Retraining

    for seed in (0, 1):
        nablab.compare(
            ["net_linear"], "digits", seeds=[seed], split_seed=seed, epochs=2, jobs=1, threads=1,
            test_fraction=test_fraction, out=tmp_path / f"{seed}", progress=False,
        )  # fmt: skip
    shutil.move(tmp_path / "1" / "runs" / "net_linear-f1-s1", tmp_path / "0" / "runs")
    findings, notes = Retraining(60, seeds=2)(load_results(tmp_path / "0"), nablab.load("digits"))
    assert findings == []
    assert notes[0].startswith("trained again: 1 models at a fraction, 1 to the very same answers")
