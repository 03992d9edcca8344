"""Preprocessing against scikit-learn's scalers and against numbers worked by hand."""

import json
from typing import get_args

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from nablab.data import preprocess
from nablab.data.preprocess import Kind, Preprocessing
from nablab.errors import UserError
from nablab.training.recipe import PreprocessingName

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 3, 5, 4)).astype(np.uint8)
FEATURES = np.random.default_rng(1).normal([3, -100, 0.5], [1, 30, 0.01], (400, 3)).astype(np.float32)
LIMITS = {"uint8": (IMAGES, (0.0, 255.0)), "float": (FEATURES, (-300.0, 200.0))}


def test_features_are_standardized_as_scikit_learn_does() -> None:
    ours = preprocess.fit("standardize", FEATURES, (0, 1)).apply(FEATURES)
    np.testing.assert_allclose(ours, StandardScaler().fit_transform(FEATURES.astype(np.float64)), atol=2e-5)


def test_images_are_standardized_by_channel() -> None:
    by_channel = IMAGES.transpose(0, 2, 3, 1).reshape(-1, 3).astype(np.float64)
    expected = StandardScaler().fit_transform(by_channel).reshape(300, 5, 4, 3).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(
        preprocess.fit("standardize", IMAGES, (0, 255)).apply(IMAGES), expected, atol=1e-5
    )


def test_moments_do_not_depend_on_the_parts_they_are_summed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = preprocess.moments(IMAGES)
    monkeypatch.setattr(preprocess, "_CHUNK", 7 * IMAGES[0].size)
    np.testing.assert_allclose(preprocess.moments(IMAGES), whole, rtol=1e-14)


def test_unit_is_the_range_that_is_possible_and_not_the_one_that_occurs() -> None:
    dark = (IMAGES // 2).astype(np.uint8)
    assert preprocess.fit("unit", dark, (0, 255)).apply(dark).max() == pytest.approx(127 / 255)
    scaler = MinMaxScaler().fit(np.array([[0.0], [255.0]]))
    expected = scaler.transform(IMAGES.reshape(-1, 1).astype(np.float64)).reshape(IMAGES.shape)
    np.testing.assert_allclose(preprocess.fit("unit", IMAGES, (0, 255)).apply(IMAGES), expected, atol=1e-6)


def test_center_is_half_to_each_side() -> None:
    ends = np.array([[0], [255], [51]], dtype=np.uint8).reshape(3, 1, 1, 1)
    centered = preprocess.fit("center", ends, (0, 255)).apply(ends)
    np.testing.assert_allclose(centered.ravel(), [-0.5, 0.5, -0.3], atol=1e-7)


def test_a_constant_channel_is_only_shifted() -> None:
    constant = np.full((1000, 1, 2, 2), 0.1, dtype=np.float32)
    np.testing.assert_allclose(preprocess.fit("standardize", constant, (0, 1)).apply(constant), 0, atol=1e-7)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("data", LIMITS)
def test_every_kind(kind: str, data: str) -> None:
    x, value_range = LIMITS[data]
    fitted = preprocess.fit(kind, x[:100], value_range)
    kept = x.copy()
    out = fitted.apply(np.asfortranarray(x))
    assert out.dtype == np.float32
    assert out.shape == x.shape
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(x, kept)
    again = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again == fitted
    np.testing.assert_allclose(
        out * np.reshape(fitted.scale, (1, -1) + (1,) * (x.ndim - 2))
        + np.reshape(fitted.shift, (1, -1) + (1,) * (x.ndim - 2)),
        x,
        rtol=1e-4,
        atol=1e-4,
    )


def test_recipes_name_the_kinds_that_there_are() -> None:
    """And "init", which takes over the one that a run had fitted."""
    assert set(get_args(PreprocessingName)) == {*get_args(Kind), "init"}


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UserError, match="no preprocessing 'standardise'; did you mean standardize"):
        preprocess.fit("standardise", IMAGES, (0, 255))
    with pytest.raises(UserError, match="3 channels or features, not 1"):
        preprocess.fit("unit", IMAGES, (0, 255)).apply(IMAGES[:, :1])


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, 3.0), (0.0, 7.0)])
@pytest.mark.parametrize("scale", [(1.0, 1.0), (255.0, 255.0), (1.0, 3.0)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_it_is_the_formula_to_the_last_bit(
    shift: tuple[float, ...], scale: tuple[float, ...], kind: type[np.generic]
) -> None:
    """In parts, and without the steps that change nothing."""
    x = np.random.default_rng(0).integers(0, 256, (300, 2, 20, 25)).astype(kind)
    columns = (np.asarray(numbers, np.float32)[:, None, None] for numbers in (shift, scale))
    taken, divided = columns
    expected = (x.astype(np.float32) - taken) / divided
    np.testing.assert_array_equal(Preprocessing("none", shift, scale).apply(x), expected)
    np.testing.assert_array_equal(
        Preprocessing("none", shift, scale).apply(x[..., ::-1]), expected[..., ::-1]
    )
