from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nablab.data import keyed, preprocess
from nablab.data.dataset import Dataset
from nablab.data.split import split
from nablab.training import feed
from nablab.training.feed import TrainingData, batches, prepare, steps_per_epoch
from nablab.training.recipe import Recipe

DataFor = Callable[[Recipe], TrainingData]


def test_an_epoch_shows_every_training_image_once(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    seen = np.concatenate([batch.x for batch in batches(data, recipe, 0)])
    ours, theirs = (np.unique(x.reshape(len(x), -1), axis=0) for x in (seen, data.train.all()))
    assert len(seen) == len(data.train)
    np.testing.assert_array_equal(ours, theirs)


def test_labels_follow_their_images(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    label_of = {x.tobytes(): y for x, y in zip(data.train.all(), data.train.y, strict=True)}
    for batch in batches(data, recipe, 3):
        assert [label_of[x.tobytes()] for x in batch.x] == batch.y.tolist()


def test_epochs_and_seeds_have_orders_of_their_own(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=100)
    data = data_for(recipe)
    keys = [(recipe, 0), (recipe, 1), (recipe.but(seed=1), 0)]
    orders = [next(iter(batches(data, which, epoch))).y.tolist() for which, epoch in keys]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


@pytest.mark.parametrize("augmentation", ["", "flip,shift:1"])
def test_a_batch_does_not_need_the_ones_before_it(data_for: DataFor, augmentation: str) -> None:
    recipe = Recipe(batch_size=16, augmentation=augmentation)
    data = data_for(recipe)
    whole = list(batches(data, recipe, 2))
    for start in range(len(whole) + 1):
        late = list(batches(data, recipe, 2, start))
        assert len(late) == len(whole) - start
        for ours, theirs in zip(late, whole[start:], strict=True):
            np.testing.assert_array_equal(ours.x, theirs.x)
            np.testing.assert_array_equal(ours.y, theirs.y)
            np.testing.assert_array_equal(ours.positions, theirs.positions)


@pytest.mark.parametrize("at_once", [1, 5000, 10**9])
def test_how_many_batches_are_made_at_once_changes_none(
    data_for: DataFor, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(batch_size=16, augmentation="flip,shift:1,rotate:20,crop:0.5,erase:2", seed=4)
    data = data_for(recipe)
    assert data.augmentation is not None
    monkeypatch.setattr(feed, "AUGMENTED_NUMBERS", at_once)
    order = keyed.generator(4, "order", 1).permutation(len(data.train))
    raw = data.train.raw(order)
    for batch in batches(data, recipe, 1):
        part = data.augmentation.apply(raw[batch.positions], seed=4, epoch=1, positions=batch.positions)
        np.testing.assert_array_equal(batch.x, data.preprocessing.apply(part))
        np.testing.assert_array_equal(batch.y, data.train.y[order[batch.positions]])


def test_augmentation_changes_training_images_only(data_for: DataFor) -> None:
    plain, augmented = Recipe(batch_size=100), Recipe(batch_size=100, augmentation="shift:2")
    data, moved = data_for(plain), data_for(augmented)
    first = [next(batches(data, plain, 0)), next(batches(moved, augmented, 0))]
    np.testing.assert_array_equal(first[0].y, first[1].y)
    assert (first[0].x != first[1].x).any()
    np.testing.assert_array_equal(data.test.all(), moved.test.all())
    np.testing.assert_array_equal(data.train_sample.all(), moved.train_sample.all())


@given(images=st.integers(1, 200), batch_size=st.integers(1, 64))
def test_no_image_is_left_alone(images: int, batch_size: int) -> None:
    starts = feed._starts(images, batch_size)
    sizes = np.diff([*starts, images])
    assert sizes.sum() == images
    assert (sizes[:-1] == batch_size).all()
    assert 1 <= sizes[-1] <= batch_size + 1
    assert sizes[-1] > 1 or batch_size == 1 or images == 1


def test_what_does_not_fit_in_memory_is_made_when_asked(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(batch_size=16, train_sample=20)
    cut = split(dataset)
    kept = prepare(dataset, cut, recipe)
    monkeypatch.setattr(feed, "KEEP_BYTES", 0)
    made = prepare(dataset, cut, recipe)
    assert kept.train.ready is not None
    assert made.train.ready is None
    for ours, theirs in zip(batches(made, recipe, 0), batches(kept, recipe, 0), strict=True):
        np.testing.assert_array_equal(ours.x, theirs.x)
    for name in ("train", "train_sample", "validation", "test"):
        pieces = list(getattr(made, name).pieces(7))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in pieces]), getattr(kept, name).all())
        np.testing.assert_array_equal(np.concatenate([y for _, y in pieces]), getattr(kept, name).y)


def test_parts_are_those_of_the_split(dataset: Dataset) -> None:
    recipe = Recipe(train_sample=20, preprocessing="none")
    cut = split(dataset, test_fraction=0.5)
    data = prepare(dataset, cut, recipe)
    assert data.validation is not None
    np.testing.assert_array_equal(data.train.all(), dataset.x_train[cut.train])
    np.testing.assert_array_equal(data.validation.all(), dataset.x_train[cut.validation])
    np.testing.assert_array_equal(data.test.all(), dataset.x_test[cut.test])
    np.testing.assert_array_equal(data.train_sample.y, dataset.y_train[cut.train[:20]])
    assert data.class_counts().tolist() == np.bincount(dataset.y_train[cut.train]).tolist()


def test_preprocessing_is_fitted_on_training_images(data_for: DataFor) -> None:
    data = data_for(Recipe(preprocessing="standardize"))
    train = data.train.all().astype(np.float64)
    np.testing.assert_allclose(train.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_each_split_and_kind_has_a_preprocessing_of_its_own(dataset: Dataset) -> None:
    for kind, fraction in (("standardize", 1.0), ("standardize", 0.5), ("unit", 0.5)):
        cut = split(dataset, fraction=fraction)
        fitted = prepare(dataset, cut, Recipe(preprocessing=kind)).preprocessing
        assert fitted == preprocess.fit(kind, dataset.x_train[cut.train], dataset.value_range)


def test_no_validation_is_none(data_for: DataFor) -> None:
    data = data_for(Recipe(validation=0))
    assert data.validation is None
    assert len(data.train) == 80


@pytest.mark.parametrize(("batch_size", "steps"), [(72, 1), (71, 1), (36, 2), (30, 3), (16, 5)])
def test_steps_per_epoch_counts_batches(data_for: DataFor, batch_size: int, steps: int) -> None:
    recipe = Recipe(batch_size=batch_size)
    data = data_for(recipe)
    assert len(data.train) == 72
    assert steps_per_epoch(data, recipe) == steps == len(list(batches(data, recipe, 0)))
