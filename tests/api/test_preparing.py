"""`nablab.prepare`, `nablab.import_data` and their commands, as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nablab
from nablab.cli import main
from nablab.errors import UserError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with class folders in `photos` and a cache of its own."""
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = noise.integers(0, 256, (9, 9 + i % 2, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_what_is_prepared_is_used_by_its_folder(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "data", "prepare", "photos", "--size", "8", "--out", "small", "--quiet")
    assert (code, err) == (0, "")
    assert "20 of 3 x 8 x 8, uint8" in out
    assert "--data small" in out
    assert nablab.load("small").fingerprint == nablab.load("photos", size=8).fingerprint
    code, out, _ = run(capsys, "data", "show", "small", "--json")
    assert json.loads(out)["name"] == "photos"


def test_what_is_left_out_is_named(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(7):
        (photos / "photos" / "cat" / f"{i}.png").write_bytes(b"")
    code, out, _ = run(capsys, "data", "prepare", "photos", "--size", "8", "--out", "small", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["left out"] == "7 that cannot be read"
    assert said["notes"][0].startswith("left out: cat/0.png: cannot be read")
    assert said["notes"][-1] == "and 2 more, all of them in small/prepared.json"
    code, out, err = run(
        capsys, "data", "prepare", "photos", "--size", "8", "--out", "other", "--strict", "--quiet"
    )
    assert (code, out) == (2, "")
    assert "photos/cat/0.png: cannot be read" in err


def test_a_list_is_prepared_too(photos: Path) -> None:
    rows = [f"photos/{name}/{i}.png,{name}" for name in ("cat", "dog") for i in range(10)]
    Path("labels.csv").write_text("\n".join(["path,label", *rows]))
    done = nablab.prepare("labels.csv", out="small", size=8, progress=False)
    assert done.facts()["use it"] == "--data small"
    assert nablab.load("small").fingerprint == nablab.load("photos", size=8).fingerprint


def test_a_known_set_is_prepared_into_the_cache(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat", "dog"):
        for i in range(10):
            Image.new("L", (8, 8), i).save(f"{name}.{i}.jpg")
    code, out, err = run(capsys, "data", "prepare", "dogs-vs-cats", ".", "--color", "rgb", "--quiet")
    assert (code, err) == (0, "")
    assert "20 of 3 x 64 x 64" in out
    assert "--data dogs-vs-cats" in out
    assert nablab.load("dogs-vs-cats").input_shape == (3, 64, 64)
    with pytest.raises(UserError, match=r"dogs-vs-cats takes no size: only .*leave it out, or prepare"):
        nablab.load("dogs-vs-cats", size=8)


def test_import(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("X.npy", np.zeros((20, 8, 8), np.uint8))
    np.save("Y.npy", np.arange(20) % 2)
    code, out, err = run(capsys, "data", "import", "dogs-vs-cats", "X.npy", "Y.npy", "--quiet")
    assert (code, out.strip(), err) == (0, "dogs-vs-cats: 20 images of 8x8, grey, in the cache", "")
    assert nablab.import_data("Dogs-vs-Cats", photos) == "20 images of 8x8, grey, in the cache"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prepare", "photos"], "say where to write what is prepared, e.g. --out photos-prepared"),
        (["prepare", "photos", "small"], "leave small out, or say --out small"),
        (["prepare", "photos", "--out", "small"], "differ in size"),
        (["prepare", "photos", "--out", "small", "--size", "8", "--color", "gray"], "did you mean grey"),
        (
            ["prepare", "gone", "--out", "small"],
            "no folder or .csv 'gone', nor a set to prepare; known: dogs",
        ),
        (["prepare", "dog-vs-cats", "x"], "did you mean dogs-vs-cats"),
        (["prepare", "photos/cat/0.png", "--out", "small"], "expected a folder of class folders, or a .csv"),
        (["prepare", "dogs-vs-cats"], "say where its pictures are; get train.zip from https"),
        (["prepare", "dogs-vs-cats", "photos"], "holds no cat.0.jpg"),
        (["prepare", "dogs-vs-cats", "photos", "--out", "small"], "takes no out"),
        (["prepare", "dogs-vs-cats", "photos", "--group", "x"], "takes no group"),
        (["prepare", "digits", "photos"], "digits needs no preparing"),
        (["import", "nothing", "X.npy"], "no data set 'nothing'; known: "),
        (["import", "sign-digits"], "name the files to import: X.npy and Y.npy from https"),
        (["import", "fashion-mnist"], "import: those that `nablab data fetch fashion-mnist` would download"),
        (["import", "sign-digits", "gone.npy"], "no such file or folder: gone.npy"),
        (["import", "digits", "photos"], "digits needs no files of yours"),
        (["fetch", "sign-digits"], "sign-digits cannot be downloaded by a program; get X.npy"),
        (["show", "sign-digits-01"], "nablab data import sign-digits X.npy Y.npy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = run(capsys, "data", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_an_interruption_says_that_the_command_goes_on(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nablab.data.lots.read_picture", interrupted)
    code, out, err = run(capsys, "data", "prepare", "photos", "--size", "8", "--out", "small")
    assert (code, out) == (130, "")
    assert "interrupted after 0 of 20 pictures; the same command goes on from there" in err
