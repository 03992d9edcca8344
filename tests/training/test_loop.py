"""What the loop tells, measures and keeps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from time import sleep

import numpy as np
import pytest
import torch

from nablab.errors import RunFailed
from nablab.models.model import Model
from nablab.training.feed import TrainingData, batches
from nablab.training.loop import EpochDone, Event, Finished, StepDone, train
from nablab.training.measure import measure
from nablab.training.recipe import Recipe
from nablab.training.signals import EpochMetrics
from nablab.training.torch_trainable import make_trainable
from nablab.training.trainable import Arrays, Batch, StepResult

DataFor = Callable[[Recipe], TrainingData]
BASE = Recipe(epochs=3, batch_size=20, lr=0.01, schedule="constant")


class Scripted:
    """A network whose losses follow a script: after epoch e, the logit of class 0 is `script[e - 1]`.

    Its one weight says how many epochs it was trained, so that a test sees whose weights are kept.
    """

    def __init__(self, script: list[float], steps: int, seconds: float = 0.0) -> None:
        self.script, self.steps, self.seconds, self.loss = script, steps, seconds, 1.0
        self.done, self.kept = 0, None
        self.lrs: list[float] = []

    def step(self, batch: Batch, lr: float) -> StepResult:
        sleep(self.seconds)
        self.done += 1
        self.lrs.append(lr)
        return StepResult(self.loss, 5, len(batch.y))

    def average(self, rate: float) -> None:
        raise AssertionError("no recipe here averages")

    def scores(self, x: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(x), 4), np.float32)
        scores[:, 0] = self.script[self.done // self.steps - 1]
        return scores

    def weights(self) -> Arrays:
        return {"epoch": np.array([self.done // self.steps])}

    def load_weights(self, weights: Arrays) -> None:
        self.kept = int(weights["epoch"][0])

    def state(self) -> Arrays:
        return self.weights()

    def load(self, state: Arrays) -> None:
        self.load_weights(state)


def metrics_of(events: list[Event]) -> list[EpochMetrics]:
    return [event.metrics for event in events if isinstance(event, EpochDone)]


def test_events_come_in_their_order(data_for: DataFor, noisy: Model) -> None:
    data = data_for(BASE)
    events = list(train(make_trainable(noisy, data, BASE), data, BASE))
    kinds = [kind for kind, _ in itertools.groupby(type(event) for event in events)]
    assert kinds == [StepDone, EpochDone] * 3 + [Finished]
    places = [(event.epoch, event.step) for event in events if isinstance(event, StepDone)]
    assert places == [(epoch, step) for epoch in range(3) for step in range(4)]
    assert [m.epoch for m in metrics_of(events)] == [1, 2, 3]
    assert [m.step for m in metrics_of(events)] == [4, 8, 12]


def test_it_learns(data_for: DataFor, network: Callable[[str], Model]) -> None:
    recipe = BASE.but(epochs=25)
    data = data_for(recipe)
    last = metrics_of(list(train(make_trainable(network("16-ReLU-K"), data, recipe), data, recipe)))[-1]
    assert last.test_accuracy is not None
    assert last.test_accuracy > 0.8


def test_frozen_measurements_are_those_of_the_weights_then(data_for: DataFor, noisy: Model) -> None:
    recipe = BASE.but(train_sample=30)
    data = data_for(recipe)
    net = make_trainable(noisy, data, recipe)
    for event in train(net, data, recipe):
        if isinstance(event, EpochDone):
            for part, name in (
                (data.train_sample, "train"),
                (data.validation, "validation"),
                (data.test, "test"),
            ):
                assert part is not None
                logits = torch.from_numpy(net.scores(part.all()))
                loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(part.y)).item()
                accuracy = (logits.argmax(1).numpy() == part.y).mean()
                assert getattr(event.metrics, f"{name}_loss") == pytest.approx(loss, rel=1e-5)
                assert getattr(event.metrics, f"{name}_accuracy") == pytest.approx(accuracy)


def test_running_loss_is_the_mean_over_images(data_for: DataFor, noisy: Model) -> None:
    recipe = BASE.but(epochs=1, l1=0.1, label_smoothing=0.3)
    data = data_for(recipe)
    events = list(train(make_trainable(noisy, data, recipe), data, recipe))
    sizes = [len(batch.y) for batch in batches(data, recipe, 0)]
    assert sizes == [20, 20, 20, 12]
    steps = [event for event in events if isinstance(event, StepDone)]
    expected = np.average([step.loss for step in steps], weights=sizes)
    assert metrics_of(events)[0].running_loss == pytest.approx(expected)
    correct = sum(step.result.correct for step in steps)
    assert metrics_of(events)[0].running_accuracy == pytest.approx(correct / sum(sizes))


def test_what_is_due_is_measured_and_the_last_epoch_always(data_for: DataFor, noisy: Model) -> None:
    recipe = BASE.but(epochs=5, evaluate_every=2)
    data = data_for(recipe)
    metrics = metrics_of(list(train(make_trainable(noisy, data, recipe), data, recipe)))
    for name in ("train_loss", "validation_loss", "test_loss", "test_accuracy"):
        assert [getattr(m, name) is not None for m in metrics] == [False, True, False, True, True]


def scripted(data: TrainingData, script: list[float], recipe: Recipe) -> tuple[Scripted, list[Event]]:
    net = Scripted(script, steps=4)
    return net, list(train(net, data, recipe))


SCRIPT = [0.1, 0.5, 0.3, 0.4, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]


@pytest.mark.parametrize(("patience", "stops", "best"), [(1, 2, 1), (2, 3, 1), (3, 4, 1), (9, 10, 1)])
def test_early_stopping_keeps_the_best(data_for: DataFor, patience: int, stops: int, best: int) -> None:
    """A quarter of the images are of class 0: the smallest logit, of the first epoch, has the least loss."""
    recipe = BASE.but(epochs=10, early_stopping=patience, evaluate_every=10)
    data = data_for(recipe)
    net, events = scripted(data, SCRIPT, recipe)
    finished = events[-1]
    assert isinstance(finished, Finished)
    metrics = metrics_of(events)
    assert len(metrics) == stops
    assert finished.reason == ("early stopping" if stops < 10 else "completed")
    assert (finished.kept, finished.kept_epoch, net.kept) == ("best", best, best)
    losses = [m.validation_loss for m in metrics]
    assert np.argmin(losses) + 1 == best
    assert [m.test_loss is not None for m in metrics] == [False] * (stops - 1) + [True]


def test_without_early_stopping_the_last_weights_stay(data_for: DataFor) -> None:
    net, events = scripted(data_for(BASE), SCRIPT, BASE)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.kept, finished.kept_epoch, net.kept) == ("completed", "last", 3, None)


def test_plateau_falls_by_validation(data_for: DataFor) -> None:
    recipe = BASE.but(epochs=6, schedule="plateau", plateau_patience=2, gamma=0.1, lr=1.0)
    net, _ = scripted(data_for(recipe), [0.9, 0.8, 0.85, 0.85, 0.85, 0.85], recipe)
    np.testing.assert_allclose(net.lrs[::4], [1, 1, 1, 1, 0.1, 0.1])


def test_averages_are_measured_and_kept(data_for: DataFor, noisy: Model) -> None:
    recipe = BASE.but(averaging="ema", ema_decay=0.9)
    data = data_for(recipe)
    net = make_trainable(noisy, data, recipe)
    events = list(train(net, data, recipe))
    assert isinstance(events[-1], Finished)
    assert events[-1].kept == "averaged"
    assert metrics_of(events)[-1].test_loss == measure(net.scores, data.test).loss
    current = {name[6:]: value for name, value in net.state().items() if name.startswith("model/")}
    assert any((current[name] != value).any() for name, value in net.weights().items())


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_fails_the_run(data_for: DataFor, loss: float) -> None:
    net = Scripted([0.5], steps=4)
    events = train(net, data_for(BASE), BASE)
    next(events), next(events)
    net.loss = loss
    with pytest.raises(RunFailed, match=r"epoch 1, step 3: the loss is (nan|inf) at lr 0\.01") as caught:
        next(events)
    assert (caught.value.epoch, caught.value.step) == (0, 2)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
@pytest.mark.filterwarnings("error")
def test_a_measured_loss_that_is_not_finite_names_the_last_step(data_for: DataFor, score: float) -> None:
    message = r"in epoch 2, step 4: a loss measured after it is nan at lr 0\.01"
    with pytest.raises(RunFailed, match=message) as caught:
        list(train(Scripted([0.5, score], steps=4), data_for(BASE), BASE))
    assert (caught.value.epoch, caught.value.step) == (1, 3)


def test_divergence_of_a_real_network_is_a_failed_run(data_for: DataFor, noisy: Model) -> None:
    recipe = BASE.but(optimizer="sgd", lr=1e30)
    data = data_for(recipe)
    with pytest.raises(RunFailed, match="diverged"):
        list(train(make_trainable(noisy, data, recipe), data, recipe))


def test_clocks_count_steps_and_leave_out_the_consumer(data_for: DataFor) -> None:
    net = Scripted([0.5] * 3, steps=4, seconds=0.002)
    events = []
    for event in train(net, data_for(BASE), BASE):
        events.append(event)
        sleep(0.02)
    last = events[-1].state
    assert 12 * 0.002 <= last.train_seconds < 0.02 * len(events) / 2
    assert last.wall_seconds > 0.02 * (len(events) - 1) + 12 * 0.002
    end = events[-2]
    assert isinstance(end, EpochDone)
    assert end.metrics.train_seconds == end.state.train_seconds == last.train_seconds
    assert end.metrics.wall_seconds == end.state.wall_seconds < last.wall_seconds
