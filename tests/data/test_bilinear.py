"""Sampling between pixels against scipy.ndimage; its precision; its independence of batches and threads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from nablab.data import bilinear as module
from nablab.data.bilinear import bilinear

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (150, 3, 28, 23)).astype(np.uint8)
FLOATS = RNG.normal(0, 1, (150, 1, 31, 40)).astype(np.float32)
BOTH = pytest.mark.parametrize("x", [BYTES, FLOATS], ids=["bytes", "floats"])
OUTSIDE = pytest.mark.parametrize("outside", [0.0, 7.0, None])

Offsets = NDArray[np.float64]


def places(x: NDArray[np.generic]) -> tuple[Offsets, Offsets]:
    """Turned, stretched and moved by an affine map each, so that some are outside."""
    height, width = x.shape[2:]
    maps = np.random.default_rng(1).normal(np.eye(2), 0.4, (len(x), 2, 2))
    moves = np.random.default_rng(2).normal(0, 2, (len(x), 2))
    down, right = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    by_row = maps[:, :, 0].T[:, :, None] * down + moves.T[:, :, None]
    return by_row, maps[:, :, 1].T[:, :, None] * right


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@BOTH
@OUTSIDE
def test_values_are_scipys(x: NDArray[np.generic], outside: float | None) -> None:
    by_row, by_column = places(x)
    result = bilinear(x, by_row, by_column, outside)
    assert result.dtype == x.dtype
    centre = (np.array(x.shape[2:]) - 1)[:, None, None] / 2
    for i in range(0, len(x), 3):
        at = by_row[:, i, :, None] + by_column[:, i, None, :] + centre
        for channel, values in enumerate(x[i]):
            expected = ndimage.map_coordinates(
                values.astype(np.float64),
                at,
                order=1,
                mode="nearest" if outside is None else "grid-constant",
                cval=outside or 0.0,
            )
            most = 0.51 if x.dtype == np.uint8 else 1e-4
            assert np.abs(result[i, channel] - expected).max() < most


@pytest.mark.parametrize("side", [64, 100, 224, 333, 512])
@pytest.mark.parametrize("outside", [0.0, None])
def test_places_are_exact_to_a_ten_thousandth_of_a_pixel(side: int, outside: float | None) -> None:
    """Of images whose values are the places of their pixels, what is seen is the place that was looked at."""
    rows, columns = np.indices((side, side), np.float32)
    x = np.tile(np.stack([rows, columns]), (6, 1, 1, 1))
    offsets = np.arange(side) - (side - 1) / 2
    angles, centre = np.linspace(0.1, 3, 6), (side - 1) / 2
    c, s = np.cos(angles)[:, None] * offsets / 1.5, np.sin(angles)[:, None] * offsets / 1.5
    by_row, by_column = np.stack([c, s]), np.stack([-s, c])
    seen = bilinear(x, by_row, by_column, outside).swapaxes(0, 1)
    places = by_row[..., None] + by_column[:, :, None] + centre
    inside = ((places >= 0) & (places <= side - 1)).all(axis=0)
    assert inside.mean() > 0.7
    assert np.abs(seen - places)[:, inside].max() < side * 2**-22 < 1.3e-4


@BOTH
@OUTSIDE
@pytest.mark.usefixtures("threads")
def test_an_image_is_the_same_in_any_batch_and_with_any_number_of_threads(
    x: NDArray[np.generic], outside: float | None
) -> None:
    by_row, by_column = places(x)
    torch.set_num_threads(1)
    whole = bilinear(x, by_row, by_column, outside)
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        for size in (1, 7, 64, 150):
            for start in range(0, len(x), size):
                part = slice(start, start + size)
                result = bilinear(x[part], by_row[:, part], by_column[:, part], outside)
                assert result.tobytes() == whole[part].tobytes()


@BOTH
def test_the_parts_it_works_in_do_not_show(x: NDArray[np.generic], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bilinear(x, *places(x), 0.0)
    monkeypatch.setattr(module, "_CHUNK", 5 * x[0, 0].size)
    np.testing.assert_array_equal(bilinear(x, *places(x), 0.0), whole)


@BOTH
def test_images_that_may_not_be_written_stay_as_they_are(x: NDArray[np.generic]) -> None:
    kept = x.copy()
    kept.flags.writeable = False
    np.testing.assert_array_equal(bilinear(kept, *places(x), 1.0), bilinear(x, *places(x), 1.0))
    np.testing.assert_array_equal(kept, x)


def test_of_no_images_there_are_none() -> None:
    assert bilinear(BYTES[:0], *places(BYTES[:0]), 0.0).shape == (0, 3, 28, 23)


def test_only_sampling_loads_torch() -> None:
    script = """
import sys
import numpy as np
from nablab.data import augment
x = np.zeros((2, 1, 8, 8), np.uint8)
for text in ("flip,shift:2,brightness:0.5,erase:3", "rotate:5"):
    augment.parse(text, (1, 8, 8)).apply(x, seed=0, epoch=0, positions=np.arange(2))
    print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
