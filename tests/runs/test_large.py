"""Arrays that stay in their file, from training to the record: the same results, and little memory."""

import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nablab.data import load
from nablab.data.dataset import Dataset
from nablab.data.samples import LazyRows
from nablab.data.split import split
from nablab.errors import UserError
from nablab.models.reference import resolve_all
from nablab.runs.calibrate import calibrated
from nablab.runs.execute import execute
from nablab.runs.plan import DataReference, Plan, make_plan, read_plan
from nablab.runs.predict import load_predictor
from nablab.runs.shared_data import SharedData, opened, shared
from nablab.training.recipe import Recipe

MODELS = ["4C3-ReLU-BatchNorm-Dropout0.5-K", "numpy:8-ReLU-K", "knn"]


def write(folder: Path, count: int, shape: tuple[int, ...], kind: type = np.uint8) -> Path:
    """`X.npy` of noise with a bright row by class, and `Y.npy`."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, count)
    x = np.lib.format.open_memmap(folder / "X.npy", "w+", kind, (count, *shape))
    noise = rng.integers(0, 120, (100, *shape))
    for start in range(0, count, 100):
        block = noise[: count - start].copy()
        rows = y[start : start + 100] * (shape[-2] // 4)
        block.swapaxes(1, -2)[np.arange(len(block)), rows] += 100
        x[start : start + 100] = block / 255 if kind is np.float64 else block
    np.save(folder / "Y.npy", y)
    return folder


@pytest.fixture
def lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file were large, and no image fit into memory."""
    monkeypatch.setattr("nablab.data.sources.arrays.READ_BYTES", 0)
    monkeypatch.setattr("nablab.training.feed.KEEP_BYTES_OF_FILES", 0)


def plan_of(
    dataset: Dataset, out: Path, jobs: int = 1, models: list[str] = MODELS, **changes: object
) -> Plan:
    recipe = Recipe(epochs=2, batch_size=32, threads=1, preprocessing="unit").but(**changes)
    return make_plan(resolve_all(models), dataset, recipe, out=out, jobs=jobs)


@pytest.mark.parametrize(
    ("jobs", "models", "augmentation"), [(1, MODELS, "shift:1"), (2, ["numpy:K", "numpy:8-ReLU-K"], "")]
)
def test_results_are_those_of_the_same_array_in_memory(
    tmp_path: Path, jobs: int, models: list[str], augmentation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "set", 200, (6, 5, 3), np.float64)
    in_memory = plan_of(load(folder), tmp_path / "memory", 1, models, augmentation=augmentation)
    list(execute(in_memory))
    monkeypatch.setattr("nablab.data.sources.arrays.READ_BYTES", 0)
    monkeypatch.setattr("nablab.training.feed.KEEP_BYTES_OF_FILES", 0)
    monkeypatch.setattr("nablab.runs.shared_data._put", shared_put := _Noting())
    in_file = plan_of(load(folder), tmp_path / "file", jobs, models, augmentation=augmentation)
    list(execute(in_file))
    for run in in_memory.runs:
        ours, theirs = in_file.folder(run), in_memory.folder(run)
        assert ours.record().data == theirs.record().data
        assert ours.record().preprocessing == theirs.record().preprocessing
        assert_array_equal(ours.predictions().scores, theirs.predictions().scores)
        assert_array_equal(ours.examples().images, theirs.examples().images)
        assert [m.train_loss for m in ours.metrics()] == [m.train_loss for m in theirs.metrics()]
        again = load_predictor(ours, dataset=in_file.dataset).scores(theirs.examples().images)
        assert again.shape == (len(theirs.examples().images), 4)
    assert bool(shared_put.shapes) == (jobs > 1)
    assert all(len(shape) < 3 for shape in shared_put.shapes)  # no image was copied for the workers


class _Noting:
    """`shared_data._put`, noting what it copies."""

    def __init__(self) -> None:
        from nablab.runs import shared_data

        self._put, self.shapes = shared_data._put, []

    def __call__(self, file: object, array: np.ndarray) -> object:
        self.shapes.append(array.shape)
        return self._put(file, array)


@pytest.mark.usefixtures("lazily")
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_another_process_maps_the_same_file(tmp_path: Path, kind: type) -> None:
    folder = write(tmp_path / "set", 40, (6, 5, 3), kind)
    dataset = load(folder)
    with shared(dataset, tmp_path) as (descriptor, data):
        data = SharedData.from_dict(json.loads(json.dumps(data.to_dict())))
        there = opened(os.dup(descriptor), data)
        for part in ("train", "test"):
            ours, theirs = getattr(dataset, f"x_{part}"), getattr(there, f"x_{part}")
            assert isinstance(theirs, LazyRows)
            assert theirs.file == ours.file
            assert_array_equal(theirs[:], ours[:])
            assert (theirs.spans is None) == (kind is np.uint8)
        assert there.value_range == dataset.value_range
        assert vars(there)["fingerprint"] == dataset.fingerprint == there._hash()
        np.save(folder / "X.npy", np.zeros((40, 6, 5, 3), kind))
        with pytest.raises(UserError, match=r"X.npy: has changed since it was first read"):
            opened(os.dup(descriptor), data)


@pytest.mark.usefixtures("lazily")
def test_a_comparison_goes_on_with_the_file_that_it_began_with(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", 40, (6, 5, 3))
    recipe, reference = Recipe(epochs=1, threads=1), DataReference(str(folder))
    plan = make_plan(resolve_all(["K"]), load(folder), recipe, out=tmp_path / "out", data=reference)
    list(execute(plan))
    assert read_plan(plan.out).dataset.fingerprint == plan.dataset.fingerprint
    x = np.load(folder / "X.npy")
    x[7, 0, 0, 0] ^= 1
    np.save(folder / "X.npy", x)
    with pytest.raises(UserError, match=r"has changed since .* was planned"):
        read_plan(plan.out)


def test_fits_that_need_more_than_there_is_are_refused_when_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(write(tmp_path / "set", 1000, (6, 5, 3)))
    whole = 4 * len(split(dataset).train) * 90  # the training images as float32
    monkeypatch.setattr("nablab.runs.plan.memory_bytes", lambda: 2 * whole)
    assert plan_of(dataset, tmp_path / "fits").runs
    monkeypatch.setattr("nablab.runs.plan.memory_bytes", lambda: whole)
    complaint = r"^knn is fitted on all .* 7.. of set are .* GiB.* smaller fraction, such as 0.5, or networks"
    with pytest.raises(UserError, match=complaint):
        plan_of(dataset, tmp_path / "not")
    assert plan_of(dataset, tmp_path / "networks", models=MODELS[:2]).runs


@pytest.mark.usefixtures("lazily")
def test_estimates_count_no_pages_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2000
    dataset = load(write(tmp_path / "set", count, (6, 5, 3)))
    in_file = calibrated(plan_of(dataset, tmp_path / "out", models=["K", "knn"])).estimates
    monkeypatch.setattr("nablab.training.feed.KEEP_BYTES_OF_FILES", 2**30)
    kept = calibrated(plan_of(dataset, tmp_path / "out", models=["K", "knn"])).estimates
    floats = (
        4 * 90 * np.array([count, count - 0.72 * count])
    )  # all images; those that no estimator is fitted on
    gained = [kept[label, 1.0].memory_bytes - in_file[label, 1.0].memory_bytes for label in ("k", "knn")]
    np.testing.assert_allclose(gained, floats, rtol=0.02)


def test_training_takes_less_than_half_of_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nablab.data.sources.arrays.READ_BYTES", 2**20)
    monkeypatch.setattr("nablab.training.feed.KEEP_BYTES_OF_FILES", 2**20)
    monkeypatch.setattr("nablab.training.feed.PIECE_BYTES", 2**22)
    folder = write(tmp_path / "set", 8_000, (3, 64, 64))
    size = (folder / "X.npy").stat().st_size
    assert size > 90 * 2**20
    recipe = {"epochs": 1, "batch_size": 64, "preprocessing": "standardize"}
    tracemalloc.start()
    plan = plan_of(load(folder), tmp_path / "out", models=["numpy:AvgPool8-K"], **recipe)
    list(execute(plan))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    totals = plan.folder(plan.runs[0]).record().totals
    assert totals is not None
    assert totals.test_accuracy > 0.9
    assert peak < size / 2
