"""Frozen layers and learning rates by depth, held against PyTorch's own parameter groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn.functional import cross_entropy

from nablab.models.model import Model
from nablab.training.engines import make_trainable
from nablab.training.feed import TrainingData, batches
from nablab.training.recipe import Recipe
from nablab.training.trainable import Arrays, Trainable
from nablab.training.tuning import Tuning

DataFor = Callable[[Recipe], TrainingData]
Network = Callable[[str], Model]

LR = 0.01
TEXT = "4C3-Tanh-BatchNorm-6C3-Tanh-BatchNorm-AvgPool2-K"  # no bias that a normalisation cancels
BASE = Recipe(batch_size=20, optimizer="adamw", lr=LR, weight_decay=0.05, schedule="constant", threads=1)


def stepped(net: Trainable, data: TrainingData, recipe: Recipe, epochs: int = 2) -> Arrays:
    for epoch in range(epochs):
        for batch in batches(data, recipe, epoch):
            net.step(batch, LR)
        net.scores(data.test.all())  # measuring turns to evaluation mode, and must not thaw anything
    return net.weights()


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_frozen_layers_stay_bit_for_bit_and_all_others_move(
    data_for: DataFor, network: Network, engine: str
) -> None:
    recipe = BASE.but(freeze="0,2", l1=0.01, clip_norm=1.0)
    model, data = replace(network(TEXT), engine=engine), data_for(recipe)
    net = make_trainable(model, data, recipe)
    before, after = net.weights(), stepped(net, data, recipe)
    assert [name for name in before if name.startswith("2.")] == [
        "2.weight", "2.bias", "2.running_mean", "2.running_var", "2.num_batches_tracked",
    ]  # fmt: skip
    for name, value in after.items():
        if name.startswith(("0.", "2.")):
            assert_array_equal(value, before[name], err_msg=name)
        else:
            assert not np.array_equal(value, before[name]), name


def test_frozen_normalisation_uses_its_running_statistics(data_for: DataFor, network: Network) -> None:
    """The first loss of a network that is frozen up to its head is that of evaluation mode."""
    recipe = BASE.but(freeze="0,2,3,5")
    data = data_for(recipe)
    net = make_trainable(network(TEXT), data, recipe)
    batch = next(batches(data, recipe, 0))
    expected = cross_entropy(torch.from_numpy(net.scores(batch.x)), torch.from_numpy(batch.y))
    assert net.step(batch, LR).loss == pytest.approx(float(expected), rel=1e-6)
    thawed = make_trainable(network(TEXT), data, BASE)
    assert thawed.step(batch, LR).loss != pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_rates_fall_with_depth_as_in_pytorchs_groups(data_for: DataFor, optimizer: str) -> None:
    recipe = BASE.but(optimizer=optimizer, layer_decay=0.3, momentum=0.5)

    def module() -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.Tanh(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 3),
            nn.Flatten(),
            nn.Linear(16, 4),
        )

    model = Model("user", "user.py:User", "module", "User", factory=lambda shape, classes: module())
    data = data_for(recipe)
    ours = stepped(make_trainable(model, data, recipe), data, recipe)

    torch.manual_seed(recipe.seed)
    theirs = module()
    rates = {0: LR * 0.3**2, 2: LR * 0.3**2, 3: LR * 0.3, 5: LR}
    groups = [{"params": list(theirs[i].parameters()), "lr": rate} for i, rate in rates.items()]
    made = {
        "sgd": lambda: torch.optim.SGD(groups, momentum=0.5, weight_decay=0.05),
        "adam": lambda: torch.optim.Adam(groups, weight_decay=0.05),
        "adamw": lambda: torch.optim.AdamW(groups, weight_decay=0.05),
        "rmsprop": lambda: torch.optim.RMSprop(groups, momentum=0.5, weight_decay=0.05),
    }[optimizer]()
    for epoch in range(2):
        for batch in batches(data, recipe, epoch):
            made.zero_grad()
            cross_entropy(theirs(torch.from_numpy(batch.x)), torch.from_numpy(batch.y)).backward()
            made.step()
    for name, value in theirs.state_dict().items():
        assert_allclose(ours[name], value.numpy(), atol=2e-6, err_msg=name)
    even = stepped(make_trainable(model, data, recipe.but(layer_decay=1)), data, recipe)
    assert np.abs(even["0.weight"] - ours["0.weight"]).max() > 1e-3


def test_the_schedule_moves_all_groups_together() -> None:
    tuning = Tuning(decay=0.5, steps={"a": 2, "b": 1, "c": 0})
    named = [("c.weight", 1), ("b.weight", 2), ("a.weight", 3), ("b.bias", 4)]
    assert tuning.groups(named) == [(0.25, [3]), (0.5, [2, 4]), (1.0, [1])]
    assert Tuning(steps={"a": 2}).groups(named) == [(1.0, [1, 2, 3, 4])]


def test_twins_start_and_learn_alike(data_for: DataFor, network: Network) -> None:
    recipe = BASE.but(freeze="0,2", layer_decay=0.5)
    data = data_for(recipe)
    ours = stepped(make_trainable(replace(network(TEXT), engine="numpy"), data, recipe), data, recipe)
    theirs = stepped(make_trainable(network(TEXT), data, recipe), data, recipe)
    for name, value in theirs.items():
        assert_allclose(ours[name], value, atol=2e-4, err_msg=name)
