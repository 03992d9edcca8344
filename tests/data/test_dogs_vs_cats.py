"""Dogs and cats, on a folder drawn like Kaggle's: classes by file name, from a folder or a zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nablab.data import load
from nablab.data.prepare import UNFINISHED
from nablab.data.sources import SOURCES, dogs_vs_cats
from nablab.data.sources.dogs_vs_cats import prepare
from nablab.errors import UserError


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train` with 200 pictures of several sizes: cats reddish, dogs bluish, brighter by number."""
    folder = tmp_path_factory.mktemp("kaggle") / "train"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(100):
        for name, channel in (("cat", 0), ("dog", 2)):
            pixels = noise.integers(0, 40, (30 + number % 7, 40 - number % 5, 3))
            pixels[..., channel] += 60 + number
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.{number}.jpg", quality=95)
    (folder / ".DS_Store").write_bytes(b"left by another system")
    return folder.parent


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_classes_go_by_the_names_of_files(kaggle: Path) -> None:
    done = prepare(kaggle, size=16, color="rgb")
    assert (done.shape, done.train, done.left_out) == ((200, 3, 16, 16), 160, ())
    dataset = load("dogs-vs-cats")
    assert dataset.classes == ("cat", "dog")
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        means = x.mean(axis=(2, 3))
        np.testing.assert_array_equal(means[:, 2] > means[:, 0], y == 1)
        for label in (0, 1):  # within a class by number, not by name: 2 before 10
            bright = means[y == label, 2 * label]
            assert (np.diff(bright) > -1.5).all()
    assert SOURCES["dogs-vs-cats"].available() == "200 images of 16x16, rgb, in the cache"


def test_grey_of_64_pixels_is_the_default_and_pillows_cubic_resize(kaggle: Path) -> None:
    assert prepare(kaggle / "train").shape == (200, 1, 64, 64)
    dataset = load("dogs-vs-cats")
    stored = np.concatenate([dataset.x_train, dataset.x_test])[:, 0]
    expected = [
        np.asarray(Image.open(path).convert("L").resize((64, 64), Image.Resampling.BICUBIC))
        for path in (kaggle / "train").glob("*.jpg")
    ]
    assert sorted(map(bytes, stored)) == sorted(map(bytes, expected))


@pytest.mark.parametrize("nested", [False, True])
def test_the_archive_gives_what_the_folder_gives(
    kaggle: Path, tmp_path: Path, cache: Path, nested: bool
) -> None:
    prepare(kaggle, size=8)
    expected = load("dogs-vs-cats").fingerprint
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for picture in (kaggle / "train").glob("*.jpg"):
            archive.write(picture, f"train/{picture.name}")
    if nested:
        with zipfile.ZipFile(tmp_path / "dogs-vs-cats.zip", "w") as archive:
            archive.write(path, "train.zip")
            archive.writestr("sampleSubmission.csv", "id,label\n1,0\n")
        path.unlink()
        path = tmp_path / "dogs-vs-cats.zip"
    told: list[str] = []
    prepare(path, size=8, progress=lambda name, done, total: told.append(name))
    assert load("dogs-vs-cats").fingerprint == expected
    assert "pictures in train" in told
    assert {entry.name for entry in (cache / "dogs-vs-cats").iterdir()} == {
        "X.npy",
        "Y.npy",
        "prepared.json",
    }


def test_an_interrupted_archive_is_not_unpacked_again(
    kaggle: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for picture in (kaggle / "train").glob("*.jpg"):
            archive.write(picture, f"train/{picture.name}")

    def interrupt(name: str, done: int, total: int) -> None:
        if name == "pictures in train" and done >= 128:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        prepare(path, size=8, progress=interrupt)
    assert len(list((cache / "dogs-vs-cats" / UNFINISHED).glob("*.npz"))) >= 2
    monkeypatch.setattr(dogs_vs_cats, "unpack", None)
    assert prepare(path, size=8).shape == (200, 1, 8, 8)


def test_a_broken_picture_is_left_out_or_fatal(kaggle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    for picture in sorted((kaggle / "train").glob("*.?.jpg")):
        (folder / picture.name).write_bytes(picture.read_bytes())
    (folder / "dog.3.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    done = prepare(folder, size=8)
    assert done.shape[0] == 19
    assert [file for file, _ in done.left_out] == ["dog.3.jpg"]
    with pytest.raises(UserError, match=r"train/dog\.3\.jpg: cannot be read"):
        prepare(folder, size=8, strict=True)
    assert len(load("dogs-vs-cats").x_train) == done.train  # what was prepared before is still there


def test_folders_without_such_pictures(tmp_path: Path) -> None:
    (tmp_path / "Cat").mkdir()
    with pytest.raises(UserError, match=r"holds no cat\.0\.jpg, dog\.0\.jpg.*nablab data prepare FOLDER"):
        prepare(tmp_path)
    with pytest.raises(UserError, match=r"no such file or folder: .*gone"):
        prepare(tmp_path / "gone")
    (tmp_path / "train.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"train\.zip"):
        prepare(tmp_path)
    Image.new("L", (4, 4)).save(tmp_path / "cat.0.jpg")
    with pytest.raises(UserError, match="class 'dog' has no picture to train on"):
        prepare(tmp_path)


@pytest.mark.parametrize(
    ("shape", "stored"),
    [
        ((40, 64, 64), (1, 64, 64)),
        ((40, 8, 8, 1), (1, 8, 8)),
        ((40, 8, 9, 3), (3, 8, 9)),
        ((40, 3, 8, 9), (3, 8, 9)),
    ],
)
@pytest.mark.parametrize("one_hot", [False, True])
def test_arrays_that_others_made(
    tmp_path: Path, shape: tuple[int, ...], stored: tuple[int, ...], one_hot: bool
) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(40) % 2
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "Y.npy", np.eye(2)[labels] if one_hot else labels)
    said = SOURCES["dogs-vs-cats"].take_in([tmp_path / "X.npy", tmp_path / "Y.npy"])
    assert said.startswith("40 images of ")
    dataset = load("dogs-vs-cats")
    assert dataset.input_shape == stored
    as_given = x if x.ndim == 4 and x.shape[1] == 3 else x.reshape(*x.shape[:3], -1).transpose(0, 3, 1, 2)
    both = {bytes(image): int(label) for image, label in zip(as_given, labels, strict=True)}
    for images, numbers in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert [both[image.tobytes()] for image in images] == numbers.tolist()


@pytest.mark.parametrize(
    ("x", "y", "complaint"),
    [
        (np.zeros((40, 8, 8)), np.arange(39) % 2, "has 40 images, Y.npy 39 labels"),
        (np.zeros((40, 64)), np.arange(40) % 2, r"shape \(40, 64\); expected images"),
        (np.zeros((40, 8, 8, 7)), np.arange(40) % 2, r"shape \(40, 8, 8, 7\); expected images"),
        (np.zeros((40, 8, 8)), np.arange(40) % 3, "label 2 at position 2 is out of range"),
        (np.zeros((40, 8, 8)), np.zeros(40), "class 'dog' has no training sample"),
        (np.zeros((40, 8, 8)), np.array(["cow", "dog"] * 20), "labels are cow, dog; expected cat and dog"),
        (np.full((40, 8, 8), np.inf), np.arange(40) % 2, "holds NaN or infinity"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, x: np.ndarray, y: np.ndarray, complaint: str) -> None:
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "Y.npy", y)
    with pytest.raises(UserError, match=complaint):
        SOURCES["dogs-vs-cats"].take_in([tmp_path])
