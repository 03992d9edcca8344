"""Weights that a network starts from: all of them are taken over, or the first that isn't is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from nablab.errors import UserError
from nablab.models.initial import initial_weights
from nablab.models.language import parse
from nablab.models.model import Model
from nablab.models.shapes import trace
from nablab.training.engines import make_trainable
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe
from nablab.training.start import Start, Taken, take_over
from nablab.training.trainable import Arrays

DataFor = Callable[[Recipe], TrainingData]
Network = Callable[[str], Model]

TEXT = "4C3-BatchNorm-ReLU-MaxPool2-8-ReLU-K"
SHAPE = (2, 6, 6)


def own(text: str = TEXT, classes: int = 4, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Arrays:
    return initial_weights(parse(text), shape, classes, seed)


def begun(
    weights: Arrays, *, text: str = TEXT, classes: int = 4, shape: tuple[int, ...] = SHAPE, **start: object
) -> tuple[Arrays, Taken]:
    rows = trace(parse(text), shape, classes)
    return take_over(own(text, classes, shape), rows, Start("runs/a", weights, **start), "net")  # type: ignore[arg-type]


def test_everything_is_taken_over() -> None:
    there = own(seed=1)
    weights, taken = begun(there)
    assert taken == Taken(("0", "1", "4", "6"), ())
    assert list(weights) == list(own())
    for name, value in weights.items():
        assert_array_equal(value, there[name], err_msg=name)


@pytest.mark.parametrize(
    ("classes", "start"), [(3, {}), (3, {"new_head": True}), (4, {"new_head": True}), (1, {"new_head": None})]
)
def test_a_new_head_is_the_only_new_thing(classes: int, start: dict[str, bool | None]) -> None:
    there = own(classes=classes, seed=1)
    weights, taken = begun(there, **start)
    assert taken == Taken(("0", "1", "4"), ("6",))
    chance = own()
    for name, value in weights.items():
        assert_array_equal(value, (chance if name.startswith("6.") else there)[name], err_msg=name)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            own(shape=(1, 6, 6)),
            r"0\.weight is \(4, 1, 3, 3\) there and \(4, 2, 3, 3\) here; give the network",
        ),
        (
            own("8C3-BatchNorm-ReLU-MaxPool2-8-ReLU-K"),
            r"0\.weight is \(8, 2, 3, 3\) there and \(4, 2, 3, 3\)",
        ),
        (own(shape=(2, 8, 8)), r"4\.weight is \(8, 64\) there and \(8, 36\) here"),
        (own("4C3-ReLU-MaxPool2-8-ReLU-K"), r"runs/a has no 1\.weight, which net has"),
        (own(TEXT.replace("8-ReLU-K", "K")), r"4\.weight is \(4, 36\) there and \(8, 36\)"),
        (own() | {"7.weight": np.zeros(1)}, r"runs/a has 7\.weight, which net has no place for"),
        (own() | {"4.bias": np.full(8, np.nan, np.float32)}, r"4\.bias holds numbers that are not finite"),
        (own() | {"4.weight": np.zeros((36, 8))}, r"4\.weight is \(36, 8\) there and \(8, 36\) here"),
        ({}, r"runs/a has no 0\.weight"),
    ],
)
def test_the_first_layer_that_does_not_fit_is_named(weights: Arrays, message: str) -> None:
    with pytest.raises(UserError, match=message):
        begun(weights)


def test_a_head_that_was_meant_to_fit_can_be_replaced() -> None:
    with pytest.raises(UserError, match=r"6\.weight is \(3, 8\) there and \(4, 8\) here; add --new-head"):
        begun(own(classes=3), new_head=False)


def test_a_head_of_another_input_is_replaced_whole() -> None:
    text = "4C3-ReLU-K"
    weights, taken = begun(own(text, shape=(2, 8, 8)), text=text, new_head=True)
    assert taken == Taken(("0",), ("2",))
    assert weights["2.weight"].shape == (4, 144)


def test_counts_of_batches_may_be_missing_and_types_are_the_networks() -> None:
    there = {
        name: value.astype(np.float16) for name, value in own(seed=1).items() if "num_batches" not in name
    }
    weights, taken = begun(there)
    assert taken.new == ()
    assert weights["0.weight"].dtype == np.float32
    assert_array_equal(weights["0.weight"], there["0.weight"].astype(np.float32))
    assert weights["1.num_batches_tracked"] == 0


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_training_starts_there(data_for: DataFor, network: Network, engine: str) -> None:
    recipe = Recipe(batch_size=20)
    model = replace(network(TEXT), start="runs/a", engine=engine)
    there = own(seed=1)
    net = make_trainable(model, data_for(recipe), recipe, Start("runs/a", there))
    for name, value in net.weights().items():
        assert_array_equal(value, there[name], err_msg=name)
    with pytest.raises(UserError, match="only train and compare do"):
        make_trainable(model, data_for(recipe), recipe)


def test_a_users_module_starts_there(data_for: DataFor, noisy: Model) -> None:
    recipe = Recipe(batch_size=20, seed=3)
    torch.manual_seed(1)
    assert noisy.factory is not None
    there = {name: value.numpy() for name, value in noisy.factory(SHAPE, 4).state_dict().items()}
    net = make_trainable(noisy, data_for(recipe), recipe, Start("a.safetensors", there))
    for name, value in net.weights().items():
        assert_array_equal(value, there[name], err_msg=name)
    replaced = make_trainable(noisy, data_for(recipe), recipe, Start("a", there, new_head=True)).weights()
    chance = make_trainable(noisy, data_for(recipe), recipe).weights()
    for name, value in replaced.items():
        assert_array_equal(value, (chance if name.startswith("out.") else there)[name], err_msg=name)


def test_a_module_whose_head_cannot_be_told() -> None:
    class Sum(nn.Module):
        pass

    with pytest.raises(UserError, match="the head of net cannot be told"):
        take_over({}, (), Start("runs/a", {}, new_head=True), "net")
