"""Test-time augmentation: the mean of an image's logits and its mirror's, wherever scores are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import nablab
from nablab.errors import UserError
from nablab.models.language import parse
from nablab.models.torch_net import build
from nablab.runs.export import export_run
from nablab.runs.predict import load_predictor
from nablab.training import tta

CNN = "4C3-BatchNorm-ReLU-MaxPool2-K"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tta") / "out"
    nablab.compare(
        [CNN, f"numpy:{CNN}"], "digits", fractions=[0.2], seeds=1, epochs=2, jobs=1, threads=1, tta="flip",
        averaging="ema", out=out, progress=False,
    )  # fmt: skip
    return out


def by_hand(run: Path, images: np.ndarray) -> np.ndarray:
    """What PyTorch says with the stored weights of the images and of their mirrors, averaged."""
    record = json.loads((run / "run.json").read_text())
    network = build(parse(CNN), tuple(record["data"]["input_shape"]), 10).eval()
    network.load_state_dict(
        {name: torch.from_numpy(w) for name, w in load_file(run / "weights.safetensors").items()}
    )
    fitted = record["preprocessing"]
    shift, scale = (np.float32(fitted[name]).reshape(1, -1, 1, 1) for name in ("shift", "scale"))
    x = torch.from_numpy((images.astype(np.float32) - shift) / scale)
    with torch.no_grad():
        return ((network(x) + network(torch.flip(x, dims=[3]))) / 2).numpy()


def runs(out: Path) -> list[Path]:
    return sorted((out / "runs").iterdir())


def test_both_engines_record_the_mean_of_both_views(out: Path) -> None:
    data = nablab.load("digits")
    assert len(runs(out)) == 2
    for run in runs(out):
        stored = np.load(run / "predictions.npz")
        wanted = by_hand(run, data.x_test[stored["indices"]])
        assert np.abs(stored["scores"] - wanted).max() < 1e-4
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        assert last["test_accuracy"] == pytest.approx((wanted.argmax(1) == stored["y"]).mean())


def test_what_was_trained_predicts_as_it_was_measured(out: Path) -> None:
    images = nablab.load("digits").x_test[:50]
    for run in runs(out):
        assert np.abs(load_predictor(run).scores(images) - by_hand(run, images)).max() < 1e-4


def test_an_exported_program_looks_twice_too(out: Path, tmp_path: Path) -> None:
    images = nablab.load("digits").x_test[:50]
    run = runs(out)[0]
    path = export_run(run, "pt2", tmp_path / "model.pt2").path
    program = torch.export.load(path).module()
    said = program(torch.from_numpy(images)).detach().numpy()
    assert np.abs(said - by_hand(run, images)).max() < 1e-4
    plain = tta.averaged(lambda x: x.sum(axis=(1, 2)), "none")
    assert plain(np.eye(3, dtype=np.float32)[None, None]).tolist() == [[1.0, 1.0, 1.0]]


def test_mirrors_are_averaged() -> None:
    first_column = tta.averaged(lambda x: x[:, 0, :, 0], "flip")
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    assert first_column(x).tolist() == [[(0 + 2) / 2, (3 + 5) / 2]]


def test_the_mirror_is_that_of_the_image_as_it_came() -> None:
    """Whatever a user's module writes over."""

    def scores(x: np.ndarray) -> np.ndarray:
        x *= 2
        return x[:, 0, :, 0]

    assert tta.averaged(scores, "flip")(np.array([[[[1.0, 3.0]]]], np.float32)).tolist() == [[4.0]]


def test_features_have_no_mirror(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tta 'flip' is for images; these samples are features"):
        nablab.plan(["mlp"], "spiral", tta="flip")
    with pytest.raises(UserError, match="tta 'both' is not one of none, flip"):
        nablab.Recipe(tta="both")  # type: ignore[arg-type]
