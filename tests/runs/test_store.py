import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nablab.errors import CannotWrite, UserError
from nablab.runs.arrays import read_tensors, write_arrays, write_tensors
from nablab.runs.record import RunRecord
from nablab.runs.store import Examples, Predictions, RunFolder, find_runs
from nablab.training.signals import EpochMetrics

Measured = Callable[[int], EpochMetrics]

HOLDS_LOCK = """
import sys
from pathlib import Path
from nablab.runs.lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "lenet-f0.1-s0")


def test_a_record_comes_back_equal(run: RunFolder, record: RunRecord) -> None:
    run.write_record(record)
    assert run.record() == record


def test_no_run_here(run: RunFolder) -> None:
    with pytest.raises(UserError, match="no run in"):
        run.record()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a run record"),
        ('{"schema": 99}', "newer nablab"),
        ('{"schema": 1, "id": "x"}', "not a run record"),
    ],
)
def test_a_damaged_record_is_named(run: RunFolder, text: str, complaint: str) -> None:
    run.path.mkdir()
    (run.path / "run.json").write_text(text)
    with pytest.raises(UserError, match=complaint) as caught:
        run.record()
    assert "run.json" in str(caught.value)


def test_metrics_are_appended(run: RunFolder, measured: Measured) -> None:
    run.path.mkdir()
    assert run.metrics() == []
    epochs = [measured(1), measured(2), measured(3)]
    for epoch in epochs:
        run.append_metrics(epoch)
    assert run.metrics() == epochs


@pytest.mark.parametrize("torn", ['{"epoch": 3, "st', "\x00\x00\x00"])
def test_a_line_cut_off_by_a_crash_is_ignored_and_written_over(
    run: RunFolder, torn: str, measured: Measured
) -> None:
    run.path.mkdir()
    run.append_metrics(measured(1))
    run.append_metrics(measured(2))
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    assert run.metrics() == [measured(1), measured(2)]
    run.append_metrics(measured(3))
    assert run.metrics() == [measured(1), measured(2), measured(3)]


def test_a_broken_line_in_the_middle_is_an_error(run: RunFolder, measured: Measured) -> None:
    run.path.mkdir()
    run.append_metrics(measured(1))
    path = run.path / "metrics.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(UserError, match="line 1"):
        run.metrics()


def test_metrics_of_a_later_nablab_can_be_read(run: RunFolder, measured: Measured) -> None:
    run.path.mkdir()
    values = json.loads(json.dumps(vars(measured(1)))) | {"gradient_norm": 1.5}
    (run.path / "metrics.jsonl").write_text(json.dumps(values) + "\n")
    assert run.metrics() == [measured(1)]


def test_metrics_after_the_checkpoint_are_forgotten(run: RunFolder, measured: Measured) -> None:
    run.path.mkdir()
    for epoch in (1, 2, 3):
        run.append_metrics(measured(epoch))
    run.keep_metrics(2)
    assert [m.epoch for m in run.metrics()] == [1, 2]


def test_predictions_and_examples_come_back(run: RunFolder) -> None:
    rng = np.random.default_rng(0)
    run.path.mkdir()
    said = Predictions(np.array([1, 0]), rng.normal(size=(2, 3)).astype(np.float32), np.array([7, 5]))
    shown = Examples(rng.integers(0, 255, (2, 1, 4, 4), dtype=np.uint8), np.array([7, 5]))
    run.write_predictions(said)
    run.write_examples(shown)
    for name in ("y", "scores", "indices"):
        np.testing.assert_array_equal(getattr(run.predictions(), name), getattr(said, name))
    np.testing.assert_array_equal(run.examples().images, shown.images)
    assert run.examples().images.dtype == np.uint8
    np.testing.assert_array_equal(run.examples().indices, shown.indices)


def test_predictions_that_are_not_there_or_damaged(run: RunFolder) -> None:
    run.path.mkdir()
    with pytest.raises(UserError, match="has not finished"):
        run.predictions()
    (run.path / "predictions.npz").write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(UserError, match="cannot read"):
        run.predictions()


def test_predictions_damaged_anywhere(run: RunFolder) -> None:
    rng = np.random.default_rng(0)
    run.path.mkdir()
    scores = rng.normal(size=(200, 10)).astype(np.float32)
    run.write_predictions(Predictions(rng.integers(0, 10, 200), scores, np.arange(200)))
    path = run.path / "predictions.npz"
    whole = path.read_bytes()
    refused = []
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(whole))] if rng.random() < 0.3 else damaged)
        try:
            run.predictions()
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 200
    assert all(str(path) in line for line in refused)
    np.save(path.with_suffix(".npy"), scores)
    path.with_suffix(".npy").rename(path)
    with pytest.raises(UserError, match="cannot read"):
        run.predictions()


@pytest.mark.parametrize(
    ("y", "scores", "indices"),
    [(3, (2, 3), 3), (3, (3,), 3), (3, (3, 3), 2)],
)
def test_predictions_that_do_not_fit_together(
    run: RunFolder, y: int, scores: tuple[int, ...], indices: int
) -> None:
    run.path.mkdir()
    said = Predictions(np.zeros(y, np.int64), np.zeros(scores, np.float32), np.arange(indices))
    run.write_predictions(said)
    with pytest.raises(UserError, match=r"predictions\.npz is damaged"):
        run.predictions()


def test_an_archive_of_objects_is_refused(run: RunFolder) -> None:
    run.path.mkdir()
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(run.path / "predictions.npz", y=objects, scores=objects, indices=objects)
    with pytest.raises(UserError, match="cannot read"):
        run.predictions()


def test_objects_are_never_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "a.npz", odd=np.array([{}], dtype=object))
    assert not list(tmp_path.iterdir())


def test_weights_agree_with_what_safetensors_reads(run: RunFolder) -> None:
    from safetensors.numpy import load_file

    rng = np.random.default_rng(0)
    weights = {
        "0.weight": rng.normal(size=(3, 4)).astype(np.float32).T,  # not in C order
        "0.bias": rng.normal(size=3).astype(np.float32)[::-1],
        "steps": np.array(7, dtype=np.int64),
        "empty": np.zeros((0, 2), dtype=np.float32),
    }
    size = run.write_weights(weights)
    for read in (run.weights(), load_file(run.path / "weights.safetensors")):
        assert read.keys() == weights.keys()
        for name, value in weights.items():
            np.testing.assert_array_equal(read[name], value)
            assert read[name].shape == value.shape
    assert size == (run.path / "weights.safetensors").stat().st_size


def test_weights_that_are_not_there_or_damaged(run: RunFolder) -> None:
    run.path.mkdir()
    with pytest.raises(UserError, match=r"no weights\.safetensors"):
        run.weights()
    (run.path / "weights.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(UserError, match="cannot read"):
        run.weights()


def test_metadata_travels_with_tensors(tmp_path: Path) -> None:
    write_tensors(tmp_path / "c.safetensors", {"a": np.zeros(2)}, {"loop": '{"epoch": 3}'})
    assert read_tensors(tmp_path / "c.safetensors")[1] == {"loop": '{"epoch": 3}'}


def test_one_process_a_folder_and_the_kernel_releases_it(run: RunFolder) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_LOCK, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        assert run.is_live
        with pytest.raises(UserError, match="in use by another"), run.lock():
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    assert not run.is_live
    with run.lock():
        assert run.is_live
    assert not run.is_live


def test_find_runs_in_a_run_a_comparison_and_a_folder_of_them(tmp_path: Path, record: RunRecord) -> None:
    out = tmp_path / "all" / "first"
    for name in ("b-f1-s0", "a-f1-s0", "c-f1-s0"):
        RunFolder(out / "runs" / name).write_record(replace(record, id=name))
    (out / "runs" / "planned-f1-s0").mkdir()
    (out / "plan.json").write_text(json.dumps({"runs": [{"id": "c-f1-s0"}, {"id": "b-f1-s0"}]}))
    RunFolder(tmp_path / "all" / "single").write_record(record)

    def names(folder: Path) -> list[str]:
        return [run.path.name for run in find_runs(folder)]

    assert names(out) == ["c-f1-s0", "b-f1-s0", "a-f1-s0"]
    assert names(out / "runs") == ["a-f1-s0", "b-f1-s0", "c-f1-s0"]
    assert names(out / "runs" / "a-f1-s0") == ["a-f1-s0"]
    assert set(names(tmp_path / "all")) == {"single", "a-f1-s0", "b-f1-s0", "c-f1-s0"}


def test_find_runs_where_results_go_by_default(tmp_path: Path, record: RunRecord) -> None:
    """`runs/<time>-<name>/runs/<run>`: the folder around it is no comparison, though it holds `runs`."""
    for name in ("20260101-a", "20260102-b"):
        RunFolder(tmp_path / "runs" / name / "runs" / "x-f1-s0").write_record(record)
    assert len(find_runs(tmp_path / "runs")) == 2
    assert len(find_runs(tmp_path)) == 2


def test_find_runs_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs in"):
        find_runs(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        find_runs(tmp_path / "missing")


def test_delete_removes_the_run_only(run: RunFolder, record: RunRecord) -> None:
    run.write_record(record)
    run.delete()
    assert not run.path.exists()
    assert run.path.parent.exists()
    with pytest.raises(UserError, match="no run in"):
        run.delete()


def test_what_is_left_of_a_run_that_was_half_deleted_is_no_run(
    run: RunFolder, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write_record(record)
    run.write_predictions(Predictions(np.array([1]), np.zeros((1, 3), np.float32), np.array([0])))

    def interrupted(path: Path) -> None:
        (path / "predictions.npz").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.delete()
    assert not run.exists


def test_a_file_system_without_locks_is_worked_on_without(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lustre as many clusters mount it, and some network folders."""

    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with run.lock():
        assert not run.is_live


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, record: RunRecord, measured: Measured) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    run = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(CannotWrite, match="cannot write"):
        run.write_record(record)
    with pytest.raises(CannotWrite, match="cannot write"):
        run.append_metrics(measured(1))
    with pytest.raises(CannotWrite, match="cannot write"), run.lock():
        pass


def test_a_full_disk_leaves_what_was_there(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, record: RunRecord
) -> None:
    run.write_record(record)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CannotWrite, match="No space left on device"):
            run.write_record(replace(record, status="failed"))
    assert run.record() == record
    assert [path.name for path in run.path.iterdir()] == ["run.json"]
