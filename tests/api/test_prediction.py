"""Predictions for pictures, against what the run itself stored for the same images."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nablab
from nablab.runs.store import RunFolder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The first test images of digits as files, with names in their order, in levels from 0 to 255."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    data = nablab.load("digits")
    low, high = data.value_range
    for number, image in enumerate(data.x_test[:5]):
        pixels = np.round((image[0].astype(float) - low) * 255 / (high - low)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("run", ["mlp-f1-s0", "knn-f1-s0"])
def test_pictures_get_the_scores_that_the_run_stored(digits_results: Path, pictures: Path, run: str) -> None:
    folder = digits_results / "runs" / run
    data = nablab.load("digits")
    predictions = nablab.predict(folder, pictures)
    stored = RunFolder(folder).predictions()
    row = {int(index): scores for index, scores in zip(stored.indices, stored.scores, strict=True)}
    wanted = np.stack([row[int(index)] for index in data.test_ids[:5]])
    # The 17 levels of digits don't all fall on whole numbers of 0..255, so a file rounds them a little.
    np.testing.assert_allclose(predictions.scores, wanted, atol=0.02)
    assert predictions.labels == tuple(data.classes[k] for k in wanted.argmax(axis=1))


def test_they_can_be_read_as_a_table(digits_results: Path, pictures: Path, tmp_path: Path) -> None:
    predictions = nablab.predict(digits_results / "runs" / "mlp-f1-s0", pictures / "1.png", pictures)
    rows = list(csv.DictReader(io.StringIO(predictions.csv(tmp_path / "p.csv").read_text())))
    assert len(rows) == 6
    assert rows[0]["picture"] == str(pictures / "1.png")
    assert rows[0]["prediction"] == predictions.labels[0]
    assert sum(float(rows[0][name]) for name in predictions.classes) == pytest.approx(1.0)
    assert predictions.labels[0] in repr(predictions)


def test_a_class_may_be_called_picture() -> None:
    from nablab.api.prediction import Predictions

    scores = np.array([[0.25, 0.75]])
    said = Predictions((Path("a.png"),), ("drawing", "picture"), scores.astype("f4"), scores, "probabilities")
    assert said.records() == [
        {"picture": "a.png", "prediction": "picture", "drawing": 0.25, "picture (class)": 0.75}
    ]
    assert said.to_csv() == "picture,prediction,drawing,picture (class)\na.png,picture,0.25,0.75\n"


def test_many_pictures_show_how_far_they_are(
    digits_results: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = digits_results / "runs" / "mlp-f1-s0"
    assert len(nablab.predict(run, *[pictures] * 60, progress=True).labels) == 300
    assert "pictures" in capsys.readouterr().err
    nablab.predict(run, pictures, progress=True)
    assert capsys.readouterr().err == ""


def test_what_cannot_be_predicted(digits_results: Path, tmp_path: Path) -> None:
    run = digits_results / "runs" / "mlp-f1-s0"
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    for pictures, said in (
        ((), "no pictures"),
        ((tmp_path / "gone.png",), "no file or folder"),
        (([tmp_path / "broken.png"],), r"not given as list; of several, write predict\(run, \*pictures\)"),
        ((np.zeros((8, 8)),), "not given as ndarray"),
        ((tmp_path / "empty",), "holds no picture"),
        ((tmp_path / "broken.png",), "cannot be read"),
    ):
        with pytest.raises(nablab.UserError, match=said):
            nablab.predict(run, *pictures)
    with pytest.raises(nablab.UserError, match="name one of them"):
        nablab.predict(digits_results, tmp_path)


def test_a_run_that_has_not_finished(digits_results: Path, pictures: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    run = RunFolder(shutil.copytree(digits_results / "runs" / "mlp-f1-s0", tmp_path / "run"))
    run.write_record(replace(run.record(), status="interrupted"))
    with pytest.raises(nablab.UserError, match="has not finished"):
        nablab.predict(run.path, pictures)


def test_a_file_that_changed_is_not_used(tmp_path: Path, pictures: Path) -> None:
    source = tmp_path / "my_net.py"
    text = (
        "from torch import nn\n\n"
        "def Net(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))\n"
    )
    source.write_text(text)
    run = nablab.train(f"{source}:Net", "digits", epochs=1, out=tmp_path / "out", progress=False)
    assert len(run.predict(pictures).labels) == 5
    source.write_text(text + "# changed\n")
    with pytest.raises(nablab.UserError, match="has changed"):
        run.predict(pictures)


def test_a_class_of_this_session_is_given_again(tmp_path: Path, pictures: Path) -> None:
    from torch import nn

    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(64, 10))

    run = nablab.train(Net, "digits", epochs=1, out=tmp_path / "out", progress=False)
    with pytest.raises(nablab.UserError, match="model="):
        run.predict(pictures)
    assert len(run.predict(pictures, model=Net).labels) == 5
