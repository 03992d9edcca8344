"""Reading runs back: by model, fraction and seed; verdicts over them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from nablab.analysis.results import load_results
from nablab.analysis.verdicts import sample, verdicts
from nablab.errors import UserError
from nablab.runs.store import Predictions, RunFolder
from nablab.training.recipe import Recipe


def test_runs_are_grouped_and_ordered(factory, tmp_path):
    folder = factory.write_comparison(
        tmp_path, [factory.BIG, factory.NEAREST], fractions=(0.1, 0.01), seeds=(2, 0), failed={("lenet", 2)}
    )
    results = load_results(folder)
    assert set(results.labels) == {"lenet", "knn"}
    assert results.fractions == (0.01, 0.1)
    assert [(run.fraction, run.seed) for run in results.of("lenet")] == [
        (0.01, 0),
        (0.01, 2),
        (0.1, 0),
        (0.1, 2),
    ]
    assert [run.seed for run in results.done("lenet", 0.1)] == [0]
    assert not results.resampled


def test_a_single_run_is_a_result_too(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0,))
    results = load_results(tmp_path / "runs" / "lenet-f0.1-s0")
    (run,) = results.runs
    assert run.done
    assert len(run.metrics) == factory.EPOCHS
    assert run.examples is not None


def test_models_of_one_name_in_two_comparisons_are_told_apart(factory, tmp_path):
    for name in ("first", "second"):
        factory.write_comparison(tmp_path / name, [factory.BIG, factory.SMALL][: 1 + (name == "first")])
    assert set(load_results(tmp_path).labels) == {"lenet (first)", "lenet (second)", "lenet_tiny"}


def test_what_was_trained_otherwise_is_told_apart_whatever_its_seeds(factory, tmp_path):
    """Seeds 0 and 1 of one recipe and seeds 2 and 3 of another have no mean in common."""
    factory.write_comparison(tmp_path / "short", [factory.BIG, factory.NEAREST], seeds=(0, 1))
    factory.write_comparison(
        tmp_path / "long", [factory.BIG, factory.NEAREST], seeds=(2, 3), recipe=Recipe(epochs=30)
    )
    results = load_results(tmp_path)
    assert set(results.labels) == {"lenet (short)", "lenet (long)", "knn"}
    assert [len(results.done(label)) for label in ("lenet (short)", "lenet (long)")] == [2, 2]


def test_further_seeds_of_the_same_training_join_it(factory, tmp_path):
    for name, seeds in (("a", (0, 1)), ("b", (2, 3))):
        factory.write_comparison(tmp_path / name, [factory.BIG], seeds=seeds)
    (label,) = load_results(tmp_path).labels
    assert label == "lenet"


def test_folders_of_one_name_are_told_apart_by_where_they_are(factory, tmp_path):
    for name in ("a", "b"):
        factory.write_comparison(tmp_path / name / "results", [factory.BIG])
    assert set(load_results(tmp_path).labels) == {"lenet (a/results)", "lenet (b/results)"}


def test_runs_that_stand_alone_are_told_apart_by_their_own_folders(factory, tmp_path):
    whole = factory.write_comparison(tmp_path / "whole", [factory.BIG], seeds=(0,))
    for name in ("one", "two"):
        shutil.copytree(whole / "runs" / "lenet-f0.1-s0", tmp_path / "alone" / name)
    assert set(load_results(tmp_path / "alone").labels) == {"lenet (one)", "lenet (two)"}


def test_runs_on_different_data_are_refused(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0, 1))
    run = RunFolder(tmp_path / "runs" / "lenet-f0.1-s1")
    record = run.record()
    run.write_record(replace(record, data=replace(record.data, fingerprint="ab" * 32, name="digits")))
    with pytest.raises(UserError, match=r"different data: fashion-mnist \(f0f0f0f0\), digits \(abababab\)"):
        load_results(tmp_path)


def test_missing_examples_are_no_error_and_missing_predictions_are(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0,))
    folder = tmp_path / "runs" / "lenet-f0.1-s0"
    for name in ("examples.npz", "predictions.npz"):
        (folder / name).unlink()
    (run,) = load_results(tmp_path).runs
    assert run.examples is None
    with pytest.raises(UserError, match=r"predictions\.npz"):
        _ = run.predictions


def test_a_sample_lines_runs_up_by_test_image(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0, 1))
    before = sample(load_results(tmp_path).done("lenet", 0.1))
    run = RunFolder(tmp_path / "runs" / "lenet-f0.1-s1")
    p = run.predictions()
    order = np.random.default_rng(0).permutation(len(p.y))[:-5]
    run.write_predictions(Predictions(p.y[order], p.scores[order], p.indices[order]))
    after = sample(load_results(tmp_path).done("lenet", 0.1))
    kept = np.isin(before.images, p.indices[order])
    assert np.array_equal(after.images, before.images[kept])
    assert np.array_equal(after.correct, before.correct[:, kept])
    alone = sample(load_results(tmp_path).done("lenet", 0.1)[1:])
    assert np.array_equal(alone.images, after.images)
    assert np.array_equal(alone.correct[0], after.correct[1])


def test_verdicts_put_the_better_mean_first(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.LINEAR, factory.BIG, factory.NEAREST])
    pairs = verdicts(load_results(tmp_path), 0.1)
    assert [(pair.a, pair.b) for pair in pairs] == [
        ("lenet", "knn"),
        ("lenet", "net_linear"),
        ("knn", "net_linear"),
    ]
    assert pairs[1].verdict == "better"


def test_resampling_makes_every_method_depend_on_the_seed(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG, factory.NEAREST])
    run = RunFolder(tmp_path / "runs" / "lenet-f0.1-s1")
    record = run.record()
    run.write_record(replace(record, recipe=record.recipe | {"split_seed": 1}))
    results = load_results(tmp_path)
    assert results.resampled
    assert verdicts(results, 0.1)[0].reason == "one seed only of knn"
