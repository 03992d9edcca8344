"""The summary of a data set against counting by hand and NumPy's moments."""

import numpy as np
import pytest

from nablab.data import load
from nablab.data.dataset import make_dataset
from nablab.data.describe import ClassCount, summary

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
    assert said.grid is not None
    np.testing.assert_array_equal(said.grid[0], X[[0, 2]])
    np.testing.assert_array_equal(said.grid[1], X[[1, 4]])
    np.testing.assert_array_equal(said.grid[2, 0], X[6])
    assert (said.grid[2, 1] == 0).all()


def test_features_have_no_grid() -> None:
    spiral = load("spiral")
    said = summary(spiral)
    assert said.grid is None
    assert said.groups is None
    np.testing.assert_allclose(said.mean, spiral.x_train.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("examples", [1, 8])
def test_a_slice_says_that_it_is_one(examples: int) -> None:
    from nablab.data.sources.fashion_mnist import load_slice

    said = summary(load_slice(), examples=examples)
    assert said.train < said.train_total
    assert "fetch" in said.hint
    assert said.grid is not None
    assert said.grid.shape == (10, examples, 1, 28, 28)
