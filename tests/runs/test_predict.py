import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nablab.data import load
from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.models.estimators import ESTIMATORS
from nablab.models.model import Model
from nablab.models.reference import resolve, resolve_all
from nablab.runs.arrays import write_arrays
from nablab.runs.estimator_file import ESTIMATOR, NEIGHBOURS
from nablab.runs.execute import execute
from nablab.runs.plan import DataReference, make_plan
from nablab.runs.predict import load_predictor
from nablab.runs.store import RunFolder
from nablab.training.recipe import Recipe

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""


@pytest.fixture
def data(tmp_path: Path, squares: Dataset) -> Dataset:
    path = tmp_path / "squares.npz"
    np.savez(path, X=squares.x_train, y=squares.y_train, X_test=squares.x_test, y_test=squares.y_test)
    return load(path)


def trained(model: Model, data: Dataset, tmp_path: Path) -> RunFolder:
    plan = make_plan(
        [model], data, Recipe(epochs=2, batch_size=32, threads=1), out=tmp_path / "out", jobs=1,
        data=DataReference(str(tmp_path / "squares.npz")),
    )  # fmt: skip
    assert list(execute(plan))[-1].kind == "done"
    return plan.folder(plan.runs[0])


def assert_says_what_it_said(run: RunFolder, data: Dataset) -> None:
    said, predictor = run.predictions(), load_predictor(run)
    assert predictor.classes == data.classes
    scores = predictor.scores(data.x_test[said.indices])
    assert scores.dtype == np.float32
    assert_allclose(scores, said.scores, rtol=1e-5, atol=1e-6)
    assert predictor.scores(data.x_test[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_says_again_what_it_said(tmp_path: Path, data: Dataset, name: str) -> None:
    run = trained(resolve(name), data, tmp_path)
    assert_says_what_it_said(run, data)
    assert (run.path / (NEIGHBOURS if name == "knn" else ESTIMATOR)).is_file()
    record = run.record()
    assert record.totals is not None
    assert (record.totals.kept, record.totals.epochs, record.totals.kept_epoch) == ("fit", 0, None)
    assert record.totals.train_accuracy is not None
    assert record.totals.validation_accuracy is not None
    assert (record.totals.test_loss is None) == (record.model.score_kind == "margins")
    assert not run.metrics()


def test_a_network_says_again_what_it_said(tmp_path: Path, data: Dataset) -> None:
    assert_says_what_it_said(trained(resolve("4C3-BatchNorm-ReLU-Dropout0.5-K"), data, tmp_path), data)


def test_a_users_module_says_again_what_it_said(tmp_path: Path, data: Dataset) -> None:
    source = tmp_path / "my_net.py"
    source.write_text(NET)
    run = trained(resolve(f"{source}:Net"), data, tmp_path)
    assert run.record().model.parameters == 4 * 9 + 4 + 8 + 64 * 3 + 3
    assert_says_what_it_said(run, data)
    source.write_text(NET.replace("0.5", "0.4"))
    with pytest.raises(UserError, match=r"my_net\.py has changed since"):
        load_predictor(run)


def test_a_live_module_has_to_be_given_again(tmp_path: Path, data: Dataset) -> None:
    from torch import nn

    class Live(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(36, 3))

    (model,) = resolve_all([Live])
    run = trained(model, data, tmp_path)
    with pytest.raises(UserError, match="class of a Python session"):
        load_predictor(run)
    scores = load_predictor(run, model=model).scores(data.x_test[run.predictions().indices])
    assert_allclose(scores, run.predictions().scores, rtol=1e-5, atol=1e-6)


def test_neighbours_need_the_data_that_they_are_of(
    tmp_path: Path, data: Dataset, network: Callable[..., Model]
) -> None:
    run = trained(resolve("knn"), data, tmp_path)
    given = load_predictor(run, dataset=data)
    assert_array_equal(given.scores(data.x_test), load_predictor(run).scores(data.x_test))
    other = replace(data, x_train=data.x_train[::-1].copy(), y_train=data.y_train[::-1].copy())
    with pytest.raises(UserError, match="has changed since"):
        load_predictor(run, dataset=other)
    (tmp_path / "squares.npz").unlink()
    with pytest.raises(UserError, match=r"squares\.npz"):
        load_predictor(run)


def test_a_type_that_nobody_trusts_is_refused(tmp_path: Path, data: Dataset) -> None:
    from sklearn.preprocessing import FunctionTransformer
    from skops.io import dump

    run = trained(resolve("logistic_regression"), data, tmp_path)
    dump(FunctionTransformer(load), run.path / ESTIMATOR)
    with pytest.raises(UserError, match=r"holds .*load.*, which nablab does not trust"):
        load_predictor(run)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04"])
def test_a_damaged_estimator_is_named(tmp_path: Path, data: Dataset, content: bytes) -> None:
    run = trained(resolve("logistic_regression"), data, tmp_path)
    (run.path / ESTIMATOR).write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*estimator\.skops"):
        load_predictor(run)


def test_pictures_of_another_shape_are_refused(tmp_path: Path, data: Dataset) -> None:
    predictor = load_predictor(trained(resolve("K"), data, tmp_path))
    with pytest.raises(UserError, match=r"takes images of \(1, 6, 6\), not \(3, 6, 6\)"):
        predictor.scores(np.zeros((1, 3, 6, 6), np.uint8))


def test_a_run_that_has_not_finished_has_no_model(tmp_path: Path, data: Dataset) -> None:
    run = trained(resolve("K"), data, tmp_path)
    run.write_record(replace(run.record(), status="interrupted"))
    with pytest.raises(UserError, match="has not finished"):
        load_predictor(run)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("neighbours.npz", {"indices": np.array([10**9])}, "cannot read .*neighbours.npz: KeyError"),
        ("neighbours.npz", {"settings": np.array("no JSON")}, "cannot read .*neighbours.npz"),
        ("neighbours.npz", {"settings": np.array('{"metric": "none"}')}, "cannot read .*neighbours.npz"),
        ("run.json", {"preprocessing": {"shift": 5}}, "cannot read the preprocessing in .*run.json"),
        ("run.json", {"data": {"options": {"evil": 1}}}, "gives evil with its data, which takes size"),
    ],
)
def test_what_nablab_never_wrote_is_refused_in_a_line(
    digits_results: Path, tmp_path: Path, file: str, change: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(digits_results / "runs" / "knn-f1-s0", folder)
    if file == "run.json":
        record = json.loads((folder / file).read_text())
        for name, value in change.items():
            record[name].update(value) if name == "data" else record.update({name: value})
        (folder / file).write_text(json.dumps(record))
    else:
        with np.load(folder / file) as stored:
            write_arrays(folder / file, **(dict(stored) | change))
    with pytest.raises(UserError, match=said):
        load_predictor(folder)
