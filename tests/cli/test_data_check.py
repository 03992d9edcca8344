"""`nablab data check` and `nablab.check_data`: exit codes, JSON, pictures, runs, misuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nablab
from nablab.cli import main


def check(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["data", "check", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """An archive of noise: a test image is a training image, under another label."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (300, 12, 12)).astype(np.uint8)
    y = np.arange(300) % 3
    x[241] = x[3]
    path = tmp_path / "leaky.npz"
    np.savez(path, X=x[:200], y=y[:200], X_test=x[200:], y_test=y[200:], classes=["cat", "dog", "eel"])
    return path


def test_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = check(capsys, "digits")
    assert (code, err) == (0, "")
    assert out.strip() == "digits, 1,439 + 358 samples: nothing wrong found"


def test_something_serious(capsys: pytest.CaptureFixture[str], leaky: Path) -> None:
    code, out, err = check(capsys, leaky)
    assert (code, err) == (1, "")
    assert "leaky, 200 + 100 samples: 2 serious findings" in out
    assert "1 of 100 test samples (1.00 %) is also" in out
    assert "train 3 (cat), test 41 (dog)" in out
    assert "-> take them out of the training set" in out


def test_warnings_and_notes_alone_are_exit_code_0(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (300, 8, 8)).astype(np.uint8)
    y = np.repeat([0, 1], [240, 60])
    np.savez(tmp_path / "uneven.npz", X=x, y=y)
    code, out, _ = check(capsys, tmp_path / "uneven.npz")
    assert code == 0
    assert "warning  imbalance" in out


def test_json(capsys: pytest.CaptureFixture[str], leaky: Path) -> None:
    code, out, _ = check(capsys, leaky, "--json")
    document = json.loads(out)
    assert code == 1
    assert (document["checked"], document["serious"]) == ("leaky", True)
    assert (document["train"], document["test"]) == (200, 100)
    assert "near-leak" in document["asked"]
    leak = document["findings"][0]
    assert (leak["rule"], leak["severity"]) == ("exact-leak", "serious")
    assert leak["groups"] == [
        [
            {"part": "train", "index": 3, "label": "cat", "position": 3},
            {"part": "test", "index": 41, "label": "dog", "position": 41},
        ]
    ]


def test_files_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(25):
            Image.fromarray(rng.integers(0, 255, (9, 9)).astype(np.uint8)).save(
                tmp_path / name / f"{number:02}.png"
            )
    twin = tmp_path / "dog" / "07.png"
    twin.write_bytes((tmp_path / "cat" / "03.png").read_bytes())
    code, out, _ = check(capsys, tmp_path, "--json", "--size", "8")
    assert code == 1
    found = {finding["rule"]: finding for finding in json.loads(out)["findings"]}
    files = {row["file"] for row in found["contradictions"]["groups"][0]}
    assert files == {str(twin), str(tmp_path / "cat" / "03.png")}
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"no picture")
    code, out, _ = check(capsys, tmp_path)
    assert code == 1
    assert "50 of 50 picture files (100.00 %) are not readable" in out
    assert "and 46 more" in out


def test_a_picture_of_what_was_found(capsys: pytest.CaptureFixture[str], leaky: Path, tmp_path: Path) -> None:
    code, out, err = check(capsys, leaky, "--picture", tmp_path / "found.png")
    assert (code, err) == (1, "")
    assert "exact-leak" in out
    with Image.open(tmp_path / "found.png") as drawn:
        assert drawn.format == "PNG"
        assert drawn.width == 1500
    code, _, err = check(capsys, "digits", "--picture", tmp_path / "none.png")
    assert (code, err) == (0, "no picture: nothing was found in single images\n")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-like-it"], "no data set or folder"),
        (["digits", "--similarity", "1"], "outside (0, 1)"),
        (["digits", "--picture", "found.jpg"], "ends in .png"),
        (["digits", "--run", "gone"], "no folder gone"),
        (["digits", "--size", "8"], "takes no size"),
        ([], "nablab data check --help"),
    ],
)
def test_misuse(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = check(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_wrong_labels_from_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Nearest neighbours on digits of which ten test labels are wrong: most of them are found."""
    digits = nablab.load("digits")
    flipped = np.arange(10, 350, 34)
    y_test = digits.y_test.copy()
    y_test[flipped] = (y_test[flipped] + 3) % 10
    path = tmp_path / "flipped.npz"
    np.savez(path, X=digits.x_train, y=digits.y_train, X_test=digits.x_test, y_test=y_test)
    nablab.train("knn", path, out=tmp_path / "runs", progress=False)
    runs = ("--run", tmp_path / "runs") * 2
    code, out, err = check(capsys, path, *runs, "--picture", tmp_path / "f.png", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert "label-noise" in document["asked"]
    assert document["notes"] == []
    (finding,) = document["findings"]
    assert "2 runs disagree" in finding["claim"]
    rows = [group[0]["index"] for group in finding["groups"]]
    assert len(set(rows) & set(flipped.tolist())) >= 7
    assert len(set(rows) & set(flipped.tolist())) >= 0.7 * len(rows)
    assert all(caption.startswith("looks like ") for caption in finding["captions"])
    assert (tmp_path / "f.png").stat().st_size > 1_000
    code, _, err = check(capsys, "digits", "--run", tmp_path / "runs")
    assert code == 2
    assert "data with other labels than digits" in err


def test_margins_are_said_to_be_left_out(tmp_path: Path, digits_results: Path) -> None:
    nablab.train("svc", "digits", fraction=0.2, out=tmp_path / "svc", progress=False)
    with pytest.raises(nablab.UserError, match="label-noise is not applicable"):
        nablab.check_data("digits", tmp_path / "svc", progress=False)
    checked = nablab.check_data("digits", [tmp_path / "svc", digits_results], progress=False)
    assert checked.notes == ("label-noise leaves svc out: their scores are margins, no probabilities",)
    assert "label-noise leaves svc out" in repr(checked)


def test_python_shows_itself(leaky: Path) -> None:
    checked = nablab.check_data(nablab.load(leaky), progress=False)
    assert checked.serious
    assert checked.has_images
    assert "serious  exact-leak" in repr(checked)
    assert "<td" in checked._repr_html_()
    assert [row[1] for row in checked.sheet()] == ["exact-leak", "contradictions"]
    with pytest.raises(nablab.UserError, match=r"ends in \.png"):
        checked.picture("found.pdf")
    with pytest.raises(nablab.UserError, match="no images to draw"):
        nablab.check_data("digits", progress=False).figure()
