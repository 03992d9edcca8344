"""Runs that start from the weights of others: what is read, refused, recorded, kept and resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file
from torch import nn

from nablab.data import load
from nablab.data.dataset import Dataset, make_dataset
from nablab.errors import UserError
from nablab.models.model import Model
from nablab.models.reference import resolve, resolve_all
from nablab.models.started import start_from
from nablab.runs.execute import RunDone, RunEpoch, execute
from nablab.runs.plan import DataReference, extend_plan, make_plan, read_plan
from nablab.runs.start import network_of
from nablab.runs.store import WEIGHTS, RunFolder
from nablab.training.recipe import Recipe

Network = Callable[..., Model]
TEXT = "4C3-BatchNorm-ReLU-MaxPool2-8-ReLU-K"
QUICK = Recipe(epochs=2, batch_size=32, threads=1, lr=0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, squares: Dataset) -> Path:
    """The folder of a finished run on `squares`."""
    plan = make_plan([resolve(TEXT)], squares, QUICK, out=tmp_path_factory.mktemp("a") / "out", jobs=1)
    list(execute(plan))
    return plan.folder(plan.runs[0]).path


def others(squares: Dataset, count: int = 3, **changes: object) -> Dataset:
    """The same pictures under other names, or with fewer classes."""
    values = {
        "x_train": squares.x_train[:][squares.y_train < count],
        "y_train": squares.y_train[squares.y_train < count],
        "x_test": squares.x_test[:][squares.y_test < count],
        "y_test": squares.y_test[squares.y_test < count],
        "classes": ("a", "b", "c")[:count],
        **changes,
    }
    parts = [values[name] for name in ("x_train", "y_train", "x_test", "y_test", "classes")]
    return make_dataset("others", *parts, source="made here")  # type: ignore[arg-type]


def tuned(source: Path, data: Dataset, out: Path, recipe: Recipe = QUICK, model: Model | None = None):  # type: ignore[no-untyped-def]
    return make_plan([model or resolve(f"{TEXT}@{source}")], data, recipe, out=out, jobs=1)


def test_the_record_says_where_the_weights_came_from(source: Path, squares: Dataset, tmp_path: Path) -> None:
    plan = tuned(source, squares, tmp_path / "out", QUICK.but(freeze="0,1"))
    list(execute(plan))
    record = plan.folder(plan.runs[0]).record()
    assert record.start is not None
    weights = source / WEIGHTS
    assert record.start.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (record.start.path, record.start.run) == (str(source), RunFolder(source).record().id)
    assert (record.start.data, record.start.data_fingerprint) == ("squares", squares.fingerprint)
    assert (record.start.taken, record.start.new) == (("0", "1", "4", "6"), ())
    assert (record.model.frozen, record.recipe["freeze"]) == (("0", "1"), "0,1")
    assert record.model.parameters == 40 + 8 + 8 * 36 + 8 + 8 * 3 + 3
    assert record.model.trained == record.model.parameters - 48
    before, after = RunFolder(source).weights(), plan.folder(plan.runs[0]).weights()
    assert_array_equal(after["0.weight"], before["0.weight"])
    assert_array_equal(after["1.running_var"], before["1.running_var"])
    assert not np.array_equal(after["4.weight"], before["4.weight"])


def test_other_classes_get_a_new_head(source: Path, squares: Dataset, tmp_path: Path) -> None:
    asked = QUICK.but(new_head=True)
    for name, data, recipe, new in (
        ("same", squares, QUICK, ()),
        ("asked", squares, asked, ("6",)),
        ("names", others(squares), QUICK, ("6",)),
        ("fewer", others(squares, 2), QUICK, ("6",)),
    ):
        kept = tuned(source, data, tmp_path / name, recipe).starts["4c3-8-k-tuned"]
        assert kept.record.new == new, name


@pytest.mark.parametrize("same", [True, False])
def test_a_head_for_other_classes_starts_from_chance(
    source: Path, squares: Dataset, tmp_path: Path, same: bool
) -> None:
    """With a rate that moves nothing, what is kept is what it began with."""
    still = QUICK.but(epochs=1, lr=1e-12, weight_decay=0.0)
    plan = tuned(source, squares if same else others(squares), tmp_path / "out", still)
    list(execute(plan))
    before, after = RunFolder(source).weights(), plan.folder(plan.runs[0]).weights()
    np.testing.assert_allclose(after["4.weight"], before["4.weight"], atol=1e-6)
    assert np.allclose(after["6.weight"], before["6.weight"], atol=1e-6) is same


def test_a_comparison_can_hold_both_starts(source: Path, squares: Dataset, tmp_path: Path) -> None:
    recipe = QUICK.but(freeze="0", layer_decay=0.5, epochs=1)
    plan = make_plan(resolve_all([TEXT, f"{TEXT}@{source}"]), squares, recipe, out=tmp_path / "out", jobs=1)
    list(execute(plan))
    chance, trained = (plan.folder(run).record() for run in plan.runs)
    assert (chance.start, chance.recipe["freeze"], chance.recipe["layer_decay"]) == (None, "", 1.0)
    assert (trained.recipe["freeze"], trained.recipe["layer_decay"]) == ("0", 0.5)
    assert trained.start is not None


def test_resumed_bit_for_bit_after_the_source_is_gone(
    source: Path, squares: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nablab.runs import perform

    monkeypatch.setattr(perform, "CHECKPOINT_GAP", 0.0)
    copy = shutil.copytree(source, tmp_path / "source")
    recipe = QUICK.but(epochs=3, freeze="0", layer_decay=0.5)
    live = replace(resolve(TEXT), live=True)
    model = start_from(live, copy)
    whole = tuned(copy, others(squares), tmp_path / "whole", recipe, model)
    list(execute(whole))
    broken = tuned(copy, others(squares), tmp_path / "broken", recipe, model)
    events = execute(broken)
    for event in events:
        if isinstance(event, RunEpoch) and event.metrics.epoch == 1:
            break
    events.close()  # type: ignore[attr-defined]
    shutil.rmtree(copy)
    for given in (model, live):
        again = read_plan(broken.out, dataset=others(squares), models=[given])
        assert again.starts.keys() == broken.starts.keys()
        assert again.models[0].start == str(copy)
    assert isinstance(list(execute(again, resume=True))[-1], RunDone)
    expected = whole.folder(whole.runs[0]).weights()
    for name, value in again.folder(again.runs[0]).weights().items():
        assert_array_equal(value, expected[name], err_msg=name)


def test_processes_start_from_the_kept_copy(tmp_path: Path) -> None:
    digits = load("digits")
    recipe = QUICK.but(epochs=1)
    data = DataReference("digits")
    first = make_plan(resolve_all(["8-ReLU-K"]), digits, recipe, out=tmp_path / "a", jobs=1, data=data)
    list(execute(first))
    plan = make_plan(
        resolve_all([f"8-ReLU-K@{tmp_path / 'a'}"]),
        digits, recipe, out=tmp_path / "b", jobs=2, seeds=2, data=data,
    )  # fmt: skip
    shutil.rmtree(tmp_path / "a")
    assert sum(isinstance(event, RunDone) for event in execute(plan)) == 2
    records = [plan.folder(run).record() for run in plan.runs]
    assert {record.start and record.start.taken for record in records} == {("0", "2")}
    assert "8-ReLU-K@" in (plan.out / "experiment.toml").read_text()


def test_a_kept_copy_that_changed_is_refused(source: Path, squares: Dataset, tmp_path: Path) -> None:
    plan = tuned(source, squares, tmp_path / "out", QUICK.but(epochs=1))
    list(execute(plan))
    (kept,) = (tmp_path / "out" / "starts").iterdir()
    kept.write_bytes(kept.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UserError, match="has changed since"):
        read_plan(tmp_path / "out", dataset=squares)
    kept.unlink()
    with pytest.raises(UserError, match="no weights"):
        read_plan(tmp_path / "out", dataset=squares)


def test_a_tuned_network_can_be_added_and_started_from_again(
    source: Path, squares: Dataset, tmp_path: Path
) -> None:
    plan = make_plan([resolve(TEXT)], squares, QUICK.but(epochs=1), out=tmp_path / "out", jobs=1)
    list(execute(plan))
    more = extend_plan(read_plan(plan.out, dataset=squares), [resolve(f"{TEXT}@{source}")])
    assert isinstance(list(execute(more, resume=True))[-1], RunDone)
    folder = more.folder(more.runs[-1])
    assert folder.record().start is not None
    assert network_of(folder.path).reference == TEXT
    once_more = tuned(folder.path, squares, tmp_path / "again")
    assert once_more.starts["4c3-8-k-tuned"].record.run == folder.record().id


def test_preprocessing_can_be_the_runs(source: Path, squares: Dataset, tmp_path: Path) -> None:
    brighter = others(squares, x_train=squares.x_train[:] // 2, y_train=squares.y_train)
    anew = tuned(source, brighter, tmp_path / "anew")
    list(execute(anew))
    theirs = tuned(source, brighter, tmp_path / "theirs", QUICK.but(preprocessing="init"))
    list(execute(theirs))
    fitted = RunFolder(source).record().preprocessing
    assert theirs.folder(theirs.runs[0]).record().preprocessing == fitted
    assert anew.folder(anew.runs[0]).record().preprocessing["shift"][0] < 0.6 * fitted["shift"][0]


def test_weights_of_a_file_fit_a_users_module(squares: Dataset, tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.ReLU())
            self.out = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.body(x))

    there = Net()
    save_file(there.state_dict(), tmp_path / "net.safetensors")
    model = start_from(resolve(Net), tmp_path / "net.safetensors")
    plan = make_plan([model], squares, QUICK.but(freeze="body"), out=tmp_path / "out", jobs=1)
    list(execute(plan))
    run = plan.folder(plan.runs[0])
    assert_array_equal(run.weights()["body.1.weight"], there.body[1].weight.detach().numpy())  # type: ignore[union-attr]
    record = run.record()
    assert (record.model.trained, record.model.parameters) == (18, 18 + 37 * 5)
    assert record.start is not None
    assert (record.start.run, record.start.taken) == ("", ("body.1", "out"))

    save_file({**there.state_dict(), "extra": torch.zeros(1)}, tmp_path / "more.safetensors")
    with pytest.raises(UserError, match="has extra, which net-tuned has no place for"):
        make_plan(
            [start_from(resolve(Net), tmp_path / "more.safetensors")], squares, QUICK, out=tmp_path / "x"
        )


def test_a_users_module_can_be_frozen_without_a_start(squares: Dataset, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.ReLU(), nn.Linear(5, 3))
    plan = make_plan([resolve(module)], squares, QUICK.but(freeze="1"), out=tmp_path / "out", jobs=1)
    list(execute(plan))
    record = plan.folder(plan.runs[0]).record()
    assert (record.model.frozen, record.model.trained, record.start) == (("1",), 18, None)


@pytest.mark.parametrize(
    ("reference", "recipe", "message"),
    [
        (
            "8-ReLU-K@{source}",
            {},
            r"8-relu-k is another network than that of .*, which is 4c3-8-k: 4C3-Batch",
        ),
        (TEXT + "@{source}/{weights}", {"preprocessing": "init"}, "preprocessing init takes over a run's"),
        (TEXT + "@nowhere", {}, r"no run nowhere; init takes a run's folder, or a \.safetensors file"),
        (TEXT + "@nowhere.safetensors", {}, r"no weights nowhere\.safetensors"),
        (TEXT + "@{source}/{weights}", {"freeze": "7"}, "freeze '7' names no layer of 4c3-8-k-tuned"),
        (TEXT + "@{source}", {"freeze": "*"}, "leaves nothing of 4c3-8-k-tuned to train"),
        (TEXT, {"freeze": "0"}, "freeze is for networks that start from trained weights, and none does"),
        (TEXT, {"layer_decay": 0.5}, "layer_decay is for networks that start from trained weights"),
        (TEXT, {"new_head": True}, "new_head is for networks that start from trained weights"),
        (TEXT, {"preprocessing": "init"}, "preprocessing init is that of the run a network starts from"),
        ("16C3-ReLU-K@{source}/{weights}", {}, r"0\.weight is \(4, 1, 3, 3\) there and \(16, 1, 3, 3\) here"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(
    source: Path, squares: Dataset, tmp_path: Path, reference: str, recipe: dict[str, object], message: str
) -> None:
    model = resolve(reference.format(source=source, weights=WEIGHTS))
    with pytest.raises(UserError, match=message):
        make_plan([model], squares, QUICK.but(**recipe), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_of_another_size_are_explained(source: Path, squares: Dataset, tmp_path: Path) -> None:
    x = np.zeros((12, 1, 8, 8), np.uint8)
    y = np.arange(12) % 3
    larger = make_dataset("larger", x, y, x, y, squares.classes, source="made here")
    message = r"4\.weight is \(8, 36\) there and \(8, 64\) here; .* images of 1 x 6 x 6, these are 1 x 8 x 8"
    with pytest.raises(UserError, match=message):
        tuned(source, larger, tmp_path / "out")


def test_preprocessing_of_other_values_is_refused(source: Path, squares: Dataset, tmp_path: Path) -> None:
    x = squares.x_train[:].astype(np.float32) / 255
    scaled = make_dataset(
        "scaled", x, squares.y_train, x, squares.y_train, squares.classes, value_range=(0, 1), source="made"
    )
    with pytest.raises(UserError, match="is for values from 0 to 255, and those of scaled go from 0 to 1"):
        tuned(source, scaled, tmp_path / "out", QUICK.but(preprocessing="init"))


def test_runs_that_cannot_be_started_from(source: Path, squares: Dataset, tmp_path: Path) -> None:
    neighbours = make_plan([resolve("knn")], squares, QUICK, out=tmp_path / "knn", jobs=1)
    list(execute(neighbours))
    with pytest.raises(UserError, match="is a run of knn, which has no weights"):
        network_of(tmp_path / "knn")
    copy = shutil.copytree(source, tmp_path / "copy")
    values = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(values | {"status": "interrupted"}))
    with pytest.raises(UserError, match="is interrupted, not done"):
        network_of(copy)
    shutil.copytree(source, tmp_path / "two" / "a")
    shutil.copytree(source, tmp_path / "two" / "b")
    with pytest.raises(UserError, match="holds 2 runs; name one"):
        network_of(tmp_path / "two")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"cannot read .*bad\.safetensors"):
        tuned(tmp_path / "bad.safetensors", squares, tmp_path / "out")
    save_file({"0.weight": torch.zeros(1, dtype=torch.bfloat16)}, tmp_path / "b16.safetensors")
    with pytest.raises(UserError, match=r"cannot read .*b16\.safetensors: NumPy has no numbers"):
        tuned(tmp_path / "b16.safetensors", squares, tmp_path / "out")
