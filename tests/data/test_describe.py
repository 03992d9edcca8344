"""The summary of a data set against counting by hand and NumPy's moments."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nablab.data import augment, describe, load, preprocess
from nablab.data import dataset as dataset_module
from nablab.data.dataset import make_dataset
from nablab.data.describe import MOST_CLASSES, ClassCount, sample_points, summary
from nablab.data.samples import LazyRows, blocks
from nablab.errors import UserError

X = np.random.default_rng(0).integers(3, 250, (7, 3, 2, 4)).astype(np.uint8)
Y = np.array([0, 1, 0, 0, 1, 0, 2])


def test_images() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2, 2])
    dataset = make_dataset(
        "tiny", X, Y, X[:2], Y[:2], ("a", "b", "c"), source="here", groups=groups, licence="free"
    )
    said = summary(dataset, examples=2)
    assert said.classes == (ClassCount("a", 4, 1), ClassCount("b", 2, 1), ClassCount("c", 1, 0))
    assert (said.train, said.train_total, said.test, said.test_total) == (7, 7, 2, 2)
    assert (said.input_shape, said.dtype, said.value_range) == ((3, 2, 4), "uint8", (0.0, 255.0))
    assert (said.name, said.source, said.licence, said.hint, said.groups) == ("tiny", "here", "free", "", 3)
    np.testing.assert_allclose(said.mean, X.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(said.deviation, X.std(axis=(0, 2, 3)))
    assert said.fingerprint == dataset.fingerprint
    assert said.seen == (X.min(), X.max())
    assert said.points is None
    assert said.pictures is not None
    examples = said.pictures.examples
    np.testing.assert_array_equal(examples[0], X[[0, 2]])
    np.testing.assert_array_equal(examples[1], X[[1, 4]])
    np.testing.assert_array_equal(examples[2, 0], X[6])
    assert (examples[2, 1] == 0).all()
    for label, mean in enumerate(said.pictures.means):
        np.testing.assert_allclose(mean, X[label == Y].mean(axis=0), rtol=1e-6)
    assert said.pictures.augmented is None


def test_means_do_not_depend_on_the_blocks_they_are_summed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load("digits")
    whole = summary(digits)
    monkeypatch.setattr(describe, "blocks", partial(blocks, numbers=100))
    parts = summary(digits)
    assert whole.pictures is not None
    assert parts.pictures is not None
    np.testing.assert_allclose(parts.pictures.means, whole.pictures.means, rtol=1e-6)
    assert parts.seen == whole.seen == (0, 16)


def test_large_data_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in a file are never all in memory: what is asked for is counted."""
    x = np.random.default_rng(0).integers(0, 256, (400, 1, 8, 8)).astype(np.uint8)
    y = np.arange(400) % 3
    lazy = LazyRows(x, np.arange(400), np.dtype(np.uint8))
    most = 0
    read = LazyRows._read

    def counted(self: LazyRows, rows: NDArray[np.int64]) -> NDArray[np.generic]:
        nonlocal most
        most = max(most, len(rows))
        return read(self, rows)

    monkeypatch.setattr(LazyRows, "_read", counted)
    for module in (describe, preprocess, dataset_module):
        monkeypatch.setattr(module, "blocks", partial(blocks, numbers=64 * 50))
    dataset = make_dataset("large", lazy, y, x[:3], y[:3], ("a", "b", "c"), source="here")
    said = summary(dataset)
    assert said.pictures is not None
    np.testing.assert_allclose(said.pictures.means[1], x[y == 1].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(said.mean, x.mean(), rtol=1e-9)
    assert 0 < most <= 50


def test_augmented_examples_are_those_images_augmented() -> None:
    digits = load("digits")
    said = summary(digits, examples=3, augmentation="shift:1,flip", seed=7).pictures
    assert said is not None
    assert said.augmented is not None
    assert said.augmentation == "flip,shift:1"
    flat = said.examples.reshape(-1, 1, 8, 8)
    changes = augment.parse("flip,shift:1", (1, 8, 8), digits.value_range)
    expected = changes.apply(flat, seed=7, epoch=0, positions=np.arange(30))
    np.testing.assert_array_equal(said.augmented.reshape(expected.shape), expected)
    with pytest.raises(UserError, match="no augmentation 'flop'"):
        summary(digits, augmentation="flop")
    with pytest.raises(UserError, match="features"):
        summary(load("spiral"), augmentation="flip")


def test_pictures_are_of_the_first_classes_where_there_are_many() -> None:
    count = MOST_CLASSES + 5
    x = np.arange(2 * count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    y = np.arange(2 * count) % count
    dataset = make_dataset("many", x, y, x, y, tuple(map(str, range(count))), source="here")
    said = summary(dataset, examples=2)
    assert said.pictures is not None
    assert len(said.classes) == count
    np.testing.assert_array_equal(said.pictures.examples[:, :, 0, 0, 0], x.reshape(2, -1).T[:MOST_CLASSES])
    np.testing.assert_allclose(said.pictures.means[:, 0, 0, 0], np.arange(MOST_CLASSES) + count / 2)


def test_features_are_points() -> None:
    spiral = load("spiral")
    said = summary(spiral)
    assert said.pictures is None
    assert said.groups is None
    np.testing.assert_allclose(said.mean, spiral.x_train.mean(axis=0), atol=1e-6)
    assert said.points is not None
    np.testing.assert_array_equal(said.points.x, spiral.x_train)
    np.testing.assert_array_equal(said.points.y, spiral.y_train)
    few = sample_points(spiral, 10)
    assert len(few.x) == 10
    assert set(few.y) == {0, 1, 2}


@pytest.mark.parametrize("examples", [0, 1, 8])
def test_a_slice_says_that_it_is_one(examples: int) -> None:
    from nablab.data.sources.fashion_mnist import load_slice

    said = summary(load_slice(), examples=examples)
    assert said.train < said.train_total
    assert "fetch" in said.hint
    assert said.pictures is not None
    assert said.pictures.examples.shape == (10, examples, 1, 28, 28)
