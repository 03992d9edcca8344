"""The rungs of the ladder: one network, trained by plain gradient descent, written in one way after another.

Every rung begins with the same weights, is given the same batches, and says what it found: the loss, the
gradients, and the weights after the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from nablab import autograd
from nablab.byhand import MLP
from nablab.errors import UserError
from nablab.models import numpy_net
from nablab.models import spec as layers
from nablab.models.shapes import Placed, Shape, walk
from nablab.models.spec import Spec
from nablab.models.user_code import blaming
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe
from nablab.training.trainable import Arrays, Batch, Trainable

#: What a user's rung is: a loss of (logits, labels), tensors of PyTorch, to a tensor with one number.
LossFunction = Callable[[Any, Any], Any]

#: The activations that are written out by hand, by their names there.
_BY_HAND: dict[layers.Layer, str] = {
    layers.ReLU(): "relu",
    layers.LeakyReLU(): "leaky relu",
    layers.ELU(): "elu",
    layers.GELU(): "gelu",
    layers.SiLU(): "silu",
    layers.Softplus(): "softplus",
    layers.Tanh(): "tanh",
    layers.Sigmoid(): "logistic",
}


@dataclass(frozen=True, eq=False)
class Taken:
    """One step: the loss and the gradients before it, the weights after it."""

    loss: float
    gradients: Arrays
    weights: Arrays


class Rung(Protocol):
    """One way of writing the training of a network."""

    def step(self, batch: Batch) -> Taken:
        """Move the weights by -lr times the gradient."""

    def go_on_from(self, weights: Arrays) -> None:
        """Take another rung's weights, as its last step left them."""


@dataclass(frozen=True)
class Beginning:
    """What all rungs share. Networks compute in float32, or all in float64 where `double` is set."""

    spec: Spec
    input_shape: Shape
    classes: int
    weights: Arrays
    lr: float
    double: bool = False

    def x(self, batch: Batch) -> NDArray[Any]:
        """The images of a batch in that precision."""
        return batch.x.astype(np.float64) if self.double else batch.x


@final
class ByHand:
    """`nablab.byhand.MLP` in float64: the forward pass and every gradient written out."""

    def __init__(self, beginning: Beginning, net: MLP, linear: tuple[str, ...]) -> None:
        self._net, self._lr = net, beginning.lr
        self._names = {f"{path}.{what}": f"{letter}{number}" for number, path in enumerate(linear, start=1)
                       for what, letter in (("weight", "W"), ("bias", "b"))}  # fmt: skip
        self.go_on_from(beginning.weights)

    def go_on_from(self, weights: Arrays) -> None:
        self._params = {ours: weights[name].T.astype(np.float64) for name, ours in self._names.items()}

    def step(self, batch: Batch) -> Taken:
        x = batch.x.reshape(len(batch.x), -1).astype(np.float64)
        loss = self._net.loss(self._params, x, batch.y)
        gradient = self._net.gradient(self._params, x, batch.y)
        self._params = {name: p - self._lr * gradient[name] for name, p in self._params.items()}
        return Taken(loss, self._named(gradient), self._named(self._params))

    def _named(self, arrays: Mapping[str, Any]) -> Arrays:
        return {name: np.asarray(arrays[ours]).T for name, ours in self._names.items()}


def by_hand(beginning: Beginning) -> ByHand | None:
    """The network written out, where it is linear layers with one kind of activation between; else None."""
    placed = [
        p
        for p in walk(beginning.spec, beginning.input_shape, beginning.classes)
        if not isinstance(p.layer, layers.Flatten)
    ]
    linear, between = placed[::2], {p.layer for p in placed[1::2]}
    if len(placed) % 2 == 0 or not all(isinstance(p.layer, layers.Linear) for p in linear):
        return None
    if len(between) > 1 or not between <= _BY_HAND.keys():
        return None
    activation = _BY_HAND[between.pop()] if between else "relu"
    net = MLP(_widths(linear), activation)
    return ByHand(beginning, net, tuple(p.path for p in linear))


def _widths(linear: list[Placed]) -> tuple[int, ...]:
    assert all(a.output_shape == b.input_shape for a, b in pairwise(linear))
    return (math.prod(linear[0].input_shape), *(p.output_shape[0] for p in linear))


def on_numpy(beginning: Beginning) -> autograd.nn.Module:
    """The network on our engine."""
    net = numpy_net.build(beginning.spec, beginning.input_shape, beginning.classes)
    numpy_net.load(net, beginning.weights)
    return net.double() if beginning.double else net


def on_torch(beginning: Beginning) -> Any:
    """The network as a module of PyTorch."""
    from nablab.models import torch_net
    from nablab.training.tensors import copy_in, tensors_of

    net = torch_net.build(beginning.spec, beginning.input_shape, beginning.classes)
    copy_in(tensors_of(net), beginning.weights)
    return net.double() if beginning.double else net


@final
class OnOurEngine:
    """`nablab.autograd`: a module, its backward pass, and its SGD."""

    def __init__(self, beginning: Beginning) -> None:
        self._beginning, self._net = beginning, on_numpy(beginning)
        self._optimizer = autograd.optim.SGD(self._net.parameters(), lr=beginning.lr)

    def step(self, batch: Batch) -> Taken:
        self._optimizer.zero_grad()
        logits = self._net(autograd.from_numpy(self._beginning.x(batch)))
        loss = autograd.nn.functional.cross_entropy(logits, autograd.from_numpy(batch.y))
        loss.backward()
        value = float(loss)
        gradients = {n: np.array(p.grad.value) for n, p in self._net.named_parameters() if p.grad is not None}
        self._optimizer.step()
        return Taken(value, gradients, {n: np.array(p.value) for n, p in self._net.named_parameters()})

    def go_on_from(self, weights: Arrays) -> None:
        for name, parameter in self._net.named_parameters():
            parameter.value[...] = weights[name]


@final
class InPyTorch:
    """PyTorch: the updates by hand, or by `torch.optim.SGD`; the loss its cross entropy, or a user's."""

    def __init__(self, beginning: Beginning, *, optim: bool, loss: LossFunction | None = None) -> None:
        import torch

        self._beginning, self._net, self._loss = beginning, on_torch(beginning), loss
        self._optimizer = torch.optim.SGD(self._net.parameters(), lr=beginning.lr) if optim else None

    def step(self, batch: Batch) -> Taken:
        import torch

        self._net.zero_grad()
        loss = self._measure(self._net(torch.from_numpy(self._beginning.x(batch))), torch.from_numpy(batch.y))
        loss.backward()
        gradients = {n: p.grad.numpy().copy() for n, p in self._net.named_parameters() if p.grad is not None}
        if self._optimizer is not None:
            self._optimizer.step()
        else:
            with torch.no_grad():
                for parameter in self._net.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(self._beginning.lr * parameter.grad)
        weights = {n: p.detach().numpy().copy() for n, p in self._net.named_parameters()}
        return Taken(loss.item(), gradients, weights)

    def go_on_from(self, weights: Arrays) -> None:
        from nablab.training.tensors import copy_in

        parameters = dict(self._net.named_parameters())
        copy_in(parameters, {name: weights[name] for name in parameters})

    def _measure(self, logits: Any, y: Any) -> Any:
        import torch

        if self._loss is None:
            return torch.nn.functional.cross_entropy(logits, y)
        name = getattr(self._loss, "__name__", "the loss")
        with blaming(name, "calling it with logits and labels"):
            loss = self._loss(logits.float(), y)  # in training it never meets another type
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.requires_grad:
            raise UserError(
                f"{name}(logits, y) must return one number, as a tensor that backward() can start from"
            )
        return loss


@final
class ByTrainable:
    """What `nablab train` does. Its gradients are told by what moved: (before - after) / lr."""

    def __init__(self, net: Trainable, beginning: Beginning) -> None:
        self._net, self._beginning = net, beginning
        self._before = net.weights()

    def step(self, batch: Batch) -> Taken:
        lr = self._beginning.lr
        result = self._net.step(replace(batch, x=self._beginning.x(batch)), lr)
        after = self._net.weights()
        gradients = {
            name: (self._before[name].astype(np.float64) - value) / lr for name, value in after.items()
        }
        self._before = after
        return Taken(float(result.loss), gradients, after)

    def go_on_from(self, weights: Arrays) -> None:
        self._before = {**self._before, **weights}
        self._net.load_weights(self._before)


def trainable_in_double(engine: str, beginning: Beginning, data: TrainingData, recipe: Recipe) -> Trainable:
    """What `make_trainable` makes, in float64."""
    if engine == "numpy":
        from nablab.training.numpy_trainable import NumpyTrainable

        return NumpyTrainable(on_numpy(beginning), recipe, None, data.classes)
    import torch

    from nablab.training.objective import make_objective
    from nablab.training.torch_trainable import TorchTrainable

    objective = make_objective(recipe, data.class_counts(), torch.device("cpu"))
    return TorchTrainable(on_torch(beginning), recipe, objective, data.classes)
