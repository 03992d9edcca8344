"""Small data that can be learned in a few steps, and the nets that learn it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.split import split
from nablab.models.language import parse
from nablab.models.model import Model
from nablab.training.feed import TrainingData, prepare
from nablab.training.recipe import Recipe


class Noisy(nn.Module):
    """What a user may write: dropout, batch normalisation, a `view` that channels-last memory breaks."""

    def __init__(self, channels: int, pixels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(4 * pixels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.dropout(self.features(x)).view(len(x), -1))


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """80 + 40 images of 2 x 6 x 6 in 4 classes: a bright row for each class, under noise."""
    rng = np.random.default_rng(0)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(count) % 4
        x = rng.integers(0, 160, (count, 2, 6, 6))
        x[np.arange(count), :, y] += 60
        return x.astype(np.uint8), y

    return make_dataset("rows", *images(80), *images(40), tuple("abcd"), source="drawn by a test")


@pytest.fixture(scope="session")
def data_for(dataset: Dataset) -> Callable[[Recipe], TrainingData]:
    def of(recipe: Recipe) -> TrainingData:
        cut = split(dataset, validation=recipe.validation, split_seed=recipe.split_seed)
        return prepare(dataset, cut, recipe)

    return of


@pytest.fixture(scope="session")
def noisy() -> Model:
    """A user's module."""

    def factory(input_shape: tuple[int, ...], classes: int) -> Any:
        return Noisy(input_shape[0], input_shape[1] * input_shape[2], classes)

    return Model("Noisy", "noisy.py:Noisy", "module", "Noisy", factory=factory)


@pytest.fixture(scope="session")
def network() -> Callable[[str], Model]:
    def of(text: str) -> Model:
        return Model(text, text, "network", text, spec=parse(text))

    return of
