"""Copies and near copies, held against NumPy's comparison of everything and scikit-learn's neighbours."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from nablab.data import load
from nablab.data.checks import twins as search
from nablab.data.checks.copies import find_copies
from nablab.data.checks.portraits import portray
from nablab.data.checks.twins import _candidates, find_twins
from nablab.data.checks.views import view
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.samples import LazyRows
from nablab.data.sources.fashion_mnist import load_slice


def dataset(x: np.ndarray, trains: int) -> Dataset:
    y = np.arange(len(x)) % 2
    return make_dataset(
        "x", x[:trains], y[:trains], x[trains:], y[trains:], ("a", "b"), source="drawn in a test",
        value_range=(0, 255),
    )  # fmt: skip


def everything(data: Dataset) -> np.ndarray:
    return np.concatenate([data.x_train, data.x_test])


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(4, 20), st.just(1), st.just(1), st.just(2)),
        elements=st.integers(0, 1),
    )
)
def test_copies_are_those_that_numpy_finds_equal(x: np.ndarray) -> None:
    trains = len(x) - 2
    found = find_copies(dataset(x, trains))
    equal = np.array([[np.array_equal(a, b) for a in x] for b in x])
    for row in range(len(x)):
        np.testing.assert_array_equal(found.of_row == found.of_row[row], equal[row])
    expected = {tuple(np.flatnonzero(line)) for line in equal if line.sum() > 1}
    assert {tuple(group) for group in found.groups} == expected
    np.testing.assert_array_equal(found.firsts, np.unique(equal.argmax(axis=1)))


def test_negative_zero_is_zero_and_order_in_memory_does_not_matter() -> None:
    x = np.arange(4 * 2 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 2)
    x[1] = x[0]
    x[1, 0, 0, 0] = -0.0
    assert [tuple(g) for g in find_copies(dataset(x.transpose(0, 3, 1, 2), 2)).groups] == [(0, 1)]


@pytest.mark.parametrize(("name", "similarity"), [("digits", 0.97), ("digits", 0.9), ("fashion", 0.985)])
@pytest.mark.parametrize("block", [97, 1024])
def test_twins_are_the_nearest_neighbours(
    name: str, similarity: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_BLOCK", block)
    monkeypatch.setattr(search, "_DIMENSIONS", 16)  # so that much is left to be compared in full
    data = load("digits") if name == "digits" else load_slice()
    if name == "fashion":
        data = dataset(everything(data)[5_000:], 1_400)
    trains, x = len(data.x_train), everything(data)
    assert not find_copies(data).groups
    found = find_twins(data, np.arange(len(x)), similarity)
    flat = x.reshape(len(x), -1).astype(np.float64)
    z = flat - flat.mean(axis=1, keepdims=True)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    pairs = 0
    for rows in (np.arange(trains), np.arange(trains, len(x))):
        for others, nearest, value in (
            (rows, found.within, found.within_similarity),
            (np.setdiff1d(np.arange(len(x)), rows), found.across, found.across_similarity),
        ):
            own = others is rows
            distance, index = NearestNeighbors(n_neighbors=2 if own else 1).fit(z[others]).kneighbors(z[rows])
            expected = 1 - distance[:, -1] ** 2 / 2
            sure = np.abs(expected - similarity) > 1e-5
            has = expected >= similarity
            np.testing.assert_array_equal((nearest[rows] >= 0)[sure], has[sure])
            both = sure & has
            np.testing.assert_allclose(value[rows][both], expected[both], atol=1e-5)
            ties = np.abs(value[rows] - np.sum(z[rows] * z[nearest[rows]], axis=1))[both]
            assert (ties < 1e-5).all()
            pairs += len(index)
    assert pairs == 2 * len(x)
    r = np.triu(z @ z.T, 1)
    counts = {
        "train": (r[:trains, :trains] >= similarity).sum(),
        "across": (r[:trains, trains:] >= similarity).sum(),
        "test": (r[trains:, trains:] >= similarity).sum(),
    }
    assert counts["across"] > 0
    assert not np.any(np.abs(r - similarity) < 1e-7), "a pair is too near the threshold to be counted surely"
    assert dict(found.pairs) == counts


def test_the_most_copied_come_first() -> None:
    x = np.zeros((20, 1, 1, 1), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None]
    x[8], x[[9, 12, 15]], x[19] = x[7], x[3], x[18]
    assert [group.tolist() for group in find_copies(dataset(x, 10)).groups] == [
        [3, 9, 12, 15],
        [7, 8],
        [18, 19],
    ]


@pytest.mark.parametrize("block", [3, 50])
def test_no_candidate_is_missed_along_the_first_coordinate(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points near a line, so that the order by their first coordinate is all that there is."""
    monkeypatch.setattr(search, "_BLOCK", block)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 2)).astype(np.float32) * [1, 1e-3]
    points = points[np.argsort(points[:, 0])].astype(np.float32)
    found = {
        (int(first), int(second))
        for start in range(0, 40, block)
        for first, second in zip(
            *map(np.concatenate, zip(*_candidates(points, start, 0.3), strict=True)), strict=True
        )
    }
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= 0.3
    assert {(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True)} <= found


def test_copies_do_not_count_as_twins_and_blank_images_have_none() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (40, 1, 6, 6)).astype(np.uint8)
    x[5] = x[4]
    x[6:9] = np.array([3, 77, 250])[:, None, None, None]
    data = dataset(x, 30)
    found = find_twins(data, find_copies(data).firsts)
    assert (found.within == -1).all()
    assert (found.across == -1).all()


def test_a_set_of_one_image_in_a_thousand_shades_is_searched_quickly() -> None:
    rng = np.random.default_rng(0)
    x = (rng.integers(100, 150, (1, 1, 16, 16)) + rng.uniform(-1, 1, (1_500, 1, 16, 16))).astype(np.float32)
    data = dataset(x, 1_000)
    found = find_twins(data, np.arange(1_500), 0.99)
    assert (found.within >= 0).all()
    assert (found.across >= 0).all()
    assert found.pairs == {"train": 1_000 * 999 // 2, "test": 500 * 499 // 2, "across": 500_000}


def test_views_are_those_of_numpy_and_pillow() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (5, 3, 28, 20)).astype(np.uint8)
    flat = x.reshape(5, -1).astype(float)
    np.testing.assert_allclose(view(x) @ view(x).T, np.corrcoef(flat), atol=1e-5)
    large = rng.integers(0, 255, (2, 1, 64, 96)).astype(np.uint8)
    small = [
        np.asarray(Image.fromarray(image[0].astype(np.float32)).resize((32, 32), Image.Resampling.BOX))
        for image in large
    ]
    r = np.corrcoef([image.ravel() for image in small])[0, 1]
    assert float(view(large)[0] @ view(large)[1]) == pytest.approx(r, abs=1e-5)
    odd = view(rng.integers(0, 255, (2, 1, 101, 33)).astype(np.uint8))
    assert odd.shape == (2, 32 * 32)
    np.testing.assert_allclose(np.linalg.norm(odd, axis=1), 1, atol=1e-5)
    assert not view(np.full((1, 1, 8, 8), 200.0)).any()


@pytest.mark.parametrize(("side", "quality"), [(64, 90), (128, 75)])
def test_a_darker_jpeg_of_a_picture_is_its_twin_and_another_is_not(
    side: int, quality: int, tmp_path: Path
) -> None:
    """Of images with the spectrum of photographs (amplitude 1 / f). Smaller ones suffer more from JPEG."""
    rng = np.random.default_rng(0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(rng.normal(size=(6, side, side))) / np.maximum(f, 1 / side)
    x = np.real(np.fft.ifft2(spectrum))
    x = 128 + 40 * (x - x.mean(axis=(1, 2), keepdims=True)) / x.std(axis=(1, 2), keepdims=True)
    x = np.clip(np.rint(x), 0, 255).astype(np.uint8)[:, None]
    Image.fromarray((x[0, 0] * 0.7).astype(np.uint8)).save(tmp_path / "again.jpg", quality=quality)
    with Image.open(tmp_path / "again.jpg") as again:
        x[5, 0] = np.asarray(again)
    data = dataset(x, 4)
    found = find_twins(data, np.arange(6))
    assert found.across.tolist() == [5, -1, -1, -1, -1, 0]


def test_portraits_are_numpys() -> None:
    data = load("digits")
    x = everything(data).astype(float)
    portraits = portray(data)
    np.testing.assert_allclose(portraits.mean, x.mean(axis=(2, 3)))
    np.testing.assert_allclose(portraits.deviation, x.std(axis=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(portraits.darkest, (x == 0).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(portraits.brightest, (x == 16).mean(axis=(1, 2, 3)))
    for row in range(0, len(x), 100):
        image = x[row, 0]
        top = next((i for i in range(8) if (image[i] != image[0, 0]).any()), 8)
        bottom = next((i for i in range(8) if (image[7 - i] != image[7, 7]).any()), 8)
        assert (portraits.flat_top[row], portraits.flat_bottom[row]) == (top / 8, bottom / 8)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_file_of_100_mb_is_read_in_a_tenth_of_that(tmp_path: Path, lazy: bool) -> None:
    """Also where its blocks are copies and no views, as those of rows that stay in their file."""
    shape = (30_000, 1, 58, 58)
    np.memmap(tmp_path / "x", np.uint8, "w+", shape=shape).flush()
    mapped = np.memmap(tmp_path / "x", np.uint8, "r", shape=shape)
    x = LazyRows(mapped, np.arange(len(mapped)), mapped.dtype) if lazy else mapped
    data = replace(dataset(np.zeros((4, 1, 58, 58), np.uint8), 2), x_train=x, y_train=np.arange(30_000) % 2)
    tracemalloc.start()
    try:
        copies = find_copies(data)
        portray(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(group) for group in copies.groups] == [30_002]
    assert peak < x.nbytes / 5
