"""Splits: fractions nest, both parts are stratified, groups stay whole, and nothing leaks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.split import order_of_test, order_of_training, split, stratified_order
from nablab.errors import UserError

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


def labelled(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None = None, test: NDArray[np.int64] | None = None
) -> Dataset:
    """A data set of these labels whose features are the row numbers."""
    classes = tuple(f"class {i}" for i in range(int(labels.max()) + 1))
    test = np.arange(len(classes)) if test is None else test
    x_train, x_test = (np.arange(len(y), dtype=np.float32)[:, None] for y in (labels, test))
    return make_dataset("numbers", x_train, labels, x_test, test, classes, source="test", groups=groups)


def balanced(rows: int, classes: int = 10) -> Dataset:
    labels = np.random.default_rng(3).permutation(np.arange(rows) % classes)
    return labelled(labels, test=np.sort(labels)[::2])


@st.composite
def data_sets(draw: st.DrawFn, groups: bool = False) -> Dataset:
    counts = draw(st.lists(st.integers(4, 60), min_size=2, max_size=8))
    labels = np.repeat(np.arange(len(counts)), counts)
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    numbers = generator.integers(0, max(2, len(labels) // 3), len(labels)) if groups else None
    return labelled(generator.permutation(labels), numbers)


def cut(dataset: Dataset, fraction: float, k: int, seed: int) -> tuple[list[int], list[int]] | None:
    """Train and validation rows, or None where that is refused for having too few images."""
    try:
        parts = split(dataset, fraction=fraction, validation=1 / k if k else 0, split_seed=seed)
    except UserError:
        return None
    return parts.train.tolist(), parts.validation.tolist()


@settings(deadline=None)
@given(data_sets() | data_sets(groups=True), st.sampled_from([0, 2, 3, 5, 7, 10]), st.integers(0, 50))
def test_fractions_nest(dataset: Dataset, k: int, seed: int) -> None:
    cuts = [parts for f in FRACTIONS if (parts := cut(dataset, f, k, seed)) is not None]
    for smaller, larger in pairwise(cuts):
        assert larger[0][: len(smaller[0])] == smaller[0]
        assert larger[1][: len(smaller[1])] == smaller[1]
    for train, validation in cuts:
        assert not set(train) & set(validation)
        assert len(set(train)) == len(train)


@settings(deadline=None)
@given(data_sets() | data_sets(groups=True), st.sampled_from([2, 5, 10]), st.sampled_from(FRACTIONS))
def test_without_validation_the_same_images_train(dataset: Dataset, k: int, fraction: float) -> None:
    with_validation, without = (cut(dataset, fraction, every, seed=4) for every in (k, 0))
    if with_validation is not None:
        assert without is not None
        assert sorted(with_validation[0] + with_validation[1]) == sorted(without[0])


@settings(deadline=None)
@given(data_sets(), st.sampled_from([2, 3, 5, 10]), st.integers(0, 50))
def test_validation_holds_each_class_in_proportion_to_within_an_image(
    dataset: Dataset, k: int, seed: int
) -> None:
    parts = cut(dataset, 1.0, k, seed)
    if parts is not None:
        counts = np.bincount(dataset.y_train)
        held = np.bincount(dataset.y_train[parts[1]], minlength=len(counts))
        assert (np.abs(held - counts / k) < 1).all()


@settings(deadline=None)
@given(data_sets(groups=True), st.sampled_from([2, 3, 5]), st.sampled_from(FRACTIONS), st.integers(0, 50))
def test_no_group_is_on_both_sides(dataset: Dataset, k: int, fraction: float, seed: int) -> None:
    parts = cut(dataset, fraction, k, seed)
    assert dataset.groups is not None
    if parts is not None:
        train, validation = (set(dataset.groups[rows].tolist()) for rows in parts)
        assert not train & validation


@settings(deadline=None)
@given(data_sets(), st.integers(0, 50))
def test_every_beginning_of_an_order_is_stratified(dataset: Dataset, seed: int) -> None:
    labels = dataset.y_train
    order = stratified_order(labels, None, seed, "test")
    assert sorted(order) == list(range(len(labels)))
    one_hot = np.eye(len(dataset.classes))[labels[order]]
    expected = np.arange(1, len(labels) + 1)[:, None] * one_hot.mean(axis=0)
    assert np.abs(np.cumsum(one_hot, axis=0) - expected).max() < len(dataset.classes)


@pytest.mark.parametrize("k", [5, 10])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_balanced_classes_are_cut_exactly(fraction: float, k: int) -> None:
    dataset = balanced(60_000)
    parts = split(dataset, fraction=fraction, validation=1 / k)
    wanted = round(fraction * 60_000)
    assert (len(parts.train), len(parts.validation)) == (wanted - wanted // k, wanted // k)
    assert parts.fraction == fraction
    for rows in (parts.train, parts.validation):
        assert np.ptp(np.bincount(dataset.y_train[rows])) <= 1


def test_small_beginnings_hold_validation_images_of_some_classes() -> None:
    # 6 images a class: were all classes held out at the same turn, there would be 0 or 10, never about 6.
    parts = split(balanced(60_000), fraction=0.001)
    assert 4 <= len(parts.validation) <= 7
    assert len(parts.train) + len(parts.validation) == 60


def test_seeds_draw_other_orders_and_labels_do_not_follow_a_pattern() -> None:
    dataset = balanced(2_000)
    orders = [order_of_training(dataset, seed) for seed in range(3)]
    assert (orders[0] == order_of_training(dataset, 0)).all()
    for first, second in ((0, 1), (1, 2)):
        assert np.mean(orders[first] == orders[second]) < 0.01
    labels = dataset.y_train[orders[0]]
    for lag in range(1, 31):  # classes that took turns would agree at a lag of 10
        assert np.mean(labels[lag:] == labels[:-lag]) < 0.2


def test_the_test_set_is_whole_by_default_and_its_fractions_nest() -> None:
    dataset = balanced(2_000)
    whole = split(dataset).test
    assert sorted(whole) == list(range(1_000))
    part = split(dataset, test_fraction=0.05)
    np.testing.assert_array_equal(part.test, whole[:50])
    assert part.test_fraction == 0.05
    assert np.ptp(np.bincount(dataset.y_test[part.test])) <= 1


def as_slice(dataset: Dataset, split_seed: int, share: float) -> Dataset:
    """The beginning of a data set's own order, as the slice that ships is cut."""
    rows, tests = order_of_training(dataset, split_seed), order_of_test(dataset, split_seed)
    rows, tests = rows[: round(share * len(rows))], tests[: round(share * len(tests))]
    return replace(
        dataset,
        x_train=dataset.x_train[rows],
        y_train=dataset.y_train[rows],
        x_test=dataset.x_test[tests],
        y_test=dataset.y_test[tests],
        train_ids=rows,
        test_ids=tests,
        ordered_by=split_seed,
        hint="the rest: nablab data fetch numbers",
    )


@pytest.mark.parametrize("k", [0, 3, 5, 7, 10])
@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.0333, 0.1])
def test_a_slice_cuts_as_the_full_set_does(fraction: float, k: int) -> None:
    full = balanced(5_000)
    part = as_slice(full, 0, 0.1)
    validation = 1 / k if k else 0
    of_full = split(full, fraction=fraction, validation=validation, test_fraction=0.1)
    of_slice = split(part, fraction=fraction, validation=validation, test_fraction=0.1)
    np.testing.assert_array_equal(part.train_ids[of_slice.train], of_full.train)
    np.testing.assert_array_equal(part.train_ids[of_slice.validation], of_full.validation)
    np.testing.assert_array_equal(part.test_ids[of_slice.test], of_full.test)
    assert of_slice.fraction == of_full.fraction


def test_all_of_a_slice_is_the_default_and_more_of_it_an_error() -> None:
    part = as_slice(balanced(5_000), 0, 0.1)
    whole = split(part)
    assert len(whole.train) + len(whole.validation) == 500
    assert (whole.fraction, whole.test_fraction) == (0.1, 0.1)
    with pytest.raises(
        UserError, match=r"1,000 of 5,000 training images, and 500 are here; the rest: nablab"
    ):
        split(part, fraction=0.2)
    with pytest.raises(UserError, match=r"1,250 of 2,500 test images, and 250 are here; the rest: nablab"):
        split(part, test_fraction=0.5)
    with pytest.raises(UserError, match="in the order of split_seed 0, not 1; the rest: nablab"):
        split(part, split_seed=1)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.0001, float("nan"), 10])
def test_fractions_outside_of_their_range(fraction: float) -> None:
    with pytest.raises(UserError, match=r"is outside \(0, 1\]"):
        split(balanced(100), fraction=fraction)
    with pytest.raises(UserError, match=r"test fraction .* is outside \(0, 1\]"):
        split(balanced(100), test_fraction=fraction)


@pytest.mark.parametrize("validation", [-0.1, 0.15, 0.6, 1, float("nan"), 2.5])
def test_validation_is_one_kth(validation: float) -> None:
    with pytest.raises(UserError, match="must be 0 or one k-th"):
        split(balanced(100), validation=validation)


def test_too_few_images_are_named() -> None:
    with pytest.raises(UserError, match="is less than one image"):
        split(balanced(100), fraction=0.001)
    with pytest.raises(UserError, match=r"5 images leave no training image of class \d.* and 2 more"):
        split(balanced(100), fraction=0.05)
    with pytest.raises(UserError, match=r"validation 0.1 of 10 images is no image.*or 0"):
        split(balanced(10), validation=0.1)


def test_a_class_of_one_image_trains() -> None:
    labels = np.array([0] * 50 + [1] * 50 + [2])
    for seed in range(20):
        parts = split(labelled(labels), validation=0.5, split_seed=seed)
        assert 100 in parts.train
