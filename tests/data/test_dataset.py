"""What `make_dataset` takes from a person's own arrays, and what it refuses in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.split import split
from nablab.errors import UserError

X = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
Y = np.arange(20) % 2


def made(x: Any = X, y: Any = Y, classes: Any = ("a", "b"), **options: Any) -> Dataset:
    return make_dataset("mine", x, y, x, y, classes, source="a test", **options)


@pytest.mark.parametrize("y", [Y.tolist(), Y.astype(np.float64), Y > 0, torch.from_numpy(Y)], ids=type)
def test_labels_of_any_kind_that_are_whole_numbers(y: Any) -> None:
    dataset = made(y=y)
    assert dataset.y_train.dtype == np.int64
    assert dataset.y_train.tolist() == Y.tolist()


@pytest.mark.parametrize("classes", [["cat", "dog"], np.array(["cat", "dog"])], ids=["list", "array"])
def test_names_of_classes_are_a_tuple_however_they_come(classes: Any) -> None:
    assert made(classes=classes).classes == ("cat", "dog")
    assert made(classes=range(2)).classes == ("0", "1")
    assert made(classes=classes).fingerprint == made(classes=("cat", "dog")).fingerprint


def test_tensors_are_arrays() -> None:
    dataset = made(torch.from_numpy(X))
    assert isinstance(dataset.x_train, np.ndarray)
    assert dataset.value_range == (0, 255)


def test_features_and_images_of_many_channels_are_taken() -> None:
    for shape in (
        (20, 64),
        (20, 1, 28, 28),
        (20, 22, 100, 1),
        (20, 512, 1, 1),
        (20, 4, 4, 3),
        (20, 13, 9, 9),
    ):
        assert made(np.zeros(shape, np.float32)).input_shape == shape[1:]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"y": np.eye(2)[Y]}, r"labels of shape \(20, 2\); .*y.argmax\(axis=1\)"),
        ({"y": Y[:, None]}, r"labels of shape \(20, 1\); .*y.ravel\(\)"),
        ({"y": Y + 0.5}, "labels of float64 are no whole numbers"),
        ({"y": np.where(Y > 0, np.nan, 0)}, "labels of float64 are no whole numbers"),
        ({"y": np.array(["a", "b"])[Y]}, "labels of <U1 are no whole numbers; number the classes from 0"),
        ({"classes": ("a", "a")}, "two classes have the same name"),
        ({"classes": ("a", "")}, "class 1 has no name to show"),
        ({"classes": (" ", "a")}, "class 0 has no name"),
        ({"x": np.zeros((20, 32, 32, 3), np.uint8)}, r"channels last; .*x.transpose\(0, 3, 1, 2\)"),
        ({"x": np.zeros((20, 32, 48, 4), np.uint8)}, "channels last"),
        ({"x": np.zeros((20, 28, 28, 1), np.uint8)}, "channels last"),
        (
            {"x": X.astype(np.float32), "value_range": (0, 1)},
            "training values go from 0 to 255, outside of value_range 0 to 1",
        ),
        ({"value_range": (255, 0)}, "value_range 255 to 0 is none"),
        ({"groups": np.arange(5)}, r"20 training samples, but groups \(5,\)"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        made(**options)
    assert "\n" not in str(caught.value)


def test_a_range_that_float32_rounds_is_a_range() -> None:
    x = np.full((20, 2), 0.1, np.float32)
    x[::2] = -0.1
    assert float(x.max()) > 0.1
    assert made(x, value_range=(-0.1, 0.1)).value_range == (-0.1, 0.1)


def test_groups_are_kept() -> None:
    parts = split(made(groups=np.arange(20) // 4), validation=0.5)
    assert not set(parts.train // 4) & set(parts.validation // 4)
