"""Interrupted anywhere and resumed, a training goes on bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from nablab.models.model import Model
from nablab.training.feed import TrainingData
from nablab.training.loop import EpochDone, Event, Finished, LoopState, StepDone, train
from nablab.training.recipe import Recipe
from nablab.training.recipe_values import AveragingName, OptimizerName, ScheduleName
from nablab.training.torch_trainable import make_trainable
from nablab.training.trainable import Arrays, Trainable

DataFor = Callable[[Recipe], TrainingData]
BASE = Recipe(epochs=4, batch_size=20, lr=0.02, schedule="constant")

VARIANTS: dict[str, dict[str, object]] = {
    "sgd": {"optimizer": "sgd", "momentum": 0.0},
    "momentum": {"optimizer": "sgd", "nesterov": True},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
    "rmsprop": {"optimizer": "rmsprop"},
    "step": {"schedule": "step", "step_size": 1},
    "cosine": {"schedule": "cosine"},
    "one_cycle": {"schedule": "one_cycle"},
    "plateau": {"schedule": "plateau", "plateau_patience": 1, "lr": 0.5},
    "ema": {"averaging": "ema", "ema_decay": 0.8},
    "tail": {"averaging": "tail"},
    "early stopping": {"early_stopping": 1, "lr": 0.5},
    "early stopping of averages": {"early_stopping": 2, "averaging": "ema", "lr": 0.1},
    "augmentation": {"augmentation": "flip,shift:1,rotate:10"},
    "penalties": {"l1": 0.001, "label_smoothing": 0.1, "clip_norm": 0.1, "class_weights": "balanced"},
    "bfloat16": {"precision": "bfloat16"},
    "sparse": {"evaluate_every": 3, "validation": 0.0},
    "frozen": {"freeze": "features", "averaging": "ema"},
    "slower by depth": {"layer_decay": 0.5, "optimizer": "rmsprop"},
}

Stored = tuple[str, Arrays, Arrays]


def stored(net: Trainable, state: LoopState) -> Stored:
    """What a consumer keeps: text, and copies of arrays."""
    values, arrays = state.pack()
    return json.dumps(values, allow_nan=False), {**arrays}, net.state()


def without_clocks(event: Event) -> Event:
    state = replace(event.state, train_seconds=0, wall_seconds=0)
    if isinstance(event, EpochDone):
        return EpochDone(replace(event.metrics, train_seconds=0, wall_seconds=0), state)
    return replace(event, state=state)


def all_of(model: Model, data: TrainingData, recipe: Recipe) -> tuple[list[Event], list[Stored], Arrays]:
    """An uninterrupted training: its events, what was stored at each of them, and its last weights."""
    net = make_trainable(model, data, recipe)
    events, checkpoints = [], []
    for event in train(net, data, recipe):
        events.append(without_clocks(event))
        checkpoints.append(stored(net, event.state))
    return events, checkpoints, net.weights()


def resumed(
    model: Model, data: TrainingData, recipe: Recipe, checkpoint: Stored
) -> tuple[Trainable, Iterator[Event]]:
    text, arrays, state = checkpoint
    net = make_trainable(model, data, recipe)
    net.load(state)
    return net, train(net, data, recipe, LoopState.unpack(json.loads(text), arrays))


def check(model: Model, data: TrainingData, recipe: Recipe, places: int = 4) -> None:
    events, checkpoints, weights = all_of(model, data, recipe)
    assert isinstance(events[-1], Finished)
    chosen = np.random.default_rng(len(events)).choice(len(events), places, replace=False)
    epoch_ends = [i for i, event in enumerate(events) if isinstance(event, EpochDone)]
    for place in {*chosen.tolist(), epoch_ends[0], epoch_ends[-1] - 1, len(events) - 1}:
        net, rest = resumed(model, data, recipe, checkpoints[place])
        expected = events[place + 1 :] or events[-1:]
        assert [without_clocks(event) for event in rest] == expected, f"after event {place}"
        after = net.weights()
        assert after.keys() == weights.keys()
        for name, value in after.items():
            np.testing.assert_array_equal(value, weights[name], err_msg=f"{name} after event {place}")


@pytest.mark.parametrize(
    ("field", "names"),
    [("optimizer", OptimizerName), ("schedule", ScheduleName), ("averaging", AveragingName)],
)
def test_every_member_is_resumed(field: str, names: object) -> None:
    assert {getattr(BASE.but(**variant), field) for variant in VARIANTS.values()} == {*get_args(names)}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_users_module_goes_on_bit_for_bit(data_for: DataFor, noisy: Model, name: str) -> None:
    recipe = BASE.but(**VARIANTS[name])
    check(noisy, data_for(recipe), recipe)


@pytest.mark.parametrize("name", ["adam", "ema", "momentum"])
@pytest.mark.parametrize("text", ["K", "8C3-BatchNorm-ReLU-MaxPool2-Dropout0.25-16-ReLU-K"])
def test_a_network_goes_on_bit_for_bit(
    data_for: DataFor, network: Callable[[str], Model], text: str, name: str
) -> None:
    recipe = BASE.but(**VARIANTS[name])
    check(network(text), data_for(recipe), recipe)


def test_seconds_are_carried_over(data_for: DataFor, noisy: Model) -> None:
    data = data_for(BASE)
    state = LoopState(epoch=2, train_seconds=100.0, wall_seconds=1000.0)
    event = next(train(make_trainable(noisy, data, BASE), data, BASE, state))
    assert isinstance(event, StepDone)
    assert 100 < event.state.train_seconds < 150
    assert 1000 < event.state.wall_seconds < 1050
    assert event.epoch == 2


def test_state_survives_json() -> None:
    state = LoopState(epoch=1, step=3, lr=0.1, train_seconds=1 / 3, best_weights={"a": np.ones(2)})
    values, arrays = state.pack()
    back = LoopState.unpack(json.loads(json.dumps(values)), {**arrays, "model/a": np.zeros(1)})
    assert back == state
    assert back.best_weights is not None
    assert back.best_weights.keys() == {"a"}
