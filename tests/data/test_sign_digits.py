"""Sign-language digits: the columns put right, values kept as they are, other files refused."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from nablab.data import load
from nablab.data.sources import SOURCES
from nablab.data.sources.brought import storage_of
from nablab.errors import UserError

Floats = NDArray[np.floating]

#: Column 0 of Kaggle's Y.npy is the sign for 9, column 1 that for 0, and so on.
KAGGLE = (9, 0, 7, 6, 1, 8, 4, 3, 2, 5)
#: Rows of Kaggle's files, in which the images of a column follow those of the column before. By slices that
#: many published notebooks take: x_9 = X[:204], x_0 = X[204:409], x_7 = X[409:615], x_6 = X[615:822],
#: x_1 = X[822:1028], x_8 = X[1028:1236], x_4 = X[1236:1443], x_3 = X[1443:1649], x_2 = X[1649:1855].
BOUNDS = (0, 204, 409, 615, 822, 1028, 1236, 1443, 1649, 1855, 2062)


def kaggle(kind: type = np.float32) -> tuple[Floats, Floats]:
    """Files like Kaggle's, in which the brightness of an image says what digit it is: 25 times that."""
    y = np.zeros((2062, 10))
    x = np.zeros((2062, 64, 64), dtype=kind)
    for column, digit in enumerate(KAGGLE):
        rows = slice(BOUNDS[column], BOUNDS[column + 1])
        y[rows, column] = 1
        x[rows] = np.array(25 * digit, dtype=kind) / np.array(255, dtype=kind)
    x[:, 0, 0] = (np.arange(2062) % 256).astype(kind) / kind(255)  # no two neighbours are alike
    return x, y


def save(folder: Path, x: NDArray[np.generic], y: NDArray[np.generic]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "X.npy", x)
    np.save(folder / "Y.npy", y)
    return [folder / "X.npy", folder / "Y.npy"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_class_k_is_the_sign_for_k(tmp_path: Path) -> None:
    assert SOURCES["sign-digits"].take_in(save(tmp_path, *kaggle())) == "all of it, in the cache"
    dataset = load("sign-digits")
    assert dataset.classes == tuple("0123456789")
    assert dataset.input_shape == (1, 64, 64)
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        np.testing.assert_array_equal(x[:, 0, 5, 5], 25 * y)
    counts = np.bincount(dataset.y_train) + np.bincount(dataset.y_test)
    assert counts.tolist() == [205, 206, 206, 206, 207, 207, 207, 206, 208, 204]
    assert len(dataset.x_test) == pytest.approx(2062 / 5, abs=5)


def test_zero_and_one_are_columns_1_and_4_on_the_same_sides(tmp_path: Path) -> None:
    x, y = kaggle()
    SOURCES["sign-digits-01"].take_in(save(tmp_path, x, y))
    whole, two = load("sign-digits"), load("sign-digits-01")
    assert two.classes == ("0", "1")
    assert len(two.x_train) + len(two.x_test) == int(y[:, [1, 4]].sum()) == 411
    for part in ("train", "test"):
        images, labels = getattr(whole, f"x_{part}"), getattr(whole, f"y_{part}")
        np.testing.assert_array_equal(getattr(two, f"x_{part}"), images[labels < 2])
        np.testing.assert_array_equal(getattr(two, f"x_{part}")[:, 0, 5, 5], 25 * getattr(two, f"y_{part}"))


def test_columns_in_the_order_of_digits_are_known_by_their_numbers(tmp_path: Path) -> None:
    x, y = kaggle()
    in_order = np.empty_like(y)
    in_order[:, list(KAGGLE)] = y  # what the makers' own program writes today
    SOURCES["sign-digits"].take_in(save(tmp_path, x, in_order))
    np.testing.assert_array_equal(load("sign-digits").x_train[:, 0, 5, 5], 25 * load("sign-digits").y_train)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_that_were_bytes_are_stored_as_bytes(tmp_path: Path, kind: type) -> None:
    x, y = kaggle(kind)
    SOURCES["sign-digits"].take_in(save(tmp_path, x, y))
    dataset = load("sign-digits")
    assert dataset.x_train.dtype == np.uint8
    assert dataset.value_range == (0, 255)
    assert "uint8" in dataset.source
    stored = np.concatenate([dataset.x_train, dataset.x_test])[:, 0]
    assert sorted(map(bytes, stored)) == sorted(map(bytes, np.rint(x * 255).astype(np.uint8)))


def test_values_that_never_were_bytes_stay_floats(tmp_path: Path) -> None:
    x, y = kaggle()
    x[1000, 3, 4] = 0.5  # 127.5 / 255
    SOURCES["sign-digits"].take_in(save(tmp_path, x, y))
    dataset = load("sign-digits")
    assert dataset.x_train.dtype == np.float32
    assert dataset.value_range == (0, 1)
    stored = np.concatenate([dataset.x_train, dataset.x_test])[:, 0]
    assert sorted(map(bytes, stored)) == sorted(map(bytes, x))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bytes_are_told_from_floats_by_their_rounding(kind: type) -> None:
    shares = np.arange(256).astype(kind) / kind(255)
    for values in (shares, 1 - shares, 1 - (1 - shares)):  # makers store one less the value
        storage = storage_of(values.reshape(-1, 1), "X")
        assert storage.dtype == "uint8"
        np.testing.assert_array_equal(storage.stored(values), np.rint(values * 255))
    for near in (shares + kind(1e-6), shares * kind(0.999), np.full(3, 0.3, kind)):
        assert storage_of(near.reshape(-1, 1), "X").dtype == "float32"


def test_other_numbers() -> None:
    for values, dtype, limits in (
        (np.array([[0.0, 255.0], [7.0, 3.0]]), "uint8", (0, 255)),
        (np.array([[0, 200]], np.int64), "uint8", (0, 255)),
        (np.array([[False, True]]), "uint8", (0, 255)),
        (np.array([[0, 300]], np.uint16), "float32", (0, 300)),
        (np.array([[-0.5, 0.5]]), "float32", (-0.5, 0.5)),
        (np.array([[0.1, 0.7]]), "float32", (0, 1)),
    ):
        storage = storage_of(values, "X")
        assert (storage.dtype, storage.value_range) == (dtype, limits)
        np.testing.assert_allclose(storage.stored(values), values, rtol=1e-6)
    with pytest.raises(UserError, match="X: holds NaN or infinity"):
        storage_of(np.array([[0.0], [np.nan]]), "X")
    with pytest.raises(UserError, match="X: values are"):
        storage_of(np.array([["a"]]), "X")


@pytest.mark.parametrize("way", ["swapped", "folder", "zip", "renamed"])
def test_ways_to_bring_them(tmp_path: Path, way: str, cache: Path) -> None:
    x, y = kaggle()
    x_path, y_path = save(tmp_path / "Sign-language-digits-dataset", x, y)
    files = {"swapped": [y_path, x_path], "folder": [tmp_path], "zip": [tmp_path / "archive.zip"]}.get(
        way, []
    )
    if way == "zip":
        with zipfile.ZipFile(files[0], "w", zipfile.ZIP_DEFLATED) as archive:
            for path in (x_path, y_path):
                archive.write(path, path.relative_to(tmp_path))
            archive.writestr("Examples/example_0.JPG", b"a picture")
    if way == "renamed":
        files = [x_path.rename(tmp_path / "X (1).npy"), y_path.rename(tmp_path / "Y (1).npy")]
    SOURCES["sign-digits"].take_in(files)
    assert len(load("sign-digits").x_train) + len(load("sign-digits").x_test) == 2062
    assert os.listdir(cache) == ["sign-digits"]  # what was unpacked is gone


@pytest.mark.parametrize(
    ("complaint", "change"),
    [
        (r"X\.npy: shape \(2000, 64, 64\); the .* are \(2062, 64, 64\)", lambda x, y: (x[:2000], y)),
        (r"Y\.npy: shape \(2000, 10\); the labels .* \(2062, 10\)", lambda x, y: (x, y[:2000])),
        (r"Y\.npy: shape \(2062,\)", lambda x, y: (x, y.argmax(axis=1))),
        (r"Y\.npy: label row 0 is not one-hot", lambda x, y: (x, y * 0)),
        (r"Y\.npy: label row 204 is not one-hot", lambda x, y: (x, np.where(y[:, 1:2] == 1, 1, y))),
        ("has 205, 204, 206, 207, .* images by column", lambda x, y: (x, y[:, [1, 0, *range(2, 10)]])),
        (r"X\.npy: values from -0\.\d+ to 0\.\d+", lambda x, y: (x - np.float32(0.123), y)),
        (r"X\.npy: holds NaN", lambda x, y: (np.where(x == x.max(), np.float32(np.nan), x), y)),
        (r"X\.npy: values are <U1", lambda x, y: (np.full((2062, 64, 64), "a"), y)),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, complaint: str, change: Callable[[Floats, Floats], tuple[Floats, Floats]]
) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        SOURCES["sign-digits"].take_in(save(tmp_path, *change(*kaggle())))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="sign-digits is not here"):
        load("sign-digits")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    source = SOURCES["sign-digits"]
    with pytest.raises(UserError, match=r"no such file or folder: .*gone\.npy"):
        source.take_in([tmp_path / "gone.npy"])
    with pytest.raises(
        UserError, match=r"found no X\.npy with its Y\.npy; expected X\.npy and Y\.npy from https"
    ):
        source.take_in([tmp_path])
    (tmp_path / "archive.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"archive\.zip"):
        source.take_in([tmp_path / "archive.zip"])
    (tmp_path / "X.npy").write_bytes(b"no array")
    (tmp_path / "Y.npy").write_bytes(b"no array")
    with pytest.raises(UserError, match=r"npy: not a readable NumPy file"):
        source.take_in([tmp_path])


def test_a_second_import_takes_the_place_of_the_first(tmp_path: Path) -> None:
    x, y = kaggle()
    SOURCES["sign-digits"].take_in(save(tmp_path, x, y))
    first = load("sign-digits")
    SOURCES["sign-digits"].take_in(save(tmp_path, 1 - x, y))
    second = load("sign-digits")
    np.testing.assert_array_equal(second.x_train, 255 - first.x_train)
    assert (first.x_train[:, 0, 5, 5] == 25 * first.y_train).all()  # it is still mapped, as it was


def test_the_guide_says_how_to_get_the_courses_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "data.md").read_text(encoding="utf-8")
    code = next(part for part in guide.split("```python")[1:] if "train_test_split" in part).split("```")[0]
    x, y = kaggle()
    save(tmp_path, x, y)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    dataset = names["data"]
    assert (len(dataset.x_train), len(dataset.x_test)) == (1649, 413)
    assert dataset.input_shape == (1, 64, 64)
    for images, digits in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        np.testing.assert_array_equal(np.rint(255 * images[:, 0, 5, 5]), 25 * digits)
    order, _ = train_test_split(np.arange(2062), test_size=0.2, random_state=42)
    np.testing.assert_array_equal(dataset.x_train[:, 0], x[order])
