"""Augmentation against the transforms that are usual in PyTorch: a picture at a time, with Pillow.

What is done is the same for the same parameters, and the parameters are drawn from the same distributions.
"""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from nablab.data import augment, keyed
from nablab.data.resized_crop import Windows, random_windows, resized_crop

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (60, 1, 28, 28)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (60, 3, 32, 24)).astype(np.uint8)
BOTH = pytest.mark.parametrize("x", [GREY, COLOUR], ids=["grey", "colour, not square"])
SEED, EPOCH = 3, 2

Bytes = NDArray[np.uint8]


def draws(count: int) -> NDArray[np.float64]:
    return keyed.uniforms(SEED, "augmentation", EPOCH, np.arange(count), 12)


def ours(text: str, x: Bytes) -> Bytes:
    changes = augment.parse(text, x.shape[1:])
    return changes.apply(x, seed=SEED, epoch=EPOCH, positions=np.arange(len(x)))


def to_picture(image: Bytes) -> Image.Image:
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def to_array(picture: Image.Image) -> Bytes:
    values = np.asarray(picture)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def smooth(x: Bytes) -> Bytes:
    """Waves: neighbouring pixels differ by little, so that what differs is the place they come from."""
    rows, columns = np.indices(x.shape[2:])
    waves = np.sin(rows / 5 + np.arange(len(x))[:, None, None, None]) + np.cos(columns / 4)
    return np.broadcast_to(np.rint(127 + 60 * waves), x.shape).astype(np.uint8)


@BOTH
def test_flip_and_shift_are_pillows_mirror_and_crop_after_padding(x: Bytes) -> None:
    changed = ours("flip,shift:3", x)
    for image, result, row in zip(x, changed, draws(len(x)), strict=True):
        picture = ImageOps.mirror(to_picture(image)) if row[0] < 0.5 else to_picture(image)
        top, left = 6 - np.floor(row[1:3] * 7).astype(int)
        width, height = picture.size
        crop = ImageOps.expand(picture, border=3, fill=0).crop((left, top, left + width, top + height))
        np.testing.assert_array_equal(result, to_array(crop))


@BOTH
def test_crop_is_pillows_crop_and_resize_to_one_level(x: Bytes) -> None:
    """Pillow rounds between its two passes; nablab only in the end."""
    height, width = x.shape[2:]
    windows = random_windows(draws(len(x))[:, 8:], 0.3, height, width)
    changed = ours("crop:0.3", x)
    boxes = np.stack(
        [windows.left, windows.top, windows.left + windows.width, windows.top + windows.height], axis=1
    )
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= width).all()
    assert (boxes[:, 3] <= height).all()
    for image, result, box in zip(x, changed, boxes, strict=True):
        expected = to_picture(image).crop(box.tolist()).resize((width, height), Image.Resampling.BILINEAR)
        assert np.abs(result.astype(int) - to_array(expected)).max() <= 1


def test_crop_of_floats_is_torchs_interpolation() -> None:
    x = RNG.random((30, 2, 17, 23)).astype(np.float32)
    windows = random_windows(draws(30)[:, 8:], 0.1, 17, 23)
    changed = resized_crop(x, windows)
    for i, result in enumerate(changed):
        top, left = windows.top[i], windows.left[i]
        cut = x[i : i + 1, :, top : top + windows.height[i], left : left + windows.width[i]]
        expected = torch.nn.functional.interpolate(torch.from_numpy(cut), (17, 23), mode="bilinear")[0]
        np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


def test_a_window_of_everything_changes_nothing_and_one_pixel_fills_all() -> None:
    count = len(COLOUR)
    everything = Windows(*(np.full(count, n) for n in (0, 0, 32, 24)))
    np.testing.assert_array_equal(resized_crop(COLOUR, everything), COLOUR)
    pixel = resized_crop(COLOUR, Windows(*(np.full(count, n) for n in (31, 23, 1, 1))))
    np.testing.assert_array_equal(pixel, np.broadcast_to(COLOUR[:, :, 31:, 23:], COLOUR.shape))


@BOTH
@pytest.mark.parametrize("text", ["rotate:25", "scale:0.2", "rotate:25,scale:0.2"])
def test_turning_and_scaling_are_pillows_affine_to_one_level(x: Bytes, text: str) -> None:
    """Away from the edge of what is seen: there Pillow continues half a pixel, nablab mixes with the dark."""
    x = smooth(x)
    changed = ours(text, x)
    height, width = x.shape[2:]
    rows, columns = np.indices((height, width)) - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    for image, result, row in zip(x, changed, draws(len(x)), strict=True):
        angle = np.deg2rad(25) * (2 * row[3] - 1) if "rotate" in text else 0.0
        factor = 1 + 0.2 * (2 * row[4] - 1) if "scale" in text else 1.0
        c, s = np.cos(angle) / factor, np.sin(angle) / factor
        matrix = (c, s, (width - c * width - s * height) / 2, -s, c, (height + s * width - c * height) / 2)
        turned = to_picture(image).transform(
            (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=0
        )
        down, right = c * rows - s * columns + (height - 1) / 2, s * rows + c * columns + (width - 1) / 2
        inside = (down >= 0) & (down <= height - 1) & (right >= 0) & (right <= width - 1)
        away = (down <= -1) | (down >= height) | (right <= -1) | (right >= width)
        expected = to_array(turned)
        assert inside.mean() > 0.5
        assert np.abs(result.astype(int) - expected)[:, inside].max() <= 1
        assert (result[:, away] == 0).all()


@BOTH
def test_brightness_is_pillows_to_one_level(x: Bytes) -> None:
    changed = ours("brightness:0.4", x)
    for image, result, row in zip(x, changed, draws(len(x)), strict=True):
        expected = ImageEnhance.Brightness(to_picture(image)).enhance(0.6 + 0.8 * row[5])
        assert np.abs(result.astype(int) - to_array(expected)).max() <= 1


@BOTH
def test_erase_is_a_square_pasted_by_pillow(x: Bytes) -> None:
    changed = ours("erase:6", x)
    height, width = x.shape[2:]
    for image, result, row in zip(x, changed, draws(len(x)), strict=True):
        picture = to_picture(image)
        top, left = int(row[6] * (height - 5)), int(row[7] * (width - 5))
        picture.paste(0 if picture.mode == "L" else (0, 0, 0), (left, top, left + 6, top + 6))
        np.testing.assert_array_equal(result, to_array(picture))


MANY = 20_000


def test_draws_are_uniform_and_independent() -> None:
    """Of each column, of neighbouring positions, of one epoch and the next: probabilities far from 0."""
    numbers = draws(MANY)
    assert min(stats.kstest(column, "uniform").pvalue for column in numbers.T) > 1e-3
    other = keyed.uniforms(SEED, "augmentation", EPOCH + 1, np.arange(MANY), 12)
    together = np.concatenate([numbers[:-1], numbers[1:], other[:-1]], axis=1)
    correlations = np.corrcoef(together, rowvar=False) - np.eye(36)
    assert np.abs(correlations).max() < 5 / np.sqrt(MANY)


def test_flips_and_shifts_that_are_seen_are_uniform() -> None:
    """Where one bright pixel left of the centre goes: mirrored or not, each of 25 places alike."""
    x = np.zeros((MANY, 1, 13, 13), np.uint8)
    x[:, :, 6, 3] = 255
    changed = ours("flip,shift:2", x)
    _, _, rows, columns = np.nonzero(changed)
    assert len(rows) == MANY
    mirrored = columns > 6
    places = (mirrored, rows - 6, np.where(mirrored, columns - 9, columns - 3))
    counts = [int(((places[0] == f) & (places[1] == d) & (places[2] == r)).sum())
              for f, d, r in product((False, True), range(-2, 3), range(-2, 3))]  # fmt: skip
    assert sum(counts) == MANY
    assert stats.chisquare(counts).pvalue > 1e-3


def torchvisions_windows(count: int, smallest: float, side: int) -> NDArray[np.float64]:
    """(top, left, height, width) as RandomResizedCrop.get_params draws them: again until they fit."""
    rng = np.random.default_rng(1)
    rows: list[tuple[float, ...]] = []
    while len(rows) < count:
        area = side * side * rng.uniform(smallest, 1)
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        width, height = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < width <= side and 0 < height <= side:
            corner = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
            rows.append((*corner, height, width))
    return np.array(rows, np.float64)


@pytest.mark.parametrize("side", [28, 1000])
@pytest.mark.parametrize("smallest", [0.08, 0.5, 0.9])
def test_windows_have_the_law_of_torchvisions(side: int, smallest: float) -> None:
    """Sides, area, proportion and place, each by a test of two samples."""
    windows = random_windows(draws(MANY)[:, 8:], smallest, side, side)
    mine = np.stack([windows.top, windows.left, windows.height, windows.width], axis=1)
    theirs = torchvisions_windows(MANY, smallest, side)
    for of in (
        *(lambda w, column=column: w[:, column] for column in range(4)),
        lambda w: w[:, 2] * w[:, 3],
        lambda w: w[:, 2] / w[:, 3],
        lambda w: w[:, 0] + w[:, 2],
    ):
        assert stats.ks_2samp(of(mine), of(theirs)).pvalue > 1e-3


@pytest.mark.parametrize(("text", "column"), [("rotate:45", 3), ("scale:0.3", 4), ("brightness:0.5", 5)])
def test_what_an_image_shows_follows_its_own_draw(text: str, column: int) -> None:
    """Monotonic in the draw, for each image: so what is seen is distributed as what is drawn."""
    rows, columns = np.indices((41, 41)) - 20
    bar = np.exp(-((rows - 6) ** 2) / 50 - (columns - 6) ** 2 / 50)
    x = np.tile(100 * bar, (200, 1, 1, 1)).astype(np.float32)
    changed = augment.parse(text, (1, 41, 41), (0.0, 200.0)).apply(
        x, seed=SEED, epoch=EPOCH, positions=np.arange(200)
    )[:, 0]
    mass = changed.sum(axis=(1, 2))
    angle = np.arctan2((changed * rows).sum(axis=(1, 2)), (changed * columns).sum(axis=(1, 2)))
    seen = angle if text.startswith("rotate") else mass
    assert stats.spearmanr(seen, draws(200)[:, column]).statistic == pytest.approx(1, abs=1e-4)
