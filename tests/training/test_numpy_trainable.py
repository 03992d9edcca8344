"""Training on our own engine against training with PyTorch: the same curves from the same beginning."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from nablab.errors import UserError
from nablab.models.model import Model
from nablab.training.engines import make_trainable
from nablab.training.feed import TrainingData, batches
from nablab.training.loop import EpochDone, Event, LoopState, StepDone, train
from nablab.training.numpy_trainable import OPTIMIZERS, NumpyTrainable
from nablab.training.recipe import Recipe
from nablab.training.recipe_values import OptimizerName
from nablab.training.trainable import Arrays

DataFor = Callable[[Recipe], TrainingData]
Network = Callable[[str], Model]

BASE = Recipe(epochs=2, batch_size=20, lr=0.02, schedule="constant", optimizer="sgd", device="cpu", threads=1)
SPECS = [
    "K",
    "12-ReLU-K",
    "4C3-ReLU-MaxPool2-8C3-Tanh-K",
    "4C3-BatchNorm-ReLU-GlobalAvgPool-K",
    "DW3-8C1-GroupNorm2-SiLU-AvgPool2-K",
    "4C3-LayerNorm-GELU-GlobalMaxPool-K",
    "4C3-InstanceNorm-PReLU-Flatten-8-ELU-K",
    "Res(4C3s2-BatchNorm-LeakyReLU0.1-4C3)-Softplus-Dropout0-K",
]
VARIANTS: dict[str, dict[str, object]] = {
    "sgd": {"momentum": 0.0},
    "nesterov": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    "adam": {"optimizer": "adam", "lr": 0.003, "beta1": 0.8, "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "lr": 0.003, "weight_decay": 0.1},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.001, "momentum": 0.5},
    "one_cycle": {"schedule": "one_cycle"},
    "plateau": {"schedule": "plateau", "plateau_patience": 1},
    "smoothing": {"label_smoothing": 0.2},
    "class weights": {"class_weights": "balanced", "label_smoothing": 0.1},
    "l1": {"l1": 0.01},
    "clipping": {"clip_norm": 0.05},
    "ema": {"averaging": "ema", "ema_decay": 0.8},
    "tail": {"averaging": "tail"},
    "augmentation": {"augmentation": "flip,shift:1"},
    "early stopping": {"early_stopping": 1, "lr": 0.1},
    "frozen": {"freeze": "0"},
    "slower by depth": {"layer_decay": 0.5, "optimizer": "adamw", "lr": 0.003},
}


def on_numpy(model: Model) -> Model:
    return replace(model, label=f"{model.label}-numpy", reference=f"numpy:{model.reference}", engine="numpy")


def curve(model: Model, data: TrainingData, recipe: Recipe) -> tuple[list[float], Arrays]:
    """All losses of a training, of steps and of measurements, and its kept weights."""
    net = make_trainable(model, data, recipe)
    losses: list[float] = []
    for event in train(net, data, recipe):
        if isinstance(event, StepDone):
            losses.append(event.result.loss)
        elif isinstance(event, EpochDone):
            metrics = event.metrics
            losses += [metrics.train_loss or 0, metrics.validation_loss or 0, metrics.test_loss or 0]
    return losses, net.weights()


def check_twins(model: Model, data: TrainingData, recipe: Recipe) -> None:
    losses, weights = curve(on_numpy(model), data, recipe)
    expected, theirs = curve(model, data, recipe)
    assert len(losses) == len(expected) >= 2 * 4
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)
    assert weights.keys() == theirs.keys()
    for name, value in weights.items():
        assert value.dtype == theirs[name].dtype
        np.testing.assert_allclose(value, theirs[name], atol=2e-4, err_msg=name)
    assert losses[0] != pytest.approx(losses[-1], rel=1e-3)  # it did learn


@pytest.mark.parametrize("text", SPECS)
def test_networks_have_pytorchs_curves(data_for: DataFor, network: Network, text: str) -> None:
    check_twins(network(text), data_for(BASE), BASE)


@pytest.mark.parametrize("name", VARIANTS)
def test_recipes_have_pytorchs_curves(data_for: DataFor, network: Network, name: str) -> None:
    recipe = BASE.but(**VARIANTS[name])
    check_twins(network("4C3-Tanh-AvgPool2-PReLU-K"), data_for(recipe), recipe)


def test_unequal_classes_weigh_as_in_pytorch(data_for: DataFor, network: Network) -> None:
    recipe = BASE.but(class_weights="balanced")
    data = data_for(recipe)
    kept = np.flatnonzero((data.train.y != 1) | (np.arange(len(data.train.y)) % 2 == 0))
    ready = data.train.all()[kept]
    train_part = replace(data.train, rows=data.train.rows[kept], y=data.train.y[kept], ready=ready)
    check_twins(network("K"), replace(data, train=train_part), recipe)


def test_every_optimizer_is_tried() -> None:
    assert {*OPTIMIZERS} == {*get_args(OptimizerName)}
    assert {BASE.but(**v).optimizer for v in VARIANTS.values()} == {*OPTIMIZERS}


def without_clocks(event: Event) -> Event:
    state = replace(event.state, train_seconds=0, wall_seconds=0)
    if isinstance(event, EpochDone):
        return EpochDone(replace(event.metrics, train_seconds=0, wall_seconds=0), state)
    return replace(event, state=state)


@pytest.mark.parametrize("name", VARIANTS)
def test_it_goes_on_bit_for_bit(data_for: DataFor, network: Network, name: str) -> None:
    recipe = BASE.but(**VARIANTS[name])
    model = on_numpy(network("4C3-BatchNorm-ReLU-MaxPool2-Dropout0.25-8-ReLU-K"))
    data = data_for(recipe)
    net = make_trainable(model, data, recipe)
    events, stored = [], []
    for event in train(net, data, recipe):
        events.append(without_clocks(event))
        values, arrays = event.state.pack()
        stored.append((json.dumps(values), {**arrays}, net.state()))
    for place in (1, 3, len(events) - 2):
        text, arrays, state = stored[place]
        again = make_trainable(model, data, recipe)
        again.load(state)
        rest = list(train(again, data, recipe, LoopState.unpack(json.loads(text), arrays)))
        assert [without_clocks(event) for event in rest] == events[place + 1 :], f"after event {place}"
        weights = net.weights()
        for weight, value in again.weights().items():
            np.testing.assert_array_equal(value, weights[weight], err_msg=weight)


def test_dropout_is_keyed_by_seed_epoch_and_position(data_for: DataFor, network: Network) -> None:
    data = data_for(BASE)
    model = on_numpy(network("K"))
    model = replace(model, spec=network("64-Dropout0.5-K").spec)
    batch = next(batches(data, BASE, 0))

    def loss(recipe: Recipe, **changes: object) -> float:
        return float(make_trainable(model, data, recipe).step(replace(batch, **changes), 0.0).loss)

    first = loss(BASE)
    assert loss(BASE) == first
    assert loss(BASE, epoch=1) != first
    assert loss(BASE, positions=batch.positions + 20) != first
    net = make_trainable(model, data, BASE)
    scores = net.scores(batch.x)  # nothing is dropped
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert abs(first + log_p[range(20), batch.y].mean()) > 1e-3


def test_no_images_have_no_scores(data_for: DataFor, network: Network) -> None:
    data = data_for(BASE)
    net = make_trainable(on_numpy(network("K")), data, BASE)
    assert isinstance(net, NumpyTrainable)
    assert net.scores(data.test.all()[:0]).shape == (0, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "cuda"}, "^numpy:K computes on the CPU; use --device cpu, not cuda"),
        ({"device": "mps"}, "computes on the CPU"),
        ({"precision": "bfloat16"}, "^numpy:K computes in float32; use --precision float32, not bfloat16"),
    ],
)
def test_what_it_cannot_do(
    data_for: DataFor, network: Network, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_trainable(on_numpy(network("K")), data_for(BASE), BASE.but(**changes))


def test_a_users_module_is_pytorchs(data_for: DataFor, noisy: Model) -> None:
    with pytest.raises(UserError, match="the NumPy engine runs networks of the layer language only"):
        make_trainable(on_numpy(noisy), data_for(BASE), BASE)
