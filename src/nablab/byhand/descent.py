"""Gradient descent: on all samples at once, on minibatches, or on one sample at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import Array
from nablab.errors import UserError

Params = Mapping[str, Array]
Gradient = Callable[[Params, Array, Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Step:
    """One step done.

    Attributes:
        number: steps done, this one included.
        epoch: passes over the samples begun before this one.
        rows: which samples the gradient was taken on.
        params: the parameters after the step; new arrays each time, so they can be kept.
    """

    number: int
    epoch: int
    rows: Array
    params: dict[str, Array]


def descend(
    gradient: Gradient,
    params: Params,
    x: Array,
    y: Array,
    *,
    lr: float | Mapping[str, float],
    epochs: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
) -> Iterator[Step]:
    """Walk downhill: params - lr * gradient(params, samples), once a step. What is learned is in the steps.

    Full batch (`batch_size=None`): the true direction, one step an epoch. Single sample (`batch_size=1`):
    N steps an epoch, each with the noise of one sample, and little memory. Minibatches are between the two;
    the noise falls with the root of the batch size, the cost rises with it.

    Args:
        gradient: of (params, x, y), as those of the models here; of the mean over the samples.
        params: where to start; not changed.
        lr: the step size; or one for each parameter, by name (small steps for the hidden layer, say).
        epochs: passes over all samples.
        batch_size: samples a step; the last batch of an epoch may be smaller.
        rng: shuffles the samples each epoch; None leaves their order as it is.

    Raises:
        UserError: at the first step, a batch of none, samples without a label or labels without a sample, a
            parameter without a rate, or whose gradient is missing or has another shape.

    >>> def slope(params, x, y):
    ...     return {"w": 2 * params["w"]}  # of w^2
    >>> start = {"w": np.array(1.0)}
    >>> [float(s.params["w"]) for s in descend(slope, start, np.zeros(1), np.zeros(1), lr=0.25, epochs=3)]
    [0.5, 0.25, 0.125]
    """
    x, y = np.asarray(x), np.asarray(y)
    samples = len(x)
    if len(y) != samples:
        raise UserError(f"{samples} samples and {len(y)} labels: there must be one for each")
    if batch_size is not None and batch_size < 1:
        raise UserError(f"batch_size must be 1 or more, or None for all samples, not {batch_size}")
    size = samples if batch_size is None else batch_size
    rates = lr if isinstance(lr, Mapping) else dict.fromkeys(params, lr)
    now = {name: np.array(value) for name, value in params.items()}
    if missing := [name for name in now if name not in rates]:
        raise UserError(f"lr has no rate for {', '.join(missing)}")
    number = 0
    for epoch in range(epochs):
        order = np.arange(samples) if rng is None else rng.permutation(samples)
        for first in range(0, samples, size):
            rows = order[first : first + size]
            slope = gradient(now, x[rows], y[rows])
            for name, value in now.items():
                if name not in slope or np.shape(slope[name]) != value.shape:
                    found = f"of shape {np.shape(slope[name])}" if name in slope else "missing"
                    raise UserError(f"the gradient of {name}, of shape {value.shape}, is {found}")
            now = {name: np.asarray(value - rates[name] * slope[name]) for name, value in now.items()}
            number += 1
            yield Step(number, epoch, rows, now)


def final(steps: Iterator[Step]) -> dict[str, Array]:
    """The parameters after the last of the steps.

    Raises:
        ValueError: there were no steps.
    """
    last = deque(steps, maxlen=1)
    if not last:
        raise ValueError("no steps: epochs is 0, or there are no samples")
    return last[0].params
