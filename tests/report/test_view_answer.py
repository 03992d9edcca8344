"""The sentence at the top: what the verdicts allow to be said, and no more."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nablab.analysis.comparison import Pair
from nablab.analysis.results import load_results
from nablab.analysis.verdicts import verdicts
from nablab.report.view import comparison_view
from nablab.report.view_answer import headline
from nablab.runs.store import RunFolder


@pytest.fixture
def answer(factory, tmp_path):
    """Headline and notes of a comparison made for one test."""

    def make(models, **options):
        view = comparison_view(load_results(factory.write_comparison(tmp_path, models, **options)))
        return view.headline, view.notes

    return make


def test_the_best_and_what_ties_with_it_for_less(factory, answer):
    headline, _ = answer([factory.BIG, factory.SMALL, factory.LINEAR])
    assert headline == (
        "Use lenet: it gets 80.3 ± 3.1 % of the test images right (mean of 3 seeds), trained on 10 % of the "
        "training images. It ties with lenet_tiny (78.1 %), which is 3.9 times smaller and trains 3.0 times "
        "faster. It is better than net_linear."
    )


def test_speed_is_not_praised_where_it_was_timed_otherwise(factory, answer):
    headline, notes = answer([factory.BIG, factory.SMALL], jobs={"lenet_tiny": 2})
    assert "which is 3.9 times smaller." in headline
    assert any("Those of lenet_tiny were not (2 runs at a time" in note for note in notes)


def test_a_tie_that_costs_as_much_is_only_named(factory, answer):
    twin = replace(factory.BIG, label="twin")
    headline, _ = answer([factory.BIG, twin])
    assert headline.endswith(("It ties with lenet.", "It ties with twin."))


def test_clearly_better_than_all(factory, answer):
    headline, _ = answer([factory.BIG, factory.LINEAR, factory.MARGINS])
    assert headline.startswith("Use lenet:")
    assert headline.endswith("It is better than all the others.")


@pytest.mark.parametrize("count", [2, 7])
def test_one_seed_each_decides_nothing(factory, answer, count):
    models = [replace(factory.BIG, label=f"net{k}", skill=2 - 0.25 * k) for k in range(count)]
    headline, notes = answer(models, seeds=(0,))
    assert headline.startswith("Undecided: net0 is ahead with ")
    assert headline.endswith("but one seed says nothing about chance. Run it again with --seeds 3.")
    assert "Use" not in headline
    assert any(note.startswith("One seed only, so chance is not measured: net0") for note in notes)


def test_nobody_is_ahead_of_its_equal(factory, answer):
    best = replace(factory.BIG, skill=50.0)
    headline, _ = answer([best, replace(best, label="twin")], seeds=(0,))
    named = headline.removeprefix("Undecided: ").partition(" are level with ")[0]
    assert sorted(named.split(" and ")) == ["lenet", "twin"]


def test_one_seed_is_enough_without_chance(factory, answer):
    near = replace(factory.NEAREST, label="knn1", skill=2.0)
    headline, notes = answer([factory.NEAREST, near], seeds=(0,))
    assert headline.startswith("Use knn1: it gets ")
    assert "(the seed changes nothing)" in headline
    assert not any("One seed" in note for note in notes)


def test_a_model_with_one_seed_is_not_placed_beside_others(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.SMALL, factory.LINEAR])
    factory.write_comparison(tmp_path, [replace(factory.BIG, skill=3.0)], seeds=(0,))
    view = comparison_view(load_results(tmp_path))
    assert view.rows[0].label == "lenet"
    assert view.rows[0].main.rank is None
    assert view.headline.startswith("Use lenet_tiny:")
    assert view.headline.endswith("lenet cannot be placed: one seed only of lenet.")


def test_a_lead_that_two_wild_seeds_cannot_settle_is_not_called_a_tie():
    """knn leads net by 40 points, net's two seeds are far apart, and mlp is surely worse than knn."""

    def done(label, accuracy, rank):
        cell = SimpleNamespace(
            accuracy=accuracy, accuracy_sd=None, n=2, seeded=True, rank=rank, fraction=1.0, clock=None
        )
        return SimpleNamespace(label=label, parameters=None, cells=(cell,))

    table = [done("knn", 0.99, 1), done("mlp", 0.89, 2), done("net", 0.6, 2)]
    pairs = (
        Pair("knn", "mlp", "better", 0.1, p=0.001),
        Pair("knn", "net", "tie", 0.39, p=0.1),
        Pair("mlp", "net", "tie", 0.29, p=0.2),
    )
    said = headline(table, (1.0,), {1.0: pairs})
    assert "ties" not in said
    assert said.endswith("It is better than mlp. Its lead over net is not certain: more seeds would tell.")


def test_one_model_alone(factory, answer):
    headline, _ = answer([factory.BIG])
    assert headline.startswith("lenet gets 80.3 ± 3.1 %")
    assert headline.endswith("There is no other model to hold it against.")


def test_nothing_finished(factory, answer):
    headline, notes = answer([factory.BIG], failed={("lenet", seed) for seed in range(3)})
    assert headline == "No run finished."
    assert any("3 of 3 runs did not finish (lenet at 10 %)" in note for note in notes)


def test_the_largest_fraction_with_results_answers(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG, factory.LINEAR], fractions=(0.01, 1.0))
    for run in (tmp_path / "runs").glob("*-f1-*"):
        folder = RunFolder(run)
        folder.write_record(replace(folder.record(), status="planned", totals=None))
    headline = comparison_view(load_results(tmp_path)).headline
    assert "trained on 1 % of the training images" in headline


def test_different_test_images_are_not_compared(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG], n_test=400)
    factory.write_comparison(tmp_path, [factory.LINEAR], n_test=300)
    headline = comparison_view(load_results(tmp_path)).headline
    assert headline.endswith("but the models were measured on different test images.")


def test_notes_tell_how_much_data_and_how_it_was_judged(factory, answer):
    _, notes = answer([factory.BIG, factory.LINEAR])
    assert notes[0] == (
        "Largest training set: 5,400 images, and 600 held out for validation (10 % of the 60,000 there "
        "are). Test set: 400 images."
    )
    assert "Epochs: 4." in notes
    assert notes[-1].startswith("Models share a rank where their difference is not significant: level 5 %")
    assert re.search(
        r"At 10 % that took a lead of \d+\.\d points; more seeds or test images need less\.$",
        notes[-1],
    )


def test_no_lead_is_more_than_all_points(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG, factory.LINEAR], n_test=3, seeds=(0, 1))
    results = load_results(tmp_path)
    (pair,) = verdicts(results, 0.1)
    assert pair.difference - pair.low > 1
    assert "took a lead of more than 100 points" in comparison_view(results).notes[-1]


def test_the_lead_that_counts_is_what_significance_took(factory, tmp_path):
    factory.write_comparison(tmp_path, [factory.BIG, factory.SMALL, factory.LINEAR], fractions=(0.01, 0.1))
    results = load_results(tmp_path)
    pairs = verdicts(results, 0.1)
    note = comparison_view(results).notes[-1]
    needed = sorted(100 * (pair.difference - pair.low) for pair in pairs)  # less of a lead, and 0 is within
    assert f"At 10 % that took a lead of {needed[0]:.1f} to {needed[-1]:.1f} points" in note
    for pair in pairs:
        lead, took = 100 * abs(pair.difference), 100 * (pair.difference - pair.low)
        assert (lead > took) == (pair.verdict != "tie")
