"""The whole of training, to be read aloud: a generator of events.

Whoever iterates decides what happens between two events: draw progress, write a checkpoint, stop. At any
event, `net.state()` and `event.state.pack()` are all that is needed to go on later as if nothing had been.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from nablab.errors import RunFailed
from nablab.training import averaging, schedule
from nablab.training.clock import Clock
from nablab.training.events import EpochDone, Event, Finished, Reason, StepDone
from nablab.training.feed import Part, TrainingData, batches, steps_per_epoch
from nablab.training.measure import NOT_MEASURED, Measured, measure
from nablab.training.recipe import Recipe
from nablab.training.signals import EpochMetrics
from nablab.training.state import LoopState, Running
from nablab.training.trainable import Batch, StepResult, Trainable

__all__ = ["EpochDone", "Event", "Finished", "LoopState", "StepDone", "train"]

#: On an accelerator, steps between two looks at the loss; each look waits for the device.
LOOK_EVERY = 50


def train(
    net: Trainable, data: TrainingData, recipe: Recipe, state: LoopState | None = None
) -> Iterator[Event]:
    """Train `net`, telling each step, each epoch and the end.

    Args:
        net: as made, or as loaded together with `state`.
        state: where to go on from; None is the beginning.

    Yields:
        `StepDone` after each step, `EpochDone` after each epoch, `Finished` once; the network then holds
        the weights that are kept.

    Raises:
        RunFailed: a loss that is not finite, with its epoch and step.
    """
    state = state or LoopState()
    clock = Clock(state.train_seconds, state.wall_seconds)
    steps = steps_per_epoch(data, recipe)

    while not _is_over(state, recipe):
        clock.start()
        for batch in batches(data, recipe, state.epoch, state.step):
            step = state.step
            state, result = _take_step(net, batch, recipe, state, steps)
            state = replace(state, train_seconds=clock.stop(), wall_seconds=clock.wall)
            yield StepDone(state.epoch, step, steps, result, state)
            clock.start()
        clock.stop()
        state, metrics = _end_epoch(net, data, recipe, state, steps)
        state = replace(state, wall_seconds=clock.wall)
        yield EpochDone(replace(metrics, wall_seconds=state.wall_seconds), state)

    yield _finish(net, recipe, replace(state, wall_seconds=clock.wall))


def _take_step(
    net: Trainable, batch: Batch, recipe: Recipe, state: LoopState, steps: int
) -> tuple[LoopState, StepResult]:
    """One step of the network, and of its average; the sums that follow from it."""
    done = state.epoch * steps + state.step
    lr = schedule.lr(recipe, done, steps, state.watch)
    result = net.step(batch, lr)
    rate = averaging.rate(recipe, done, recipe.epochs * steps)
    if rate is not None:
        net.average(rate)
    before = state.running
    running = Running(
        before.loss_sum + result.loss * result.size,
        before.correct + result.correct,
        before.seen + result.size,
    )
    if isinstance(result.loss, float) or done % LOOK_EVERY == 0 or state.step == steps - 1:
        _require_finite(float(running.loss_sum), "the loss", replace(state, lr=lr))
    return replace(state, step=state.step + 1, lr=lr, running=running), result


def _end_epoch(
    net: Trainable, data: TrainingData, recipe: Recipe, state: LoopState, steps: int
) -> tuple[LoopState, EpochMetrics]:
    """Measure frozen weights, remember the best ones, and stand at the beginning of the next epoch."""
    epoch = state.epoch + 1
    due = epoch % recipe.evaluate_every == 0 or epoch == recipe.epochs
    validation = _measured(net, data.validation if due or recipe.chooses else None, state)

    watch, best_weights = state.watch, state.best_weights
    if recipe.chooses and validation.loss is not None:
        watch = schedule.watched(watch, recipe, epoch, validation.loss)
        if recipe.early_stopping and watch.best_epoch == epoch:
            best_weights = net.weights()
    after = replace(state, epoch=epoch, step=0, running=Running(), watch=watch, best_weights=best_weights)

    due = due or _is_over(after, recipe)
    sample = _measured(net, data.train_sample if due else None, state)
    test = _measured(net, data.test if due else None, state)
    return after, EpochMetrics(
        epoch=epoch,
        step=epoch * steps,
        lr=state.lr,
        running_loss=state.running.loss,
        running_accuracy=state.running.accuracy,
        train_loss=sample.loss,
        train_accuracy=sample.accuracy,
        validation_loss=validation.loss,
        validation_accuracy=validation.accuracy,
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        train_seconds=state.train_seconds,
        wall_seconds=state.wall_seconds,
    )


def _finish(net: Trainable, recipe: Recipe, state: LoopState) -> Finished:
    """Let the network hold the weights that are kept."""
    reason: Reason = "completed" if state.epoch >= recipe.epochs else "early stopping"
    if recipe.early_stopping and state.best_weights is not None and state.watch.best_epoch is not None:
        net.load_weights(state.best_weights)
        return Finished(reason, "best", state.watch.best_epoch, state)
    return Finished(reason, "last" if recipe.averaging == "none" else "averaged", state.epoch, state)


def _is_over(state: LoopState, recipe: Recipe) -> bool:
    """Whether all epochs are done, or no better one was seen for as long as early stopping waits."""
    best = state.watch.best_epoch
    waited = 0 if best is None else state.epoch - best
    return state.epoch >= recipe.epochs or 0 < recipe.early_stopping <= waited


def _measured(net: Trainable, part: Part | None, state: LoopState) -> Measured:
    """Loss and accuracy on a part; of none, nothing."""
    if part is None:
        return NOT_MEASURED
    measured = measure(net.scores, part)
    last = replace(state, step=state.step - 1)  # of the epoch that has ended
    _require_finite(measured.loss, "a loss measured after it", last)
    return measured


def _require_finite(loss: float | None, what: str, state: LoopState) -> None:
    if loss is not None and not math.isfinite(loss):
        raise RunFailed(
            f"training diverged in epoch {state.epoch + 1}, step {state.step + 1}: {what} is {loss} "
            f"at lr {state.lr:g}; lower lr or set clip_norm",
            step=state.step,
            epoch=state.epoch,
        )
