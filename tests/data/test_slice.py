"""The slice of Fashion-MNIST that ships: its bytes, its contents, its place in the full set."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from nablab.data.dataset import Dataset
from nablab.data.preprocess import moments
from nablab.data.sources import fashion_mnist
from nablab.data.split import order_of_test, order_of_training, split

SHA256 = "8f30c74b22e2f5c57b24e242e7d5a58efbe45056fb3a54daa3e5407cb884df3e"
EMBEDDED = resources.files("nablab.data") / "embedded"


@pytest.fixture(scope="module")
def slice_() -> Dataset:
    return fashion_mnist.load_slice()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The full set as the system's package has it, decoded here and not from any cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NABLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        loaded = fashion_mnist.load_full()
    if loaded is None:
        pytest.skip("the full Fashion-MNIST is not installed here")
    return loaded


def test_its_bytes() -> None:
    contents = (EMBEDDED / "fashion-mnist.npz").read_bytes()
    assert hashlib.sha256(contents).hexdigest() == SHA256
    assert len(contents) < 4_000_000


def test_its_notice_names_maker_origin_paper_and_licence() -> None:
    notice = (EMBEDDED / "fashion-mnist.txt").read_text(encoding="utf-8")
    for part in (
        SHA256,
        "Zalando Research",
        "github.com/zalandoresearch",
        "1708.07747",
        "MIT License",
        "AS IS",
    ):
        assert part in notice


def test_it_is_balanced_and_says_what_it_is(slice_: Dataset) -> None:
    assert slice_.x_train.shape == (6_000, 1, 28, 28)
    assert slice_.x_test.shape == (1_000, 1, 28, 28)
    assert (slice_.x_train.dtype, slice_.value_range) == (np.uint8, (0.0, 255.0))
    assert np.bincount(slice_.y_train).tolist() == [600] * 10
    assert np.bincount(slice_.y_test).tolist() == [100] * 10
    assert (slice_.train_total, slice_.test_total, slice_.ordered_by) == (60_000, 10_000, 0)
    assert slice_.is_slice
    assert "nablab data fetch fashion-mnist" in slice_.hint
    assert "\n" not in slice_.hint


def test_it_is_the_first_tenth_of_each_order_of_the_full_set(slice_: Dataset, full: Dataset) -> None:
    np.testing.assert_array_equal(slice_.train_ids, order_of_training(full, 0)[:6_000])
    np.testing.assert_array_equal(slice_.test_ids, order_of_test(full, 0)[:1_000])
    np.testing.assert_array_equal(slice_.x_train, full.x_train[slice_.train_ids])
    np.testing.assert_array_equal(slice_.y_train, full.y_train[slice_.train_ids])
    np.testing.assert_array_equal(slice_.x_test, full.x_test[slice_.test_ids])
    np.testing.assert_array_equal(slice_.y_test, full.y_test[slice_.test_ids])


@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("validation", [0, 0.1, 0.2])
def test_a_fraction_of_it_holds_the_images_of_that_fraction_of_the_full_set(
    slice_: Dataset, full: Dataset, fraction: float, validation: float
) -> None:
    of_slice, of_full = (split(data, fraction=fraction, validation=validation) for data in (slice_, full))
    np.testing.assert_array_equal(slice_.train_ids[of_slice.train], of_full.train)
    np.testing.assert_array_equal(slice_.train_ids[of_slice.validation], of_full.validation)


def test_the_full_set_has_the_moments_that_are_published(full: Dataset) -> None:
    # 0.2860 and 0.3530 in units of 255 are the figures in common use.
    mean, deviation = moments(full.x_train)
    assert mean / 255 == pytest.approx(0.2860, abs=5e-5)
    assert deviation / 255 == pytest.approx(0.3530, abs=5e-5)
    assert np.bincount(full.y_train).tolist() == [6_000] * 10
