import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from nablab.data.dataset import Dataset
from nablab.errors import CannotWrite, UserError
from nablab.models.model import Model
from nablab.models.reference import resolve
from nablab.runs import checkpoint, finish, perform, store
from nablab.runs.execute import (
    RunDone,
    RunEpoch,
    RunEvent,
    RunFailed,
    RunProgress,
    RunSkipped,
    RunStarted,
    execute,
)
from nablab.runs.plan import Plan, make_plan, read_plan
from nablab.runs.predict import load_predictor
from nablab.runs.store import RunFolder
from nablab.training.recipe import Recipe

Network = Callable[..., Model]
QUICK = Recipe(epochs=2, batch_size=32, threads=1)


def plan_of(models: list[Model], data: Dataset, out: Path, recipe: Recipe = QUICK, **options: Any) -> Plan:
    return make_plan(models, data, recipe, out=out, **({"jobs": 1} | options))


def module(label: str, factory: Callable[[tuple[int, ...], int], nn.Module]) -> Model:
    return Model(label=label, reference=label, kind="module", detail=label, factory=factory, live=True)


def of_kind(events: list[RunEvent], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_run_is_told_and_stored(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network()], squares, tmp_path / "out")
    events = list(execute(plan))
    assert [event.kind for event in events if event.kind != "progress"] == [
        "started",
        "epoch",
        "epoch",
        "done",
    ]
    folder = plan.folder(plan.runs[0])
    record = folder.record()
    assert record.status == "done"
    assert record.totals == events[-1].totals
    assert record.data.fingerprint == squares.fingerprint
    assert (record.data.n_train, record.data.n_validation, record.data.n_test) == (108, 12, 60)
    assert record.model.parameters == 36 * 3 + 3
    assert folder.metrics() == [event.metrics for event in of_kind(events, RunEpoch)]
    assert sorted(path.name for path in folder.path.iterdir()) == [
        ".lock", "examples.npz", "metrics.jsonl", "predictions.npz", "run.json", "weights.safetensors",
    ]  # fmt: skip


def test_totals_follow_from_what_is_stored(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network()], squares, tmp_path / "out")
    list(execute(plan))
    folder = plan.folder(plan.runs[0])
    said, totals, last = folder.predictions(), folder.record().totals, folder.metrics()[-1]
    assert totals is not None
    assert_array_equal(said.y, squares.y_test[said.indices])
    assert totals.test_accuracy == accuracy_score(said.y, said.scores.argmax(axis=1))
    probabilities = torch.softmax(torch.from_numpy(said.scores).double(), dim=1).numpy()
    assert totals.test_loss == pytest.approx(log_loss(said.y, probabilities), rel=1e-6)
    assert totals.test_loss == pytest.approx(last.test_loss, rel=1e-6)
    assert (totals.train_accuracy, totals.validation_loss) == (last.train_accuracy, last.validation_loss)
    assert totals.steps == last.step == 2 * 4
    assert 0 < totals.train_seconds < totals.wall_seconds


def test_examples_are_the_pictures_of_mistakes(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network()], squares, tmp_path / "out", QUICK.but(epochs=1, lr=1e-4))
    list(execute(plan))
    folder = plan.folder(plan.runs[0])
    shown, said = folder.examples(), folder.predictions()
    assert len(shown.indices)
    assert_array_equal(shown.images, squares.x_test[shown.indices])
    right = dict(zip(said.indices, said.scores.argmax(axis=1) == said.y, strict=True))
    assert not any(right[index] for index in shown.indices)


@pytest.mark.parametrize(("images", "note"), [(108, "it takes long"), (109, "")])
def test_long_fits_are_announced(
    tmp_path: Path, squares: Dataset, monkeypatch: pytest.MonkeyPatch, images: int, note: str
) -> None:
    monkeypatch.setattr(perform, "SLOW_FROM", images)
    slow = replace(resolve("knn"), slow="it takes long")
    started = next(iter(execute(plan_of([slow], squares, tmp_path / "out"))))
    assert isinstance(started, RunStarted)
    assert started.note == note


def test_one_seed_of_what_no_seed_changes(tmp_path: Path, squares: Dataset, network: Network) -> None:
    fixed = network("fixed", seeded=False)
    plan = plan_of([network(), fixed], squares, tmp_path / "out", seeds=3, fractions=[0.5, 1])
    assert [run.id for run in plan.runs if run.label == "fixed"] == ["fixed-f0.5-s0", "fixed-f1-s0"]
    assert len([run for run in plan.runs if run.label == "lin"]) == 6


def test_resampling_concerns_every_method(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network("fixed", seeded=False)], squares, tmp_path / "out", seeds=2, resample=True)
    assert [(run.seed, run.recipe.split_seed) for run in plan.runs] == [(0, 0), (1, 1)]


def snapshots(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, into: Path, every: int
) -> tuple[list[Path], list[RunEvent]]:
    """Do the plan, copying its folder as kill -9 would leave it: at events, and between the two writes of an
    epoch."""
    copies: list[Path] = []

    def copy() -> None:
        copies.append(into / str(len(copies)))
        shutil.copytree(plan.out, copies[-1])

    def copy_before_writing(folder: Path, what: checkpoint.Checkpoint) -> None:
        if what.loop.step == 0:
            copy()
        checkpoint.write_checkpoint(folder, what)

    monkeypatch.setattr(perform, "write_checkpoint", copy_before_writing)
    monkeypatch.setattr(perform, "PROGRESS_EVERY", 0.0)
    monkeypatch.setattr(perform, "CHECKPOINT_GAP", 0.0)
    events = []
    for number, event in enumerate(execute(plan)):
        events.append(event)
        monkeypatch.setattr(perform, "CHECKPOINT_EVERY", 0.0 if number % 2 else 60.0)
        if number % every == 1 and not isinstance(event, RunDone):
            copy()
    monkeypatch.undo()
    return copies, events


def timeless(folder: RunFolder) -> list[dict[str, object]]:
    """The measurements, but for what clocks say."""
    return [
        {name: value for name, value in vars(m).items() if not name.endswith("seconds")}
        for m in folder.metrics()
    ]


RECIPES = {
    "adamw": QUICK.but(epochs=3, augmentation="flip,shift:1"),
    "momentum": QUICK.but(
        epochs=3, optimizer="sgd", lr=0.05, schedule="plateau", averaging="ema",
        label_smoothing=0.1,
    ),
    "early stopping": QUICK.but(epochs=9, optimizer="sgd", lr=0.5, schedule="constant", early_stopping=3),
}  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_killed_anywhere_and_resumed_is_uninterrupted_bit_for_bit(
    tmp_path: Path, squares: Dataset, network: Network, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    model = network("conv", "4C3-BatchNorm-ReLU-MaxPool2-Dropout0.3-K", live=True)
    plan = plan_of([model], squares, tmp_path / "out", recipe)
    copies, _ = snapshots(plan, monkeypatch, tmp_path / "killed", every=5)
    whole = plan.folder(plan.runs[0])
    assert len(copies) >= 5
    totals = whole.record().totals
    assert totals is not None
    assert (totals.kept == "best") == (totals.kept_epoch != totals.epochs) == (recipe.early_stopping > 0)
    for copy in copies:
        resumed = read_plan(copy, dataset=squares, models=[model])
        events = list(execute(resumed, resume=True))
        folder = resumed.folder(resumed.runs[0])
        assert isinstance(events[-1], RunDone)
        assert timeless(folder) == timeless(whole)
        weights, expected = folder.weights(), whole.weights()
        assert weights.keys() == expected.keys()
        for name, value in expected.items():
            assert_array_equal(weights[name], value, err_msg=f"{copy.name}: {name}")
        assert_array_equal(folder.predictions().scores, whole.predictions().scores)
        assert not (folder.path / checkpoint.CHECKPOINT).exists()


def test_resume_goes_on_from_the_checkpoint_and_keeps_what_is_done(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    models = [network("a", live=True), network("b", live=True)]
    plan = plan_of(models, squares, tmp_path / "out", QUICK.but(epochs=4))
    done = []
    for event in (events := execute(plan)):
        done += of_kind([event], RunDone)
        if isinstance(event, RunEpoch) and event.run == "b-f1-s0" and event.metrics.epoch == 2:
            break
    events.close()
    record = plan.folder(plan.runs[1]).record()
    assert (record.status, record.failure and record.failure.kind) == ("interrupted", "interrupted")
    first = plan.folder(plan.runs[0]).path / "run.json"
    before = first.read_bytes()
    again = list(execute(read_plan(tmp_path / "out", dataset=squares, models=models), resume=True))
    assert again[0] == RunSkipped("a-f1-s0", "done")
    assert again[1].from_epoch == 2
    assert [event.metrics.epoch for event in of_kind(again, RunEpoch)] == [3, 4]
    assert first.read_bytes() == before
    assert plan.folder(plan.runs[1]).record().failure is None


@pytest.mark.parametrize(("gap", "written"), [(0.0, 4), (60.0, 0)])
def test_short_epochs_do_not_wait_for_the_disk(
    tmp_path: Path,
    squares: Dataset,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    gap: float,
    written: int,
) -> None:
    epochs = []

    def count(folder: Path, what: checkpoint.Checkpoint) -> None:
        epochs.append(what.loop.epoch)

    monkeypatch.setattr(perform, "write_checkpoint", count)
    monkeypatch.setattr(perform, "CHECKPOINT_GAP", gap)
    list(execute(plan_of([network()], squares, tmp_path / "out", QUICK.but(epochs=4))))
    assert epochs == [1, 2, 3, 4][:written]


def test_closing_after_the_end_of_a_run_leaves_it_done(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    plan = plan_of([network()], squares, tmp_path / "out")
    events = execute(plan)
    assert any(isinstance(event, RunDone) for event in events)
    events.close()
    assert plan.folder(plan.runs[0]).record().status == "done"


def test_a_run_that_diverges_is_recorded_and_the_others_go_on(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    class Explodes(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.flatten(1)) * (float("inf") if self.training else 1.0)

    explodes = module("explodes", lambda shape, classes: Explodes(36, classes))
    models = [explodes, network("b", live=True)]
    plan = plan_of(models, squares, tmp_path / "out")
    events = list(execute(plan))
    failed = of_kind(events, RunFailed)[0].failure
    assert (failed.kind, failed.epoch, failed.step) == ("diverged", 0, 0)
    assert plan.folder(plan.runs[0]).record().status == "failed"
    assert plan.folder(plan.runs[1]).record().status == "done"
    again = list(execute(read_plan(tmp_path / "out", dataset=squares, models=models), resume=True))
    assert again == [RunSkipped("explodes-f1-s0", "failed"), RunSkipped("b-f1-s0", "done")]


class Breaks(nn.Linear):
    """Fails in its third step of training."""

    steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        if self.steps == 3:
            raise ValueError("the third is too much")
        return super().forward(x.flatten(1))


def test_a_module_that_raises_is_told_by_its_own_line(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    models = [module("breaks", lambda shape, classes: Breaks(36, classes)), network("b")]
    plan = plan_of(models, squares, tmp_path / "out")
    events = list(execute(plan))
    failure = of_kind(events, RunFailed)[0].failure
    line = 1 + next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines())
        if "the third is too much" in text
    )
    assert failure.message == f"ValueError: the third is too much (test_execute.py, line {line}, in forward)"
    assert failure.kind == "error"
    assert isinstance(events[-1], RunDone)


def test_a_module_that_ends_the_program_fails_alone(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    class Exits(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise SystemExit(0)
            return super().forward(x.flatten(1))

    models = [module("exits", lambda shape, classes: Exits(36, classes)), network("b")]
    events = list(execute(plan_of(models, squares, tmp_path / "out")))
    assert of_kind(events, RunFailed)[0].failure.message.startswith("SystemExit: 0 (test_execute.py, line")
    assert isinstance(events[-1], RunDone)


def test_a_module_that_was_mended_starts_anew_and_not_from_what_the_broken_one_learned(
    tmp_path: Path, squares: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "CHECKPOINT_GAP", 0.0)
    text = "from torch import nn\n\nclass Net(nn.Linear):\n    steps = 0\n"
    text += "    def __init__(self): super().__init__(36, 3)\n    def forward(self, x):\n"
    text += "        self.steps += self.training\n        assert self.steps != LAST\n"
    text += "        return super().forward(x.flatten(1))\n"
    source = tmp_path / "net.py"
    source.write_text(text.replace("LAST", "7"))  # the third step of the second epoch
    plan = plan_of([resolve(f"{source}:Net")], squares, tmp_path / "out")
    assert isinstance(list(execute(plan))[-1], RunFailed)
    folder = plan.folder(plan.runs[0])
    assert (folder.path / checkpoint.CHECKPOINT).exists()
    shutil.copytree(plan.out, tmp_path / "copy")
    unchanged = list(execute(read_plan(tmp_path / "copy", dataset=squares), resume=True))
    assert of_kind(unchanged, RunStarted)[0].from_epoch == 1

    source.write_text(text.replace("LAST", "-1"))
    mended = list(execute(read_plan(plan.out, dataset=squares), resume=True))
    assert of_kind(mended, RunStarted)[0].from_epoch == 0
    whole = plan_of([resolve(f"{source}:Net")], squares, tmp_path / "whole")
    list(execute(whole))
    for name, value in whole.folder(whole.runs[0]).weights().items():
        assert_array_equal(folder.weights()[name], value)


def test_measurements_that_a_power_cut_took_are_measured_again(
    tmp_path: Path, squares: Dataset, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is forced to the disk; lines that were only appended need not be there after it."""
    monkeypatch.setattr(perform, "CHECKPOINT_GAP", 0.0)
    plan = plan_of([network(live=True)], squares, tmp_path / "out", QUICK.but(epochs=3))
    events = execute(plan)
    while not (isinstance(event := next(events), RunEpoch) and event.metrics.epoch == 2):
        pass
    events.close()
    folder = plan.folder(plan.runs[0])
    folder.keep_metrics(1)
    again = list(execute(read_plan(plan.out, dataset=squares, models=plan.models), resume=True))
    assert isinstance(again[-1], RunDone)
    assert [m.epoch for m in folder.metrics()] == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
    ],
)
def test_out_of_memory_is_recorded_and_tried_again(
    tmp_path: Path, squares: Dataset, network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*arguments: object) -> None:
        raise error

    plan = plan_of([network(live=True)], squares, tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(perform, "prepare", full)
        failure = list(execute(plan))[-1].failure
    assert (failure.kind, failure.message.split(";")[0]) == ("memory", "out of memory")
    resumed = read_plan(tmp_path / "out", dataset=squares, models=plan.models)
    assert isinstance(list(execute(resumed, resume=True))[-1], RunDone)


def test_a_full_disk_is_raised_and_earlier_results_are_intact(
    tmp_path: Path, squares: Dataset, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of([network("a"), network("b")], squares, tmp_path / "out")
    events = execute(plan)
    while not isinstance(next(events), RunDone):
        pass
    earlier = {path: path.read_bytes() for path in plan.folder(plan.runs[0]).path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nablab.atomic.os.fsync", full)
    with pytest.raises(CannotWrite, match="No space left on device"):
        list(events)
    assert {path: path.read_bytes() for path in plan.folder(plan.runs[0]).path.iterdir()} == earlier


def test_a_folder_that_cannot_be_made(tmp_path: Path, squares: Dataset, network: Network) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="cannot write in"):
        list(execute(plan_of([network()], squares, tmp_path / "file" / "out")))


def test_a_folder_in_use_is_refused(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network()], squares, tmp_path / "out")
    events = execute(plan)
    next(events)
    with pytest.raises(UserError, match="in use by another"):
        list(execute(plan, resume=True))
    with pytest.raises(UserError, match="already holds a comparison; --resume"):
        list(execute(plan))
    events.close()


def test_progress_is_told_a_few_times_a_second_at_most(
    tmp_path: Path, squares: Dataset, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "PROGRESS_EVERY", 60.0)
    plan = plan_of([network()], squares, tmp_path / "out")
    assert not of_kind(list(execute(plan)), RunProgress)
    monkeypatch.setattr(perform, "PROGRESS_EVERY", 0.0)
    plan = plan_of([network()], squares, tmp_path / "other")
    told = of_kind(list(execute(plan)), RunProgress)
    assert [(event.epoch, event.step) for event in told] == [(e, s) for e in (0, 1) for s in (1, 2, 3, 4)]
    assert all(event.steps == 4 and 0 <= event.accuracy <= 1 for event in told)


def test_threads_are_as_planned_and_then_as_before(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    before = torch.get_num_threads()
    plan = plan_of([network()], squares, tmp_path / "out", QUICK.but(threads=3))
    seen = {torch.get_num_threads() for _ in execute(plan)}
    assert seen == {3}
    assert torch.get_num_threads() == before
    assert plan.folder(plan.runs[0]).record().environment.threads == 3


def test_weights_are_those_of_the_best_epoch_under_early_stopping(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    recipe = QUICK.but(epochs=30, batch_size=16, lr=0.5, schedule="constant", early_stopping=2)
    plan = plan_of([network()], squares, tmp_path / "out", recipe)
    list(execute(plan))
    folder = plan.folder(plan.runs[0])
    totals, metrics = folder.record().totals, folder.metrics()
    assert totals is not None
    best = min(metrics, key=lambda m: np.inf if m.validation_loss is None else m.validation_loss)
    assert totals.epochs == len(metrics) == best.epoch + 2 < 30
    assert (totals.kept, totals.kept_epoch) == ("best", best.epoch)
    assert totals.test_accuracy == pytest.approx(best.test_accuracy)
    assert store.RunFolder(folder.path).predictions().scores.shape == (60, 3)


def test_what_a_mended_estimator_left_before_does_not_answer_for_it(
    tmp_path: Path, squares: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neighbours are stored in another file than other estimators, and would be found first."""
    source = tmp_path / "mine.py"
    text = "from sklearn.neighbors import KNeighborsClassifier\nfrom sklearn.svm import SVC\n"
    source.write_text(f"{text}model = KNeighborsClassifier(1)\n")
    plan = plan_of([resolve(f"{source}:model")], squares, tmp_path / "out")

    def full(*_: object) -> None:
        raise RuntimeError("what comes after fails")

    with monkeypatch.context() as patch:
        patch.setattr(finish, "write_deciding", full)
        assert isinstance(list(execute(plan))[-1], RunFailed)
    source.write_text(f"{text}model = SVC(kernel='linear', C=0.001)\n")
    assert isinstance(list(execute(read_plan(plan.out, dataset=squares), resume=True))[-1], RunDone)
    folder = plan.folder(plan.runs[0])
    said = load_predictor(folder, dataset=squares).scores(squares.x_test[folder.predictions().indices])
    assert_array_equal(said, folder.predictions().scores)


def test_what_a_killed_process_was_writing_goes(tmp_path: Path, squares: Dataset, network: Network) -> None:
    plan = plan_of([network(live=True)], squares, tmp_path / "out")
    events = execute(plan)
    next(events)
    events.close()
    folder = plan.folder(plan.runs[0]).path
    for name in (".checkpoint.k3x_9f2a.safetensors", ".run.ab12cd34.json", "notes.txt"):
        (folder / name).touch()
    again = list(execute(read_plan(plan.out, dataset=squares, models=plan.models), resume=True))
    assert isinstance(again[-1], RunDone)
    (folder / checkpoint.CHECKPOINT).touch()  # killed after the record said that it is done
    list(execute(read_plan(plan.out, dataset=squares, models=plan.models), resume=True))
    names = {path.name for path in folder.iterdir()}
    assert "notes.txt" in names
    assert not any("checkpoint" in name or name == ".run.ab12cd34.json" for name in names)


@pytest.mark.parametrize(
    "name", ["plan.json", "experiment.toml", "run.json", "metrics.jsonl", "weights.safetensors"]
)
def test_nothing_is_written_through_links_of_a_folder(
    tmp_path: Path, squares: Dataset, network: Network, name: str
) -> None:
    plan = plan_of([network(live=True)], squares, tmp_path / "out")
    events = execute(plan)
    while not isinstance(next(events), RunEpoch):
        pass
    events.close()
    folder = plan.out if name in ("plan.json", "experiment.toml") else plan.folder(plan.runs[0]).path
    outside = tmp_path / "outside"
    outside.write_bytes((folder / name).read_bytes() + b" " if (folder / name).exists() else b"mine")
    before = outside.read_bytes()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    again = list(execute(read_plan(plan.out, dataset=squares, models=plan.models), resume=True))
    assert isinstance(again[-1], RunDone)
    assert outside.read_bytes() == before
