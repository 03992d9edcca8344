"""The ladder: the same training written in several ways must give the same numbers.

Where one rung differs from the first by a constant factor, the factor is named: a loss that is averaged over
the classes too learns as with a learning rate K times smaller, and nothing else gives it away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from nablab.court.causes.factor import origins
from nablab.errors import UserError
from nablab.models import spec as layers
from nablab.models.initial import initial_weights
from nablab.models.model import Model
from nablab.models.shapes import flatten, walk
from nablab.training.engines import make_trainable
from nablab.training.feed import TrainingData, batches
from nablab.training.recipe import Recipe
from nablab.training.rungs import (
    Beginning,
    ByTrainable,
    InPyTorch,
    LossFunction,
    OnOurEngine,
    Rung,
    Taken,
    by_hand,
    trainable_in_double,
)
from nablab.training.trainable import Arrays, Batch

#: How far two rungs may be apart, relative to the largest number: single precision, and some steps of it.
TOLERANCE = 1e-3

#: The same where networks compute in double precision, and losses in single.
TOLERANCE_IN_DOUBLE = 1e-5


@dataclass(frozen=True)
class Difference:
    """A rung beside the first one after a step: differences relative to the largest number of the first."""

    step: int  #: from 1
    rung: str
    value: float  #: of the loss
    loss: float
    gradients: float
    weights: float

    @property
    def largest(self) -> float:
        """Of the three; NaN where one of them is."""
        return float(np.max([self.loss, self.gradients, self.weights]))

    @property
    def agrees(self) -> bool:
        """In single precision."""
        return self.largest <= TOLERANCE


@dataclass(frozen=True)
class Climb:
    """What was found.

    Attributes:
        rungs: names, the one that the others are held against first.
        differences: of each step and rung, the first one's zero.
        causes: by rung, why it differs, where a constant factor explains it.
        in_double: by rung, the largest difference of any step in double precision, for rungs that differ in
            single precision with no factor to explain it.
    """

    rungs: tuple[str, ...]
    differences: tuple[Difference, ...]
    causes: Mapping[str, str]
    in_double: Mapping[str, float]

    @property
    def agrees(self) -> bool:
        return all(map(self.rung_agrees, self.rungs))

    def rung_agrees(self, rung: str) -> bool:
        """Whether it found the same as the first in every step, but for rounding."""
        if rung in self.in_double:
            return self.in_double[rung] <= TOLERANCE_IN_DOUBLE
        return all(difference.agrees for difference in self.differences if difference.rung == rung)


def climb(
    model: Model, data: TrainingData, recipe: Recipe, steps: int, losses: Mapping[str, LossFunction]
) -> Climb:
    """Train a network on every rung, step by step.

    Rounding grows from layer to layer and from step to step: in deep networks two right rungs are soon far
    apart. Those that differ with no factor to explain it therefore train once more, in double precision and
    each step from the weights of the first rung.

    Args:
        recipe: plain SGD in float32 on the CPU; see `plain`.
        losses: further rungs by their names: PyTorch with this loss, updates by hand.

    Raises:
        UserError: a model that is no network of the layer language, or one with dropout; a loss that fails.
    """
    rungs = _rungs(model, data, recipe, losses)
    differences, causes = _train(rungs, data, recipe, steps)
    single = Climb(tuple(rungs), differences, causes, {})
    first, *others = rungs
    unexplained = [name for name in others if name not in causes and not single.rung_agrees(name)]
    if not unexplained:
        return single
    doubled = _rungs(model, data, recipe, losses, double=True)
    held = {name: doubled[name] for name in (first, *unexplained)}
    again, found = _train(held, data, recipe, steps, together=True)
    in_double = {
        name: float(np.max([difference.largest for difference in again if difference.rung == name]))
        for name in unexplained
    }
    return replace(single, causes=causes | found, in_double=in_double)


def _train(
    rungs: Mapping[str, Rung], data: TrainingData, recipe: Recipe, steps: int, *, together: bool = False
) -> tuple[tuple[Difference, ...], dict[str, str]]:
    """The differences from the first rung, and their causes.

    Args:
        together: each step begins at the weights of the first rung.
    """
    first, *others = rungs
    differences: list[Difference] = []
    causes: dict[str, str] = {}
    for number, batch in enumerate(islice(_endless(data, recipe), steps), start=1):
        expected = rungs[first].step(batch)
        differences.append(Difference(number, first, expected.loss, 0.0, 0.0, 0.0))
        for name in others:
            found = rungs[name].step(batch)
            differences.append(_difference(number, name, found, expected))
            if number == 1 and (cause := _cause(found, expected, batch, data.classes, recipe.lr)):
                causes[name] = cause
            if together:
                rungs[name].go_on_from(expected.weights)
    return tuple(differences), causes


def plain(lr: float, batch_size: int, seed: int) -> Recipe:
    """Gradient descent and nothing else."""
    return Recipe(
        batch_size=batch_size,
        optimizer="sgd",
        momentum=0.0,
        lr=lr,
        schedule="constant",
        weight_decay=0.0,
        validation=0.0,
        seed=seed,
        device="cpu",
    )


def _rungs(
    model: Model,
    data: TrainingData,
    recipe: Recipe,
    losses: Mapping[str, LossFunction],
    *,
    double: bool = False,
) -> dict[str, Rung]:
    if model.spec is None:
        raise UserError(
            f"{model.label}: the ladder takes networks of the layer language, e.g. mlp or 100-ReLU-K"
        )
    placed = flatten(walk(model.spec, data.input_shape, data.classes))
    if any(isinstance(p.layer, layers.Dropout) and p.layer.p for p in placed):
        raise UserError(
            f"{model.label} has dropout, which every engine draws for itself; leave it out to compare"
        )
    weights = initial_weights(model.spec, data.input_shape, data.classes, recipe.seed)
    beginning = Beginning(model.spec, data.input_shape, data.classes, weights, recipe.lr, double)
    written_out = by_hand(beginning)
    rungs: dict[str, Rung] = {"by hand": written_out} if written_out else {}
    rungs["our engine"] = OnOurEngine(beginning)
    rungs["torch, updates by hand"] = InPyTorch(beginning, optim=False)
    rungs["torch.optim"] = InPyTorch(beginning, optim=True)
    if double:
        trained = trainable_in_double(model.engine, beginning, data, recipe)
    else:
        trained = make_trainable(model, data, recipe)
    rungs["nablab train"] = ByTrainable(trained, beginning)
    for name, loss in losses.items():
        if name in rungs:
            raise UserError(f"there is a rung {name!r} already; give yours another name")
        rungs[name] = InPyTorch(beginning, optim=False, loss=loss)
    return rungs


def _endless(data: TrainingData, recipe: Recipe) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from batches(data, recipe, epoch)
        epoch += 1


def _difference(step: int, name: str, found: Taken, expected: Taken) -> Difference:
    return Difference(
        step=step,
        rung=name,
        value=found.loss,
        loss=abs(found.loss - expected.loss) / max(abs(expected.loss), 1e-12),
        gradients=_apart(found.gradients, expected.gradients),
        weights=_apart(found.weights, expected.weights),
    )


def _apart(found: Arrays, expected: Arrays) -> float:
    """The largest difference of any entry, relative to the largest entry."""
    largest = max(float(np.abs(value).max()) for value in expected.values())
    return max(float(np.abs(found[n] - e).max()) for n, e in expected.items()) / max(largest, 1e-30)


def _cause(found: Taken, expected: Taken, batch: Batch, classes: int, lr: float) -> str | None:
    """The constant factor between two gradients at the same weights, in words; None without one."""
    f = np.concatenate([found.gradients[name].ravel() for name in expected.gradients]).astype(np.float64)
    e = np.concatenate([value.ravel() for value in expected.gradients.values()]).astype(np.float64)
    if not e.any() or not np.isfinite(f).all():
        return None
    if not f.any():
        return "its gradient is zero"
    factor = float(f @ e / (e @ e))
    constant = np.abs(f - factor * e).max() <= TOLERANCE * abs(factor) * np.abs(e).max()
    if not constant or abs(factor - 1) <= TOLERANCE:
        return None
    known = list(origins(factor, len(batch.y), classes))
    simplest = [origin for origin in known if origin.parts == known[0].parts]
    said = " or ".join(origin.text(len(batch.y), classes) for origin in simplest)
    why = f": {said}" if said else ""
    hidden = f"; lr {lr / factor:.4g} would hide it" if factor > 0 else ""
    return f"its gradient is {factor:.4g} times that of the first rung{why}{hidden}"
