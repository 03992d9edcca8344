"""The leader board: what counts as one method, what may be ranked together, what leads."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from nablab.analysis.board import COSTS, load_board
from nablab.analysis.exams import choose, find_all
from nablab.analysis.results import load_results
from nablab.analysis.verdicts import verdicts
from nablab.errors import UserError
from nablab.runs.record import StartRecord
from nablab.runs.store import RunFolder
from nablab.training.recipe import Recipe


def rewrite(run: Path, **changes) -> None:
    """The record of a run, with other values of `data`, `environment` or `recipe`."""
    folder = RunFolder(run)
    record = folder.record()
    for part, values in changes.items():
        old = getattr(record, part)
        new = old | values if isinstance(old, dict) else replace(old, **values)
        record = replace(record, **{part: new})
    folder.write_record(record)


@pytest.fixture(scope="module")
def one(factory, tmp_path_factory) -> Path:
    return factory.write_comparison(
        tmp_path_factory.mktemp("one"), failed={("MyNet", 2)}, jobs={"linear_svc": 2}
    )


def test_one_comparison_is_ranked_as_its_report_ranks_it(one: Path) -> None:
    board, results = load_board([one]), load_results(one)
    pairs = {(pair.a, pair.b): pair for pair in verdicts(results, 0.1)}
    assert {(pair.a, pair.b): pair for pair in board.pairs} == pairs
    assert [entry.label for entry in board.entries][:2] == ["lenet", "lenet_tiny"]
    for entry in board.entries:
        totals = [run.record.totals for run in results.done(entry.label)]
        accuracies = [one.test_accuracy for one in totals if one is not None]
        assert entry.accuracy == pytest.approx(mean(accuracies))
        assert entry.deviation == (pytest.approx(stdev(accuracies)) if len(accuracies) > 1 else None)
        assert entry.train_seconds == pytest.approx(mean(one.train_seconds for one in totals if one))
    assert board.unfinished == 1
    assert len(next(entry for entry in board.entries if entry.label == "MyNet").runs) == 2


def test_the_leader_is_held_against_everyone(one: Path) -> None:
    board = load_board([one])
    assert board.leader.label == "lenet"
    assert board.against_leader(board.leader) is None
    for entry in board.entries[1:]:
        pair = board.against_leader(entry)
        assert pair is not None
        assert (pair.a, pair.b) == (entry.label, "lenet")
        assert pair.difference == pytest.approx(entry.accuracy - board.leader.accuracy)
        assert pair.difference <= 0
    assert board.against_leader(board.entries[-1]).verdict == "worse"


def test_seeds_of_one_method_come_together_from_many_folders(factory, tmp_path: Path) -> None:
    for name, seeds in (("a", (0, 1)), ("b", (2, 3)), ("again", (1, 2))):
        factory.write_comparison(tmp_path / name, [factory.BIG, factory.NEAREST], seeds=seeds)
    board = load_board([tmp_path])
    by_label = {entry.label: entry for entry in board.entries}
    assert [run.seed for run in by_label["lenet"].runs] == [0, 1, 2, 3]
    assert len(by_label["knn"].runs) == 1, "what no seed changes is one run, whatever its seed"
    assert board.repeated == 2 + 2
    assert len(load_board([tmp_path / "a", tmp_path / "a" / "runs", tmp_path]).entries) == 2
    assert load_board([tmp_path / "a", tmp_path / "a"]).repeated == 0, "the same folder twice is one folder"


@pytest.mark.parametrize(
    ("recipe", "fraction", "labels"),
    [
        (Recipe(epochs=9), 0.1, {"lenet (epochs 4)", "lenet (epochs 9)"}),
        (Recipe(epochs=4), 0.01, {"lenet (10 %)", "lenet (1 %)"}),
        (Recipe(epochs=9, lr=0.1, batch_size=32), 0.1, {"lenet (a)", "lenet (b)"}),
        (Recipe(epochs=4, threads=2, device="cpu"), 0.1, {"lenet"}),
        (Recipe(epochs=4, split_seed=7), 0.1, {"lenet (split_seed 0)", "lenet (split_seed 7)"}),
    ],
)
def test_other_training_is_another_method_and_its_label_says_so(
    factory, tmp_path: Path, recipe: Recipe, fraction: float, labels: set[str]
) -> None:
    factory.write_comparison(tmp_path / "a", [factory.BIG])
    factory.write_comparison(tmp_path / "b", [factory.BIG], recipe=recipe, fractions=(fraction,))
    assert {entry.label for entry in load_board([tmp_path]).entries} == labels


def test_an_estimator_is_the_same_whatever_a_recipe_says_of_networks(factory, tmp_path: Path) -> None:
    factory.write_comparison(tmp_path / "a", [factory.NEAREST])
    factory.write_comparison(tmp_path / "b", [factory.NEAREST], recipe=Recipe(epochs=9, lr=0.1))
    factory.write_comparison(tmp_path / "c", [factory.NEAREST], recipe=Recipe(preprocessing="unit"))
    assert {entry.label for entry in load_board([tmp_path]).entries} == {
        "knn (preprocessing standardize)",
        "knn (preprocessing unit)",
    }


def test_seeds_that_draw_the_training_images_are_one_method(factory, tmp_path: Path) -> None:
    folder = factory.write_comparison(tmp_path, [factory.BIG, factory.NEAREST], seeds=(0, 1, 2))
    shutil.copytree(folder / "runs" / "knn-f0.1-s0", folder / "runs" / "knn-f0.1-s1")
    rewrite(folder / "runs" / "knn-f0.1-s1", recipe={"seed": 1})
    for run in (folder / "runs").iterdir():
        rewrite(run, recipe={"split_seed": RunFolder(run).record().recipe["seed"]})
    by_label = {entry.label: entry for entry in load_board([folder]).entries}
    assert {label: len(entry.runs) for label, entry in by_label.items()} == {"lenet": 3, "knn": 2}
    assert all(entry.resampled and entry.seeded for entry in by_label.values())


def test_a_copy_of_seeds_that_draw_the_training_images_counts_once(factory, tmp_path: Path) -> None:
    folder = factory.write_comparison(tmp_path / "a", [factory.BIG], seeds=(0, 1, 2))
    for run in (folder / "runs").iterdir():
        rewrite(run, recipe={"split_seed": RunFolder(run).record().recipe["seed"]})
    shutil.copytree(folder, tmp_path / "copy")
    board = load_board([tmp_path])
    assert [(entry.label, len(entry.runs)) for entry in board.entries] == [("lenet", 3)]
    assert board.repeated == 3


def test_what_verdicts_are_read_from_is_let_go_of(one: Path) -> None:
    """Scores of thousands of runs would not fit into memory."""
    board = load_board([one])
    assert board.pairs
    assert not any("predictions" in vars(run) for entry in board.entries for run in entry.runs)


def test_records_of_an_earlier_nablab_lack_settings_that_are_at_their_default(
    factory, tmp_path: Path
) -> None:
    factory.write_comparison(tmp_path / "old", [factory.BIG], seeds=(0,))
    factory.write_comparison(tmp_path / "new", [factory.BIG], seeds=(1,))
    old = RunFolder(tmp_path / "old" / "runs" / "lenet-f0.1-s0")
    record = old.record()
    old.write_record(replace(record, recipe={k: v for k, v in record.recipe.items() if k != "clip_norm"}))
    assert [len(entry.runs) for entry in load_board([tmp_path]).entries] == [2]


def test_what_starts_from_other_weights_is_another_method(factory, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        factory.write_comparison(tmp_path / name, [factory.BIG], seeds=("abc".index(name),))
        run = RunFolder(tmp_path / name / "runs" / f"lenet-f0.1-s{'abc'.index(name)}")
        weights = ("12" if name == "a" else "34") * 32
        run.write_record(replace(run.record(), start=StartRecord("runs/first", weights, ("0",))))
    assert {entry.label: len(entry.runs) for entry in load_board([tmp_path]).entries} == {
        "lenet (a)": 1,
        "lenet (b)": 2,
    }


def test_different_data_is_refused_and_can_be_chosen(factory, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        factory.write_comparison(tmp_path / name, [factory.BIG], seeds=(0,))
    rewrite(tmp_path / "b" / "runs" / "lenet-f0.1-s0", data={"fingerprint": "0e" * 32, "name": "digits"})
    rewrite(tmp_path / "c" / "runs" / "lenet-f0.1-s0", data={"test_fraction": 0.1}, recipe={"split_seed": 3})
    with pytest.raises(UserError) as refused:
        load_board([tmp_path])
    said = str(refused.value)
    assert f"fashion-mnist f0f0f0f0 (400 test images, 1 run in {tmp_path / 'a'})" in said
    assert f"digits 0e0e0e0e (400 test images, 1 run in {tmp_path / 'b'})" in said
    assert f"fashion-mnist f0f0f0f0/0.1/3 (400 test images, 1 run in {tmp_path / 'c'})" in said
    assert "--data" in said
    for wanted, folder in (("digits", "b"), ("0e0e", "b"), ("0E0E0E", "b"), ("f0f0f0f0/0.1/3", "c")):
        (run,) = choose(find_all([tmp_path]), wanted)
        assert run[0].path.parent.parent.name == folder
    with pytest.raises(UserError, match=r"f0f0f0f0/0\.1/3"):
        load_board([tmp_path], "fashion-mnist")
    with pytest.raises(UserError, match="no run on 'cifar' here; there are fashion-mnist f0f0f0f0"):
        load_board([tmp_path], "cifar")
    with pytest.raises(UserError, match="no run on '0e0'"):
        load_board([tmp_path], "0e0")


def test_times_are_on_a_front_only_where_they_were_taken_alike(one: Path, factory, tmp_path: Path) -> None:
    board = load_board([one])
    labels = {entry.label for entry in board.entries}
    for cost, is_time in COSTS.items():
        known = {entry.label for entry in board.entries if getattr(entry, cost) is not None}
        assert set(board.points(cost)) == known - ({"linear_svc"} if is_time else set())
        assert set(board.fronts[cost]) <= set(board.points(cost)) <= labels
    # The fastest of all, but beside another run.
    assert "knn" in board.fronts["train_seconds"]
    factory.write_comparison(tmp_path, factory.MODELS, jobs={"knn": 2})
    assert "knn" not in load_board([tmp_path]).fronts["train_seconds"]


def test_seeds_timed_differently_have_no_time_to_compare(factory, tmp_path: Path) -> None:
    folder = factory.write_comparison(tmp_path, [factory.BIG, factory.SMALL])
    rewrite(folder / "runs" / "lenet-f0.1-s1", environment={"threads": 2})
    board = load_board([folder])
    assert set(board.points("train_seconds")) == {"lenet_tiny"}
    assert set(board.points("parameters")) == {"lenet", "lenet_tiny"}


def test_without_stored_answers_there_is_a_mean_and_no_verdict(factory, tmp_path: Path) -> None:
    folder = factory.write_comparison(tmp_path, [factory.BIG, factory.SMALL, factory.LINEAR])
    for seed in range(3):
        (folder / "runs" / f"lenet_tiny-f0.1-s{seed}" / "predictions.npz").unlink()
    board = load_board([folder])
    tiny = next(entry for entry in board.entries if entry.label == "lenet_tiny")
    assert board.ranks == {"lenet": 1, "lenet_tiny": None, "net_linear": 2}
    assert board.against_leader(tiny) is None
    assert tiny.accuracy > 0.5


def test_one_seed_leads_without_a_rank(factory, tmp_path: Path) -> None:
    board = load_board([factory.write_comparison(tmp_path, [factory.BIG, factory.LINEAR], seeds=(0,))])
    assert board.leader.label == "lenet"
    assert board.ranks == {"lenet": None, "net_linear": None}
    assert board.against_leader(board.entries[1]).verdict == "undecided"


def test_nothing_to_rank_is_refused(factory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        load_board([tmp_path / "gone"])
    with pytest.raises(UserError, match="which runs"):
        load_board([])
    factory.write_comparison(tmp_path, [factory.BIG], seeds=(0,), failed={("lenet", 0)})
    with pytest.raises(UserError, match="none of the 1 runs"):
        load_board([tmp_path])
