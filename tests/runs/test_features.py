"""Methods on a layer's outputs: which numbers they are, what is said of leaks, and how they come back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import nablab
from nablab.data import load
from nablab.data.split import split
from nablab.errors import UserError
from nablab.models.model import FeatureSource
from nablab.models.reference import resolve
from nablab.runs.features import bound, leaks
from nablab.runs.layer_features import LayerFeatures
from nablab.runs.predict import load_predictor
from nablab.runs.store import RunFolder, find_runs

DATA = load("digits")
X = np.asarray(DATA.x_test)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A network with what differs between training and evaluation, on a tenth of the images."""
    out = tmp_path_factory.mktemp("network")
    network = "8C3-BatchNorm-ReLU-MaxPool2-Dropout0.5-20-Tanh-K"
    nablab.train(network, DATA, fraction=0.2, epochs=2, seed=1, out=out / "net", progress=False)
    return find_runs(out / "net")[0]


@pytest.fixture(scope="module")
def used(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """What works on its features, by label."""
    out = tmp_path_factory.mktemp("methods") / "results"
    methods = [
        f"knn@{run.path}:3",
        f"knn(metric=l1)@{run.path}:3",
        f"svm(C=1|10)@{run.path}:6",
        f"logistic@{run.path}:6",
    ]
    nablab.compare(methods, "digits", fractions=[0.2], out=out, progress=False)
    return {one.record().model.label: one for one in find_runs(out)}


def outputs(run: RunFolder, layers: int) -> np.ndarray:
    """The first layers of the network, one after the other."""
    from nablab.data.preprocess import Preprocessing
    from nablab.runs.predict import load_module

    record = run.record()
    x = torch.from_numpy(Preprocessing.from_dict(record.preprocessing).apply(X[:30]))
    with torch.no_grad():
        for part in list(load_module(run, record).children())[:layers]:
            x = part(x.clone())  # a ReLU may write over it
    return x.flatten(1).numpy()


@pytest.mark.parametrize("layer", [0, 1, 3, 4])
def test_they_are_the_outputs_of_the_layer_in_evaluation_mode(run: RunFolder, layer: int) -> None:
    from nablab.data.preprocess import Preprocessing

    x = Preprocessing.from_dict(run.record().preprocessing).apply(X[:30]).reshape(30, -1)
    features = LayerFeatures(str(run.path), str(layer)).fit(x).transform(x)
    np.testing.assert_allclose(features, outputs(run, layer + 1), rtol=1e-5, atol=1e-6)


def test_the_last_layer_is_what_the_network_says(run: RunFolder) -> None:
    predictor = load_predictor(run)
    x = predictor.preprocessing.apply(X[:300]).reshape(300, -1)
    last = run.record().model.layers[-1].path
    features = LayerFeatures(str(run.path), last).fit(x).transform(x)
    np.testing.assert_allclose(features, predictor.scores(X[:300]), rtol=1e-5, atol=1e-6)


def test_methods_use_the_preprocessing_of_the_run(run: RunFolder, used: dict[str, RunFolder]) -> None:
    for one in used.values():
        assert one.record().status == "done"
        assert one.record().preprocessing == run.record().preprocessing


def test_they_come_back_from_disk(used: dict[str, RunFolder]) -> None:
    assert len(used) == 4
    for one in used.values():
        stored = one.predictions()
        np.testing.assert_array_equal(load_predictor(one).scores(X[stored.indices]), stored.scores)


def test_costs_hold_the_network_too(run: RunFolder, used: dict[str, RunFolder]) -> None:
    model = used["logistic-at-6"].record().model
    layers = run.record().model.layers[:7]
    network = sum(row.macs for row in layers)
    assert model.macs == network + 20 + 200
    assert model.parameters == sum(row.parameters for row in layers) + 40 + 210
    size = (run.path / "weights.safetensors").stat().st_size
    totals = used["logistic-at-6"].record().totals
    assert totals is not None
    assert totals.size_bytes == size + (used["logistic-at-6"].path / "estimator.skops").stat().st_size


def test_no_leak_nothing_said(used: dict[str, RunFolder]) -> None:
    assert used["knn-at-3"].record().remarks == ()


def cut_of(fraction: float, seed: int = 0, validation: float = 0.1):  # type: ignore[no-untyped-def]
    return split(DATA, fraction=fraction, validation=validation, split_seed=seed)


def test_more_images_than_ours_are_told(run: RunFolder) -> None:
    source = FeatureSource(str(run.path), "3")
    theirs, ours = cut_of(0.2), cut_of(0.05)
    (line,) = leaks(source, DATA, ours)
    beyond = len(set(theirs.train) - set(ours.train))
    assert f"learned from {len(theirs.train)} images, {beyond} of which this method was not given" in line
    assert line.endswith(f"not that of {len(ours.train)} images")
    assert leaks(source, DATA, cut_of(1.0)) == ()


def test_validation_images_that_trained_are_told(run: RunFolder) -> None:
    ours = cut_of(1.0, seed=7)
    seen = len(set(ours.validation) & set(cut_of(0.2).train))
    assert seen > 0
    line = leaks(FeatureSource(str(run.path), "3"), DATA, ours)[-1]
    assert f"{seen} of the {len(ours.validation)} validation images" in line


def test_other_data_is_told(run: RunFolder) -> None:
    other = replace(DATA, y_train=DATA.y_train[::-1])
    (line,) = leaks(FeatureSource(str(run.path), "3"), other, cut_of(1.0))
    assert "other data (digits" in line


def test_a_leak_is_in_the_record(run: RunFolder, tmp_path: Path) -> None:
    nablab.train(f"knn@{run.path}:3", DATA, fraction=0.1, out=tmp_path / "one", progress=False)
    assert "was not given" in find_runs(tmp_path / "one")[0].record().remarks[0]


def test_weights_that_changed_are_refused(run: RunFolder, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    nablab.train(f"knn@{copy}:3", "digits", out=tmp_path / "one", progress=False)
    weights = copy / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"weights in .* have changed"):
        load_predictor(find_runs(tmp_path / "one")[0])


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("knn@{run}:99", "has no layer 99"),
        ("knn@{run}", "say which layer"),
        ("knn@nowhere:3", "no folder nowhere"),
        ("svm", "no model"),
        ("svm(C=1)", "on pixels it is svc"),
        ("knn(n=1)", "no setting n"),
        ("knn(k=0)", "k=0 must be"),
        ("knn(metric=l7)", "l2, l1, cosine"),
        ("svm(C=-1)@{run}:3", "'C' parameter of SVC"),
        ("svm(c=1)@{run}:3", "no setting c"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(run: RunFolder, reference: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        bound(resolve(reference.format(run=run.path)), DATA)
    assert "\n" not in str(caught.value)


def test_other_images_and_other_runs_are_refused(run: RunFolder, used: dict[str, RunFolder]) -> None:
    with pytest.raises(UserError, match="takes images of 1 x 8 x 8"):
        bound(
            resolve(f"knn@{run.path}:3"),
            replace(DATA, x_train=DATA.x_train[:, :, :4], x_test=DATA.x_test[:, :, :4]),
        )
    with pytest.raises(UserError, match="has no layers"):
        bound(resolve(f"knn@{used['knn-at-3'].path}:3"), DATA)
