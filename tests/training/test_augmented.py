"""Both engines train on augmented images, and on the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nablab.models.model import Model
from nablab.training.engines import make_trainable
from nablab.training.feed import TrainingData
from nablab.training.loop import train
from nablab.training.recipe import Recipe
from nablab.training.trainable import Batch, StepResult, Trainable

TEXT = "flip,shift:1,crop:0.6,rotate:20,scale:0.1,brightness:0.2,erase:2"
BASE = Recipe(epochs=2, batch_size=20, lr=0.02, schedule="constant", optimizer="sgd", device="cpu", threads=1)


def fed(
    model: Model, data: TrainingData, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Batch], list[float]]:
    """Every batch that the network took a step on, and its loss."""
    net: Trainable = make_trainable(model, data, recipe)
    seen: list[Batch] = []
    losses: list[float] = []
    step = net.step

    def watched(batch: Batch, lr: float) -> StepResult:
        seen.append(batch)
        result = step(batch, lr)
        losses.append(float(result.loss))
        return result

    monkeypatch.setattr(net, "step", watched)
    list(train(net, data, recipe))
    return seen, losses


def test_both_engines_take_their_steps_on_the_same_augmented_images(
    data_for: Callable[[Recipe], TrainingData],
    network: Callable[[str], Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = network("4C3-ReLU-MaxPool2-K")
    engines = (model, replace(model, engine="numpy"))
    recipe = BASE.but(augmentation=TEXT)
    data = data_for(recipe)
    assert data.augmentation is not None
    scale, shift = (
        np.asarray(numbers)[:, None, None] for numbers in (data.preprocessing.scale, data.preprocessing.shift)
    )
    plain = [fed(engine, data_for(BASE), BASE, monkeypatch) for engine in engines]
    changed = [fed(engine, data, recipe, monkeypatch) for engine in engines]
    for (before, before_losses), (after, after_losses) in zip(plain, changed, strict=True):
        assert len(before) == len(after) > 0
        assert before_losses != after_losses
        for b, a in zip(before, after, strict=True):
            np.testing.assert_array_equal(b.y, a.y)  # the order is the same
            raw = np.rint(b.x * scale + shift).astype(np.uint8)
            expected = data.augmentation.apply(raw, seed=0, epoch=a.epoch, positions=a.positions)
            np.testing.assert_array_equal(a.x, data.preprocessing.apply(expected))
            assert (a.x != b.x).any(axis=(1, 2, 3)).mean() > 0.9
    (torch_batches, torch_losses), (numpy_batches, numpy_losses) = changed
    for ours, theirs in zip(numpy_batches, torch_batches, strict=True):
        np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_allclose(numpy_losses, torch_losses, rtol=1e-4)
