"""Augmentation against scipy.ndimage and plain slicing, and its independence of batches."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from nablab.data import augment, keyed
from nablab.data.affine import affine
from nablab.data.flip_shift import flip, shift
from nablab.errors import UserError

EACH = ["flip", "shift:3", "crop:0.4", "rotate:30", "scale:0.2", "brightness:0.4", "erase:5"]
ALL = ",".join(EACH)
GREY = np.random.default_rng(0).integers(0, 256, (40, 1, 12, 9)).astype(np.uint8)
COLOR = np.random.default_rng(1).random((40, 3, 8, 11)).astype(np.float32)


def by_scipy(x: NDArray[np.generic], matrices: NDArray[np.float64], fill: float) -> NDArray[np.float64]:
    centre = (np.array(x.shape[2:]) - 1) / 2
    out = np.empty(x.shape)
    for i, matrix in enumerate(matrices):
        for channel in range(x.shape[1]):
            out[i, channel] = ndimage.affine_transform(
                x[i, channel].astype(np.float64),
                matrix,
                offset=centre - matrix @ centre,
                order=1,
                mode="grid-constant",
                cval=fill,
            )
    return out


@pytest.mark.parametrize("fill", [0.0, 7.0])
def test_affine_is_scipys(fill: float) -> None:
    matrices = np.random.default_rng(2).normal(np.eye(2), 0.5, (40, 2, 2))
    np.testing.assert_allclose(affine(COLOR, matrices, fill), by_scipy(COLOR, matrices, fill), atol=2e-4)
    rounded = affine(GREY, matrices, fill)
    assert rounded.dtype == np.uint8
    assert np.abs(rounded - by_scipy(GREY, matrices, fill)).max() <= 0.51


def test_affine_of_the_unit_matrix_changes_nothing_and_quarter_turns_are_exact() -> None:
    square = COLOR[..., :8]
    unit = np.tile(np.eye(2), (40, 1, 1))
    np.testing.assert_array_equal(affine(square, unit, 0), square)
    quarter = np.tile([[0.0, 1.0], [-1.0, 0.0]], (40, 1, 1))
    np.testing.assert_array_equal(affine(square, quarter, 0), np.rot90(square, axes=(2, 3)))


def draws(epoch: int, count: int) -> NDArray[np.float64]:
    return keyed.uniforms(5, "augmentation", epoch, np.arange(count), 8)


def apply(text: str, x: NDArray[np.generic], epoch: int = 0, seed: int = 5) -> NDArray[np.generic]:
    value_range = (0.0, 255.0) if x.dtype == np.uint8 else (-1.0, 1.0)
    reader = augment.parse(text, x.shape[1:], value_range)
    return reader.apply(x, seed=seed, epoch=epoch, positions=np.arange(len(x)))


def test_flip_and_shift_against_slicing() -> None:
    changed = apply("flip,shift:2", GREY)
    seen = set()
    for i, image in enumerate(GREY[:, 0]):
        candidates = {}
        for flipped, down, right in product((False, True), range(-2, 3), range(-2, 3)):
            padded = np.pad(image[:, ::-1] if flipped else image, 2)
            candidates[flipped, down, right] = padded[2 - down : 14 - down, 2 - right : 11 - right]
        found = [key for key, candidate in candidates.items() if np.array_equal(candidate, changed[i, 0])]
        down, right = np.floor(draws(0, 40)[i, 1:3] * 5).astype(int) - 2
        assert found == [(bool(draws(0, 40)[i, 0] < 0.5), down, right)]
        seen.add(found[0])
    assert {flip for flip, _, _ in seen} == {False, True}
    assert {down for _, down, _ in seen} == {right for _, _, right in seen} == set(range(-2, 3))


def test_rotate_turns_clockwise_and_scale_magnifies() -> None:
    rows, columns = np.indices((41, 41)) - 20
    bar = np.exp(-(rows**2 / 2 / 2**2 + columns**2 / 2 / 5**2)).astype(np.float32)  # lying, smooth
    x = np.tile(bar, (100, 1, 1, 1))
    numbers = draws(0, 100)
    turned = augment.parse("rotate:80", (1, 41, 41)).apply(x, seed=5, epoch=0, positions=np.arange(100))
    for image, angle in zip(turned[:, 0], np.deg2rad(80) * (2 * numbers[:, 3] - 1), strict=True):
        spread = [[(image * a * b).sum() for b in (rows, columns)] for a in (rows, columns)]
        main = np.linalg.eigh(spread)[1][:, -1]  # where the bar points now: (down, right)
        assert abs(main @ [np.sin(angle), np.cos(angle)]) == pytest.approx(1, abs=1e-3)
    scaled = augment.parse("scale:0.3", (1, 41, 41)).apply(x, seed=5, epoch=0, positions=np.arange(100))
    factor = 1 + 0.3 * (2 * numbers[:, 4] - 1)
    np.testing.assert_allclose(scaled.sum(axis=(1, 2, 3)) / bar.sum(), factor**2, rtol=0.02)


def test_brightness_scales_the_distance_from_the_darkest_and_clips() -> None:
    factor = 1 + 0.4 * (2 * draws(0, 40)[:, 5] - 1)[:, None, None, None]
    np.testing.assert_allclose(
        apply("brightness:0.4", COLOR), np.clip((COLOR + 1) * factor - 1, -1, 1), atol=1e-5
    )
    expected = np.clip(np.rint(GREY * factor), 0, 255)
    assert np.abs(apply("brightness:0.4", GREY).astype(int) - expected).max() <= 1


def test_erase_puts_a_square_of_the_darkest_value_inside() -> None:
    bright = np.full((500, 2, 9, 7), 0.5, dtype=np.float32)
    erased = apply("erase:4", bright) == -1
    assert (erased.sum(axis=(2, 3)) == 16).all()
    corners = {(int(rows.min()), int(columns.min())) for rows, columns in map(np.nonzero, erased[:, 0])}
    assert corners == set(product(range(6), range(4)))
    np.testing.assert_array_equal(erased[:, 0], erased[:, 1])


@pytest.mark.parametrize("text", [*EACH, ALL])
@pytest.mark.parametrize("x", [GREY, COLOR], ids=["grey bytes", "colour floats"])
def test_every_augmentation(text: str, x: NDArray[np.generic]) -> None:
    kept = x.copy()
    changed = apply(text, x)
    np.testing.assert_array_equal(x, kept)
    assert changed.shape == x.shape
    assert changed.dtype == x.dtype
    assert changed.flags.c_contiguous
    assert not np.shares_memory(changed, x)
    assert (changed != x).any(axis=(1, 2, 3)).mean() > 0.3
    low, high = (0, 255) if x.dtype == np.uint8 else (-1, 1)
    assert low <= changed.min() <= changed.max() <= high
    assert not np.array_equal(changed, apply(text, x, epoch=1))
    assert not np.array_equal(changed, apply(text, x, seed=6))
    np.testing.assert_array_equal(changed, apply(text, x))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 39), min_size=1, max_size=12), st.integers(0, 9))
def test_an_image_is_changed_alike_in_any_batch(rows: list[int], epoch: int) -> None:
    for x in (GREY, COLOR):
        reader = augment.parse(ALL, x.shape[1:])
        whole = reader.apply(x, seed=0, epoch=epoch, positions=np.arange(40) + 100)
        part = reader.apply(x[rows], seed=0, epoch=epoch, positions=np.array(rows) + 100)
        np.testing.assert_array_equal(part, whole[rows])


def test_one_more_augmentation_leaves_the_draws_of_the_others_alone() -> None:
    alone = apply("shift:2", GREY)
    np.testing.assert_array_equal(apply("shift:2,brightness:0.00000001", GREY), alone)


@pytest.mark.parametrize("x", [GREY, COLOR], ids=["grey bytes", "colour floats"])
def test_all_together_is_one_after_the_other(x: NDArray[np.generic]) -> None:
    """In the order that the guide tells, each on what the one before has made."""
    changed = x
    for text in ("rotate:30,scale:0.2", "crop:0.4", "flip", "shift:3", "brightness:0.4", "erase:5"):
        changed = apply(text, changed)
    np.testing.assert_array_equal(apply(ALL, x), changed)


@pytest.mark.parametrize("text", [*EACH, ALL])
def test_what_interpolates_is_what_pytorch_samples(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = []
    grid_sample = functional.grid_sample
    monkeypatch.setattr(functional, "grid_sample", lambda *a, **k: sampled.append(1) or grid_sample(*a, **k))
    apply(text, GREY)
    assert augment.parse(text, GREY.shape[1:]).interpolates == bool(sampled)


def test_none_is_none() -> None:
    none = augment.parse(" ", (3, 8, 11))
    assert not none
    assert str(none) == ""
    np.testing.assert_array_equal(apply("", COLOR), COLOR)
    assert not augment.parse("", (2,))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "flip": st.just(""),
            "shift": st.integers(1, 27),
            "crop": st.sampled_from([0.08, 0.5, 0.999]),
            "rotate": st.integers(1, 180),
            "scale": st.sampled_from([0.05, 0.1, 0.5, 0.9]),
            "brightness": st.sampled_from([0.2, 1]),
            "erase": st.integers(1, 27),
        },
    ).flatmap(lambda parts: st.permutations(list(parts.items())))
)
def test_the_text_is_canonical_and_round_trips(parts: list[tuple[str, object]]) -> None:
    text = " , ".join(f"{name}:{value}" if value != "" else name.upper() for name, value in parts)
    read = augment.parse(text, (1, 28, 28))
    assert augment.parse(str(read), (1, 28, 28)) == read
    assert bool(read) == bool(parts)
    order = ["flip", "shift", "crop", "rotate", "scale", "brightness", "erase"]
    assert [item.partition(":")[0] for item in str(read).split(",") if item] == [
        name for name in order if name in dict(parts)
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("flop", "no augmentation 'flop'; did you mean flip"),
        ("flip:2", "'flip' takes no number, not '2'"),
        ("flip,flip", "'flip' is given twice"),
        ("shift", "'shift' needs whole pixels from 1 to 27, as in shift:2"),
        ("shift:0", "from 1 to 27, as in shift:2, not 0"),
        ("shift:28", "from 1 to 27"),
        ("shift:1.5", "from 1 to 27"),
        ("erase:99", "'erase' needs whole pixels"),
        ("rotate:x", "'rotate' needs a number above 0, up to 180, not x"),
        ("rotate:nan", "above 0, up to 180"),
        ("scale:1", "above 0, up to 0.9"),
        ("brightness:-1", "above 0, up to 1"),
        (
            "crop",
            "'crop' needs the smallest share of the area, above 0 and below 1, as in crop:0.6, not None",
        ),
        ("crop:0", "above 0 and below 1"),
        ("crop:1", "above 0 and below 1, as in crop:0.6, not 1"),
        ("crop:nan", "above 0 and below 1"),
    ],
)
def test_texts_that_do_not_fit(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        augment.parse(text, (1, 28, 28))


def test_features_are_not_augmented() -> None:
    for text in ("flip", "shift:1", "rotate:1"):
        with pytest.raises(UserError, match="features"):
            augment.parse(text, (2,))


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(1, 6, 7), (2, 5, 4), (3, 3, 16), (1, 2, 1)])
def test_moving_and_mirroring_at_every_distance(shape: tuple[int, int, int], kind: type[np.generic]) -> None:
    _, height, width = shape
    moves = np.array(list(product(range(1 - height, height), range(1 - width, width))))
    x = np.random.default_rng(0).integers(1, 256, (len(moves), *shape)).astype(kind)
    moved = shift(x, moves[:, 0], moves[:, 1], 9)
    for image, result, (down, right) in zip(x, moved, moves, strict=True):
        padded = np.pad(image, ((0, 0), (height, height), (width, width)), constant_values=9)
        expected = padded[:, height - down : 2 * height - down, width - right : 2 * width - right]
        np.testing.assert_array_equal(result, expected)
    which = moves[:, 0] % 2 == 0
    mirrored = flip(x, which)
    np.testing.assert_array_equal(mirrored[which], x[which, :, :, ::-1])
    np.testing.assert_array_equal(mirrored[~which], x[~which])
