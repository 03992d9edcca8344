"""HOG against the paper's formula, written out pixel by pixel, and against cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from nablab.models.hog import HogFeatures, shares, votes

RNG = np.random.default_rng(0)


def of(images: NDArray[np.float32], **settings: object) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1)
    return HogFeatures(image_shape=images.shape[1:], **settings).fit(flat).transform(flat)  # type: ignore[arg-type]


def by_the_paper(image: NDArray[np.float32], cell: int, bins: int = 9) -> NDArray[np.float64]:
    """One image (C, H, W), in plain loops."""
    channels, height, width = image.shape
    down, across = height // cell, width // cell
    histogram = np.zeros((down, across, bins))
    for row in range(height):
        for column in range(width):
            gradients = []
            for channel in range(channels):
                values = image[channel].astype(float)
                dy = values[min(row + 1, height - 1), column] - values[max(row - 1, 0), column]
                dx = values[row, min(column + 1, width - 1)] - values[row, max(column - 1, 0)]
                gradients.append((math.hypot(dx, dy), dx, dy))
            magnitude, dx, dy = max(gradients)
            angle = math.degrees(math.atan2(dy, dx)) % 180
            for bin_ in range(bins):
                off = abs(angle - (bin_ + 0.5) * 180 / bins)
                to_bin = max(0.0, 1 - min(off, 180 - off) / (180 / bins))
                for i in range(down):
                    for j in range(across):
                        to_cell = near(row, i, down, cell) * near(column, j, across, cell)
                        histogram[i, j, bin_] += magnitude * to_bin * to_cell
    blocks = []
    for i in range(down - 1):
        for j in range(across - 1):
            v = np.concatenate(
                [histogram[i + a, j + b][:, None] for a in (0, 1) for b in (0, 1)], axis=1
            ).ravel()
            v = np.minimum(v / math.sqrt(np.sum(v**2) + 1e-10), 0.2)
            blocks.append(v / math.sqrt(np.sum(v**2) + 1e-10))
    return np.concatenate(blocks)


def near(pixel: int, index: int, cells: int, side: int) -> float:
    place = min(max((pixel + 0.5) / side - 0.5, 0), cells - 1)
    return max(0.0, 1 - abs(place - index))


@pytest.mark.parametrize(("shape", "cell"), [((1, 12, 12), 4), ((3, 8, 12), 4), ((1, 13, 9), 3)])
def test_it_is_the_formula_of_the_paper(shape: tuple[int, ...], cell: int) -> None:
    images = RNG.normal(size=(2, *shape)).astype(np.float32)
    expected = np.stack([by_the_paper(image, cell) for image in images])
    np.testing.assert_allclose(of(images, cell=cell), expected, atol=2e-5)


def test_an_upright_edge_votes_for_the_two_bins_around_zero_degrees() -> None:
    image = np.zeros((1, 1, 4, 4), np.float32)
    image[..., 2:] = 3.0  # the step is seen by the two columns beside it
    given = votes(image, 9)
    assert given[0, :, 0, 1].tolist() == [1.5, 0, 0, 0, 0, 0, 0, 0, 1.5]
    assert given[0, :, :, [0, 3]].sum() == 0
    assert given.sum() == 4 * 2 * 3.0


def test_a_slope_at_45_degrees_is_shared_three_to_one() -> None:
    row, column = np.mgrid[:5, :5]
    given = votes((row + column).astype(np.float32)[None, None], 9)[0, :, 2, 2]
    length = math.sqrt(8)  # the gradient is (2, 2); 45 lies between the bins of 30 and 50
    np.testing.assert_allclose(given, [0, length / 4, 3 * length / 4, 0, 0, 0, 0, 0, 0], atol=1e-5)


def test_no_vote_is_lost() -> None:
    for side, cells, cell in ((28, 7, 4), (30, 7, 4), (9, 3, 3)):
        np.testing.assert_allclose(shares(side, cells, cell).sum(axis=0), 1, rtol=1e-6)
    image = RNG.normal(size=(1, 1, 6, 6)).astype(np.float32)
    down = np.gradient(np.pad(image[0, 0], 1, mode="edge"), axis=0)[1:-1, 1:-1] * 2
    across = np.gradient(np.pad(image[0, 0], 1, mode="edge"), axis=1)[1:-1, 1:-1] * 2
    np.testing.assert_allclose(votes(image, 9)[0].sum(axis=0), np.hypot(down, across), rtol=1e-5)


def test_brightness_and_contrast_change_nothing() -> None:
    images = RNG.normal(size=(3, 1, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(of(images), of(7 * images + 5), atol=1e-5)


def test_blocks_have_length_one_and_a_flat_image_none() -> None:
    blocks = of(RNG.normal(size=(1, 1, 28, 28)).astype(np.float32)).reshape(36, 36)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), 1, rtol=1e-5)
    assert not of(np.ones((1, 1, 28, 28), np.float32)).any()


@pytest.mark.parametrize(
    ("shape", "features"), [((1, 28, 28), 1296), ((3, 32, 32), 1764), ((1, 64, 64), 1764)]
)
def test_sizes(shape: tuple[int, int, int], features: int) -> None:
    x = np.zeros((2, math.prod(shape)), np.float32)
    hog = HogFeatures().fit(x)  # square images need not be told
    assert (hog.shape_, hog.features, hog.transform(x).shape) == (shape, features, (2, features))


@pytest.mark.parametrize(
    ("features", "shape", "said"),
    [(10, None, "no square image"), (10, (10,), "images, not"), (1, (1, 1, 1), "2 x 2 pixels at least")],
)
def test_what_is_no_image_is_refused(features: int, shape: tuple[int, ...] | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HogFeatures(image_shape=shape).fit(np.zeros((2, features)))
