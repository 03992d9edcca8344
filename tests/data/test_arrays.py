"""NumPy files: every layout that is taken, and every fault named in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data import load
from nablab.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 7, 9)).astype(np.uint8)
LABELS = np.arange(50) % 5
COLOR = RNG.integers(0, 256, (50, 7, 9, 3)).astype(np.uint8)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def pair(path: Path, x: Any, y: Any, names: tuple[str, str] = ("X.npy", "Y.npy")) -> Path:
    for name, array in zip(names, (x, y), strict=True):
        np.save(path / name, array)
    return path


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (IMAGES, (1, 7, 9)),
        (IMAGES[..., None], (1, 7, 9)),
        (IMAGES[:, None], (1, 7, 9)),
        (COLOR, (3, 7, 9)),
        (COLOR.transpose(0, 3, 1, 2), (3, 7, 9)),
        (IMAGES.reshape(50, 63), (63,)),
        (RNG.random((50, 3, 3, 3)), (3, 3, 3)),
    ],
    ids=["grey", "channel last", "channel first", "colour last", "colour first", "features", "a cube"],
)
def test_layouts(tmp_path: Path, x: np.ndarray, shape: tuple[int, ...]) -> None:
    dataset = load(npz(tmp_path, X=x, y=LABELS))
    assert dataset.input_shape == shape
    assert len(dataset.x_train) == 40
    assert np.bincount(dataset.y_test).tolist() == [2] * 5
    assert dataset.x_train.flags.c_contiguous


def test_channels_last_are_turned_and_not_reshaped(tmp_path: Path) -> None:
    dataset = load(npz(tmp_path, X=COLOR, y=LABELS, X_test=COLOR, y_test=LABELS))
    for channel in range(3):
        np.testing.assert_array_equal(dataset.x_train[:, channel], COLOR[..., channel])


@pytest.mark.parametrize(
    "y",
    [LABELS, LABELS[:, None], LABELS.astype(np.float64), np.eye(5)[LABELS], np.eye(5, dtype=bool)[LABELS]],
    ids=["whole", "column", "floats", "one-hot", "one-hot truth"],
)
def test_labels(tmp_path: Path, y: np.ndarray) -> None:
    dataset = load(npz(tmp_path, X=IMAGES, y=y, X_test=IMAGES, y_test=y))
    np.testing.assert_array_equal(dataset.y_train, LABELS)
    assert dataset.classes == ("0", "1", "2", "3", "4")


def test_truth_values_are_two_classes(tmp_path: Path) -> None:
    assert load(npz(tmp_path, X=IMAGES, y=LABELS > 2)).classes == ("0", "1")


def test_names_as_labels_and_names_of_classes(tmp_path: Path) -> None:
    names = np.array(["cat", "dog", "ant", "bee", "cow"])
    test = np.array(["dog", "cow"])
    dataset = load(npz(tmp_path, X=IMAGES, y=names[LABELS], X_test=IMAGES[:2], y_test=test))
    assert dataset.classes == ("ant", "bee", "cat", "cow", "dog")
    assert [dataset.classes[label] for label in dataset.y_train] == names[LABELS].tolist()
    assert [dataset.classes[label] for label in dataset.y_test] == ["dog", "cow"]
    assert load(npz(tmp_path, X=IMAGES, y=LABELS, classes=names)).classes == tuple(names)


def test_names_as_labels_are_in_the_order_of_classes(tmp_path: Path) -> None:
    order = np.array(["low", "middle", "high", "highest", "out"])
    dataset = load(
        npz(tmp_path, X=IMAGES, y=order[LABELS], X_test=IMAGES, y_test=order[LABELS], classes=order)
    )
    assert dataset.classes == tuple(order)
    np.testing.assert_array_equal(dataset.y_train, LABELS)
    np.testing.assert_array_equal(dataset.y_test, LABELS)
    folder = pair(tmp_path, IMAGES, order[LABELS])
    (folder / "classes.txt").write_text("\n".join(order))
    assert load(folder).classes == tuple(order)


@pytest.mark.parametrize(
    ("x", "dtype", "value_range"),
    [
        (IMAGES, np.uint8, (0, 255)),
        (IMAGES.astype(np.int64), np.uint8, None),
        (IMAGES > 100, np.uint8, (0, 1)),
        (IMAGES / 255, np.float32, None),
        (IMAGES.astype(np.int32) - 128, np.float32, None),
        (IMAGES.astype(">f8"), np.float32, None),
    ],
    ids=["bytes", "whole numbers", "truth", "floats", "negative", "big-endian"],
)
def test_types_of_values(
    tmp_path: Path, x: np.ndarray, dtype: type, value_range: tuple[int, int] | None
) -> None:
    dataset = load(npz(tmp_path, X=x, y=LABELS, X_test=x, y_test=LABELS))
    assert dataset.x_train.dtype == dtype
    np.testing.assert_allclose(dataset.x_train[:, 0], x.astype(np.float64), atol=1e-6)
    expected = value_range or (x.min(), x.max())
    assert dataset.value_range == pytest.approx(expected, abs=1e-6)


MORE, TEST = COLOR[:20], COLOR[:15]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        (("X", "Y"), ("X_val", "Y_val"), ("X_test", "Y_test")),
        (("x_train", "y_train"), ("x_valid", "y_valid"), ("x_test", "y_test")),
        (("X_train", "Y_train"), ("X_validation", "Y_validation"), ("X_test", "Y_test")),
        (("train_images", "train_labels"), ("val_images", "val_labels"), ("test_images", "test_labels")),
    ],
    ids=["ours", "Keras", "in capitals", "MedMNIST"],
)
def test_names_that_others_give(
    tmp_path: Path, train: tuple[str, str], validation: tuple[str, str], test: tuple[str, str]
) -> None:
    arrays = {train[0]: COLOR, train[1]: LABELS[:, None].astype(np.uint8)}
    arrays |= {validation[0]: MORE, validation[1]: 4 - LABELS[:20, None].astype(np.uint8)}
    arrays |= {test[0]: TEST, test[1]: LABELS[:15, None].astype(np.uint8)}
    dataset = load(npz(tmp_path, **arrays))
    np.testing.assert_array_equal(dataset.x_train, np.concatenate([COLOR, MORE]).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(dataset.y_train, [*LABELS, *(4 - LABELS[:20])])
    np.testing.assert_array_equal(dataset.x_test, TEST.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(dataset.y_test, LABELS[:15])


def test_a_bunch_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits, load_wine

    wine, digits = load_wine(), load_digits()
    np.savez(tmp_path / "wine.npz", **wine)
    dataset = load(tmp_path / "wine.npz")
    assert dataset.classes == ("class_0", "class_1", "class_2")
    together = np.concatenate([dataset.x_train, dataset.x_test]), np.append(dataset.y_train, dataset.y_test)
    ours = sorted((*row, label) for row, label in zip(*together, strict=True))
    theirs = sorted(
        (*row, label) for row, label in zip(wine.data.astype(np.float32), wine.target, strict=True)
    )
    assert ours == theirs
    np.savez(tmp_path / "digits.npz", **digits)
    assert load(tmp_path / "digits.npz").input_shape == (64,)


@pytest.mark.parametrize("names", [("X.npy", "Y.npy"), ("x.npy", "y.npy"), ("X.NPY", "y.npy")])
def test_a_pair_by_its_folder_or_by_either_file(tmp_path: Path, names: tuple[str, str]) -> None:
    folder = tmp_path / "signs"
    folder.mkdir()
    for name, array in zip(names, (IMAGES / 255, np.eye(5)[LABELS]), strict=True):
        with (folder / name).open("wb") as file:
            np.save(file, array)
    dataset = load(folder)
    assert dataset.name == "signs"
    assert dataset.x_train.dtype == np.float32
    assert load(folder / names[0]).fingerprint == load(folder / names[1]).fingerprint == dataset.fingerprint
    assert str(tmp_path) not in dataset.source


WITH_NAN = np.where(np.arange(50)[:, None, None] == 7, np.nan, IMAGES / 255)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"X": IMAGES}, "holds X; expected samples with their labels: X with y, x_train with y_train, "),
        ({"a": IMAGES}, "holds a; expected samples"),
        ({"X": IMAGES, "y": LABELS, "data": IMAGES, "target": LABELS}, "X with y, and also data with target"),
        ({"x_train": IMAGES, "y_train": LABELS[:-1]}, "x_train has 50 samples, y_train 49 labels"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "y_val": LABELS},
            "x_val and y_val belong together, and only y",
        ),
        (
            {"train_images": IMAGES, "train_labels": LABELS, "val_images": COLOR, "val_labels": LABELS},
            r"train_images is uint8 \(50, 7, 9\), val_images uint8 \(50, 7, 9, 3\); both train",
        ),
        (
            {"train_images": IMAGES, "train_labels": np.ones((50, 14), np.uint8)},
            "train_labels: label row 0 is not one-hot",
        ),
        ({"X": IMAGES, "y": LABELS[:-1]}, "X has 50 samples, y 49 labels"),
        ({"X": IMAGES, "y": LABELS, "X_test": IMAGES}, "belong together, and only X_test is there"),
        (
            {"X": IMAGES, "y": LABELS, "X_test": IMAGES, "y_test": LABELS[:3]},
            "X_test has 50 samples, y_test 3",
        ),
        (
            {"X": IMAGES, "y": LABELS, "X_test": IMAGES, "y_test": LABELS + 1},
            "test label 5 at position 4 is out",
        ),
        ({"X": IMAGES, "y": LABELS - 1}, "label -1 at position 0 is negative"),
        ({"X": IMAGES, "y": LABELS + 1}, "labels go from 1 to 5; number the classes from 0: y - 1"),
        ({"X": IMAGES, "y": LABELS + 2}, "class '0' has no training sample"),
        (
            {"X": IMAGES, "y": LABELS + 1, "X_test": IMAGES, "y_test": LABELS},
            "class '0' has no training sample",
        ),
        (
            {"X": IMAGES, "y": np.where(LABELS == 4, 99, LABELS)},
            "class '4' has no training sample, but labels go to 99",
        ),
        (
            {"X": IMAGES, "y": np.where(LABELS == 4, 10**6, LABELS)},
            "label 1000000 at position 4 is out of range",
        ),
        ({"X": IMAGES, "y": LABELS + 0.5}, "label 0.5 at position 0 is not a whole number"),
        ({"X": IMAGES, "y": np.where(LABELS == 1, np.nan, LABELS)}, "label nan at position 1"),
        ({"X": IMAGES, "y": np.ones((50, 3))}, "label row 0 is not one-hot"),
        ({"X": IMAGES, "y": np.eye(5)[LABELS] * 0.5}, "label row 0 is not one-hot"),
        ({"X": IMAGES, "y": np.zeros((50, 2, 2))}, r"labels of shape \(50, 2, 2\)"),
        ({"X": IMAGES, "y": LABELS * 0}, "one class; a classifier needs two"),
        ({"X": IMAGES, "y": LABELS, "classes": ["a", "b"]}, "label 2 at position 2 is out of range"),
        ({"X": IMAGES, "y": LABELS, "classes": ["a"] * 5}, "classes must be a list of different names"),
        (
            {"X": IMAGES, "y": LABELS.astype(str), "classes": list("01235")},
            "'4' is in y alone; classes must name the labels",
        ),
        (
            {"X": IMAGES, "y": LABELS.astype(str), "classes": list("012345")},
            "'5' is in classes alone; classes must name the labels",
        ),
        ({"X": IMAGES, "y": LABELS * 1j}, "labels of type complex128"),
        ({"X": IMAGES * 1j, "y": LABELS}, "values are complex128"),
        ({"X": np.full(50, "a"), "y": LABELS}, "values are <U1"),
        ({"X": WITH_NAN, "y": LABELS}, "NaN or infinity"),
        ({"X": np.where(np.isnan(WITH_NAN), 1e300, 1.0), "y": LABELS}, "NaN or infinity"),
        ({"X": LABELS, "y": LABELS}, r"X: shape \(50,\); expected features"),
        ({"X": IMAGES[:, :0], "y": LABELS}, r"X: shape \(50, 0, 9\)"),
        ({"X": np.zeros((50, 7, 7, 7)), "y": LABELS}, "neither first nor last 1 to 4 channels"),
        ({"X": IMAGES[:4], "y": LABELS[:4]}, "too few samples to cut a test set off"),
        ({"X": IMAGES, "y": LABELS, "X_test": IMAGES[:, 1:], "y_test": LABELS}, "bring them to one size"),
        (
            {"X": IMAGES, "y": LABELS.astype(str), "X_test": IMAGES, "y_test": LABELS},
            "both be numbers or both be",
        ),
        (
            {"X": IMAGES, "y": LABELS.astype(str), "X_test": IMAGES[:1], "y_test": ["7"]},
            "'7' does not occur in y",
        ),
    ],
)
def test_faults_are_named_in_one_line(tmp_path: Path, arrays: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        load(npz(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path: Path) -> None:
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.zeros(2), np.zeros(3)]
    np.save(tmp_path / "X.npy", ragged, allow_pickle=True)
    np.save(tmp_path / "Y.npy", LABELS)
    with pytest.raises(UserError, match=r"X.npy: holds Python objects \(pickle\), which could run code"):
        load(tmp_path)
    np.savez(tmp_path / "data.npz", X=ragged, y=LABELS)
    with pytest.raises(UserError, match=r"data.npz: X: holds Python objects"):
        load(tmp_path / "data.npz")
    np.savez(tmp_path / "data.npz", X=IMAGES, y=LABELS.astype(str).astype(object))
    with pytest.raises(UserError, match=r"data.npz: y: holds Python objects .*names as names.astype\(str\)"):
        load(tmp_path / "data.npz")


def test_files_that_are_broken_or_something_else(tmp_path: Path) -> None:
    whole = npz(tmp_path, X=IMAGES, y=LABELS).read_bytes()
    for contents in (b"", b"junk", whole[:200], whole[: len(whole) // 2], whole[:500] + b"x" + whole[501:]):
        (tmp_path / "data.npz").write_bytes(contents)
        with pytest.raises(UserError, match="not a readable NumPy file"):
            load(tmp_path / "data.npz")
    (tmp_path / "table.txt").write_text("1,2")
    with pytest.raises(
        UserError, match=r"not a folder of pictures, a .csv, a .npz file or an X.npy with its"
    ):
        load(tmp_path / "table.txt")
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"photos.zip: an archive; unpack it, and give the folder"):
        load(tmp_path / "photos.zip")
    np.save(tmp_path / "X.npy", IMAGES)
    with pytest.raises(UserError, match=r"needs both X.npy and Y.npy"):
        load(tmp_path / "X.npy")
    (tmp_path / "data.npz").write_bytes((tmp_path / "X.npy").read_bytes())
    with pytest.raises(UserError, match=r"not a \.npz archive"):
        load(tmp_path / "data.npz")


def test_a_header_that_announces_more_than_there_is(tmp_path: Path) -> None:
    pair(tmp_path, IMAGES, LABELS)
    x = tmp_path / "X.npy"
    for shape in (b"(9999999999999, 7, 9)", b"(60, 7, 9)"):
        contents = (tmp_path / "Y.npy").read_bytes()
        np.save(x, IMAGES)
        contents = (
            x.read_bytes().replace(b"(50, 7, 9)", shape).replace(b" " * (len(shape) - 10) + b"\n", b"\n")
        )
        x.write_bytes(contents)
        with pytest.raises(UserError, match=r"X.npy: (not a readable|announces more)"):
            load(tmp_path)
