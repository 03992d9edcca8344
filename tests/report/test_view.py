"""The view: rows, ranks, curves, matrices and pictures, against the records they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nablab.analysis.results import load_results
from nablab.errors import UserError
from nablab.report.notebook_tables import environment
from nablab.report.view import comparison_view
from nablab.report.view_pictures import picture
from nablab.runs.store import Examples, RunFolder
from nablab.training.recipe import Recipe, preset


@pytest.fixture
def view_of(factory, tmp_path):
    """The view of a comparison made for one test."""

    def make(models, **options):
        return comparison_view(load_results(factory.write_comparison(tmp_path, models, **options)))

    return make


def test_rows_are_the_models_best_first(view):
    assert {row.label for row in view.rows} == {
        "lenet", "lenet_tiny", "net_linear", "knn", "linear_svc", "MyNet"
    }  # fmt: skip
    means = [row.cells[-1].accuracy for row in view.rows]
    assert means == sorted(means, reverse=True)
    assert [section.label for section in view.sections] == [row.label for row in view.rows]
    assert view.fractions == (0.01, 0.1)


def test_cells_hold_mean_spread_and_times_of_their_runs(view, results):
    for row in view.rows:
        for cell in row.cells:
            totals = [run.record.totals for run in results.done(row.label, cell.fraction)]
            accuracies = [one.test_accuracy for one in totals]
            assert cell.accuracy == pytest.approx(np.mean(accuracies))
            assert cell.accuracies == tuple(accuracies)
            assert (cell.accuracy_low, cell.accuracy_high) == (min(accuracies), max(accuracies))
            if len(accuracies) > 1:
                assert cell.accuracy_sd == pytest.approx(np.std(accuracies, ddof=1))
            else:
                assert cell.accuracy_sd is None
            assert cell.train_seconds == pytest.approx(np.mean([one.train_seconds for one in totals]))
            assert cell.n == len(totals)


def test_ranks_agree_with_the_verdicts(view):
    for position, fraction in enumerate(view.fractions):
        ranked = {row.label: row.cells[position].rank for row in view.rows}
        best = [label for label, rank in ranked.items() if rank == 1]
        leader = max(
            best, key=lambda label: next(r for r in view.rows if r.label == label).cells[position].accuracy
        )
        for label, rank in ranked.items():
            if label != leader:
                verdict = view.pair(fraction, leader, label).verdict
                assert verdict == ("tie" if rank == 1 else "better")


def test_pairs_can_be_asked_either_way_round(view):
    there, back = view.pair(0.1, "lenet", "knn"), view.pair(0.1, "knn", "lenet")
    assert (there.verdict, back.verdict) == ("better", "worse")
    assert (there.low, there.high) == (-back.high, -back.low)
    assert view.pair(0.1, "lenet", "nobody") is None


def test_what_was_not_planned_is_no_cell(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], fractions=(0.01, 0.1))
    factory.write_comparison(tmp_path, [factory.SMALL], fractions=(0.01,))
    view = comparison_view(load_results(tmp_path))
    cells = {row.label: row.cells for row in view.rows}
    assert cells["lenet_tiny"][1] is None
    assert [row.label for row in view.rows] == ["lenet", "lenet_tiny"]
    assert view.section("lenet_tiny").fraction == 0.01


def test_a_model_whose_runs_all_failed_stands_last_and_says_why(factory, view_of):
    view = view_of([factory.BIG, factory.LINEAR], failed={("lenet", seed) for seed in range(3)})
    last = view.rows[-1]
    assert (last.label, last.main.n, last.main.failed, last.main.accuracy) == ("lenet", 0, 3, None)
    section = view.section("lenet")
    assert section.confusion is None
    assert [failure.kind for failure in section.failures] == ["diverged"] * 3
    assert section.curves == ()
    assert len(view.failures) == 3
    assert view.pairs[0.1] == ()


def test_curves_of_all_models_at_the_largest_fraction(view, factory):
    assert {curves.label for curves in view.curves} == {"lenet", "lenet_tiny", "net_linear", "MyNet"}
    assert {curves.fraction for curves in view.curves} == {0.1}
    lenet = view.section("lenet").curves
    assert [curves.fraction for curves in lenet] == [0.01, 0.1]
    assert lenet[0].loss["test"].epochs == tuple(range(1, factory.EPOCHS + 1))
    assert lenet[0].loss["test"].n == (3,) * factory.EPOCHS
    assert view.section("knn").curves == ()


def test_confusion_counts_every_test_image_of_every_seed(view, results):
    for section in view.sections:
        runs = results.done(section.label, 0.1)
        counts = section.confusion.counts
        assert counts.sum() == 400 * len(runs)
        accuracy = np.mean([run.record.totals.test_accuracy for run in runs])
        assert counts.trace() / counts.sum() == pytest.approx(accuracy)
        assert [one.support for one in section.confusion.classes] == (
            counts.sum(axis=1) // len(runs)
        ).tolist()


def test_most_confused_pairs_come_first_and_are_mistakes(view):
    for section in view.sections:
        pairs = section.confusion.confused
        assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
        off = section.confusion.counts - np.diag(np.diag(section.confusion.counts))
        assert pairs[0].count == off.max() == off[pairs[0].truth, pairs[0].prediction]
        assert all(pair.truth != pair.prediction for pair in pairs)
        first = pairs[0]
        assert first.share == pytest.approx(first.count / section.confusion.counts[first.truth].sum())


def test_pictures_stand_behind_the_cells_they_belong_to(view, results):
    for section in view.sections:
        runs = results.done(section.label, 0.1)
        said = [run.predictions.scores.argmax(axis=1) for run in runs]
        for (truth, prediction), examples in section.confusion.cells.items():
            for example in examples:
                row = example.index - 100
                assert runs[0].predictions.y[row] == truth == example.truth
                assert example.prediction == prediction
                assert sum(one[row] == prediction for one in said) == example.runs > 0
                assert example.of == len(runs)
                assert example.index in view.images


def test_worst_mistakes_are_wrong_and_the_surest_first(view):
    for section in view.sections:
        mistakes = section.confusion.mistakes
        assert mistakes
        assert all(mistake.truth != mistake.prediction for mistake in mistakes)
        assert len({mistake.index for mistake in mistakes}) == len(mistakes)
        chances = [mistake.probability for mistake in mistakes]
        if section.label == "linear_svc":
            assert set(chances) == {None}
        else:
            assert chances == sorted(chances, reverse=True)


def test_probabilities_are_means_over_the_runs_that_gave_the_answer(view, results):
    mistake = view.section("knn").confusion.mistakes[0]
    (run,) = results.done("knn", 0.1)
    row = run.predictions.scores[mistake.index - 100].astype(float)
    assert mistake.probability == pytest.approx(row[mistake.prediction] / row.sum())


def test_calibration_is_for_probabilities_only(view):
    assert view.section("linear_svc").brier is None
    assert view.section("linear_svc").calibration_error is None
    assert 0 < view.section("knn").calibration_error < 1


def test_pictures_are_small_uint8_arrays(view, factory):
    assert len(view.images) == 100
    assert {image.shape for image in view.images.values()} == {(12, 12)}
    assert {image.dtype for image in view.images.values()} == {np.dtype("uint8")}
    assert view.data.samples == tuple(sorted(view.data.samples, key=lambda sample: sample[::-1]))
    assert {truth for _, truth in view.data.samples} == set(range(len(factory.CLASSES)))


def test_only_pictures_that_are_shown_are_kept(factory, view_of):
    easy = [replace(factory.BIG, label="sure", skill=9.0, spread=0.0)]  # right about nearly everything
    view = view_of(easy, n_test=2000, seeds=(0,))
    assert len(view.images) < 100
    shown = {example.index for cell in view.section("sure").confusion.cells.values() for example in cell}
    assert shown | {index for index, _ in view.data.samples} == set(view.images)


def test_picture_of_other_values_and_channels():
    floats = np.array([[[-1.0, 0.0, 1.0]]], dtype=np.float32)
    assert picture(floats, -1.0, 1.0).tolist() == [[0, 128, 255]]
    color = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert picture(color, 0, 255).shape == (2, 2, 3)
    assert picture(color, 0, 255)[0, 1].tolist() == [1, 5, 9]
    assert picture(color[:2], 0, 255).tolist() == [[2, 3], [4, 5]]
    assert picture(np.zeros((1, 2, 2), np.float32), 0.0, 0.0).tolist() == [[0, 0], [0, 0]]
    assert picture(np.array([[[0, 8, 16]]], np.uint8), 0.0, 16.0).tolist() == [[0, 128, 255]]


def test_features_have_no_pictures(factory, view_of):
    view = view_of([factory.BIG, factory.NEAREST], shape=(2,))
    assert (view.images, view.data.samples) == ({}, ())
    assert view.section("lenet").confusion.mistakes == ()


def test_examples_of_all_runs_are_drawn_in_the_range_of_the_data(factory, tmp_path):
    folder = factory.write_comparison(tmp_path, [factory.BIG], seeds=(0, 1))
    for seed, value in ((0, 0.0), (1, 255.0)):
        run = RunFolder(folder / "runs" / f"lenet-f0.1-s{seed}")
        run.write_examples(Examples(np.full((1, 1, 2, 2), value, np.float32), np.array([100 + seed])))
    images = comparison_view(load_results(folder)).images
    assert (images[100].max(), images[101].min()) == (0, 255)


def test_times_taken_otherwise_are_marked_and_not_plotted(view):
    assert {row.label: row.cells[-1].clock for row in view.rows}["knn"] == 1
    assert {row.cells[-1].clock for row in view.rows if row.label != "knn"} == {0}
    assert "knn" not in {point.label for point in view.time_points}
    assert len(view.time_points) == 5 * 2
    assert {point.label for point in view.parameter_points} == {
        "lenet", "lenet_tiny", "net_linear", "linear_svc", "MyNet"
    }  # fmt: skip


def test_recipes_show_the_nearest_preset_and_what_differs(factory, view_of):
    view = view_of([factory.BIG], recipe=preset("handout").but(epochs=4, l1=1e-4, threads=2))
    (recipe,) = view.recipes
    assert recipe.preset == "handout"
    assert [(one.name, one.preset, one.value) for one in recipe.differences] == [
        ("epochs", 15, 4),
        ("l1", 0.0, 1e-4),
    ]
    assert view.repeat.commands == (
        "nablab compare lenet --data fashion-mnist --fractions 0.1 --seeds 3 --preset handout "
        "--epochs 4 --l1 0.0001",
    )


def test_two_recipes_are_two_commands(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG])
    nesterov = Recipe(optimizer="sgd", nesterov=True, epochs=4)
    factory.write_comparison(tmp_path, [factory.LINEAR], recipe=nesterov, seeds=(0, 5))
    view = comparison_view(load_results(tmp_path))
    assert [recipe.labels for recipe in view.recipes] == [("lenet",), ("net_linear",)]
    assert view.repeat.commands[1].endswith(
        "--seeds 0,5 --preset default --epochs 4 --optimizer sgd --nesterov"
    )
    assert any("2 different recipes" in note for note in view.notes)


def test_a_class_of_a_session_is_in_no_command_and_that_is_said(factory, view_of):
    live = replace(factory.OWN, source_file=None, reference="__main__.MyNet")
    view = view_of([live, factory.BIG], fractions=(1 / 3,))
    assert view.repeat.commands[0].startswith("nablab compare lenet --data fashion-mnist")
    assert "--fractions 0.3333333333333333 " in view.repeat.commands[0]
    assert "MyNet came from a Python session: only there can it be trained again." in view.notes


def test_data_of_a_session_is_in_no_command_and_that_is_said(factory, tmp_path):
    folder = factory.write_comparison(tmp_path, name="mine")
    experiment = folder / "experiment.toml"
    text = experiment.read_text(encoding="utf-8")
    experiment.write_text(text.replace('name = "mine"', 'name = ""'), encoding="utf-8")
    assert text != experiment.read_text(encoding="utf-8")
    view = comparison_view(load_results(folder))
    assert view.repeat.commands == ()
    assert "The data was made in a Python session: only there can this be repeated." in view.notes
    assert "nablab compare" not in environment(view)


def test_nothing_but_classes_of_a_session_has_no_command(factory, view_of):
    live = replace(factory.OWN, source_file=None, reference="__main__.MyNet")
    assert view_of([live]).repeat.commands == ()


def test_the_experiment_that_stands_beside_the_runs_is_shown(view):
    assert 'name = "fashion-mnist"' in view.repeat.experiment


def test_no_folder_of_this_machine_is_in_the_view(view, results):
    section = view.section("MyNet")
    assert section.reference == "my_net.py:MyNet"
    assert section.source_file == (
        "my_net.py (SHA-256 abababababab, commit 0123456789 with changes that are not committed)"
    )
    assert "/home/" not in repr(replace(view, repeat=replace(view.repeat, experiment="")))
    assert str(results.folder) not in repr(view)


def test_environments_count_their_runs(view):
    assert [environment.runs for environment in view.environments] == [30, 2]
    assert ("runs at a time", "2") in view.environments[1].values


def test_a_single_run_has_a_view(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0,))
    view = comparison_view(load_results(tmp_path / "runs" / "lenet-f0.1-s0"))
    assert view.title == "fashion-mnist: 1 model × 1 fraction × 1 seed"
    assert view.rows[0].main.rank is None
    assert view.repeat.experiment == ""


def test_which_weights_were_measured_is_said_in_words(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG, factory.NEAREST])
    for seed in range(3):
        run = RunFolder(tmp_path / "runs" / f"lenet-f0.1-s{seed}")
        record = run.record()
        run.write_record(replace(record, totals=replace(record.totals, kept="best", kept_epoch=seed + 1)))
    view = comparison_view(load_results(tmp_path))
    assert view.section("lenet").kept == "the weights of the epoch with the best validation loss (1, 2 and 3)"
    assert view.section("lenet").curves[0].kept_epochs == (1, 2, 3)
    assert view.section("knn").kept == "the fitted estimator"


def test_a_model_that_is_not_there_is_named_with_the_nearest(view):
    with pytest.raises(UserError, match="did you mean lenet"):
        view.section("lenett")


@pytest.mark.parametrize(
    ("seeds", "said"),
    [((5,), "--seeds 1 --seed 5 "), ((2, 3, 4), "--seeds 3 --seed 2 "), ((0, 2), "--seeds 0,2 ")],
)
def test_a_command_repeats_the_seeds_that_ran(factory, tmp_path, seeds, said):
    folder = factory.write_comparison(tmp_path, [factory.LINEAR], seeds=seeds)
    view = comparison_view(load_results(folder))
    assert said in view.repeat.commands[0]
