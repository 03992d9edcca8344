"""Networks that our own engine runs. Nothing here imports PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from nablab import autograd
from nablab.autograd import Tensor, nn, optim
from nablab.autograd.nn import functional
from nablab.autograd.optim import Optimizer
from nablab.data import keyed
from nablab.errors import UserError
from nablab.models import numpy_net
from nablab.models.initial import initial_weights
from nablab.models.model import Model
from nablab.models.shapes import trace
from nablab.training import tta
from nablab.training.class_weights import balanced
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe
from nablab.training.recipe_values import OptimizerName
from nablab.training.start import Start, take_over
from nablab.training.trainable import Arrays, Batch, StepResult, under
from nablab.training.tuning import WHOLE, Tuning, is_partial, tuning_of

_MODEL, _OPTIMIZER, _AVERAGE = "model/", "optimizer/", "average/"

#: Parameters with their share of the learning rate, as the optimisers take groups.
Groups = list[Tensor | dict[str, Any]]

#: Their scales and shifts are no weights in the sense of L1.
_NORMALISATIONS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.LayerNorm, nn.GroupNorm)


@final
class NumpyTrainable:
    """A network of `numpy_net` with its optimiser: `TorchTrainable`'s twin.

    From the same weights, on the same batches, its losses are PyTorch's to the rounding of float32. Dropout
    alone drops other units, since it draws from NumPy: keyed by (seed, epoch, the step's first position).
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        class_weights: NDArray[np.float32] | None,
        classes: int,
        parts: Tuning = WHOLE,
    ) -> None:
        self._network = network
        self._recipe = recipe
        self._class_weights = None if class_weights is None else autograd.from_numpy(class_weights)
        self._classes = classes
        self._resting = _freeze(network, parts)
        self._parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
        self._penalised = _penalised(network) if recipe.l1 else []
        self._dropouts = [module for module in network.modules() if isinstance(module, nn.Dropout)]
        self._optimizer = OPTIMIZERS[recipe.optimizer](
            recipe,
            [
                {"params": parameters, "share": share}
                for share, parameters in parts.groups(network.named_parameters())
            ],
        )
        self._average: nn.Module | None = None

    def step(self, batch: Batch, lr: float) -> StepResult:
        """Move the weights once along the gradient of this batch."""
        if not self._network.training:
            self._network.train()
            for part in self._resting:
                part.eval()
        self._seed_chance(batch)
        self._optimizer.zero_grad()
        logits = self._network(autograd.from_numpy(batch.x))
        objective, loss = self._objective(logits, autograd.from_numpy(batch.y))
        correct = int(np.count_nonzero(logits.value.argmax(axis=1) == batch.y))
        objective.backward()
        for parameter in self._penalised:
            if parameter.grad is not None:
                parameter.grad.value += self._recipe.l1 * np.sign(parameter.value)
        if self._recipe.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group["share"]
        self._optimizer.step()
        return StepResult(loss, correct, len(batch.y))

    def average(self, rate: float) -> None:
        """Move the average by `rate` towards the current weights; the first call starts it at them.

        The running means and variances of batch normalisation are averaged at the same rate.
        """
        if self._average is None:
            self._average = copy.deepcopy(self._network)
            return
        current = self._network.state_dict()
        for name, tensor in self._average.state_dict().items():
            average, now = tensor.value, current[name].value
            average[...] = average + rate * (now - average) if tensor.is_floating_point() else now

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, K) in evaluation mode for preprocessed images (N, ...)."""
        if len(x) == 0:
            return np.empty((0, self._classes), np.float32)
        scores = partial(numpy_net.scores, self._average or self._network)
        return tta.averaged(scores, self._recipe.tta)(x)

    def weights(self) -> Arrays:
        """A copy of the weights and buffers that `scores` uses, by name."""
        return _arrays(self._average or self._network)

    def load_weights(self, weights: Arrays) -> None:
        """Take these weights; an average, if any, is dropped."""
        numpy_net.load(self._network, weights)
        self._average = None

    def state(self) -> Arrays:
        """A copy of everything that later steps depend on: weights, buffers, optimiser, average."""
        state = {_MODEL + name: value for name, value in _arrays(self._network).items()}
        if self._average is not None:
            state |= {_AVERAGE + name: value for name, value in _arrays(self._average).items()}
        return state | {
            f"{_OPTIMIZER}{number}/{name}": np.array(value, order="C")
            for number, memory in self._optimizer.state_dict()["state"].items()
            for name, value in memory.items()
        }

    def load(self, state: Arrays) -> None:
        """Take what `state` returned; later steps are then bit for bit those that would have followed."""
        numpy_net.load(self._network, under(state, _MODEL))
        average = under(state, _AVERAGE)
        self._average = copy.deepcopy(self._network) if average else None
        if self._average is not None:
            numpy_net.load(self._average, average)
        memory: dict[int, dict[str, object]] = {}
        for key, array in under(state, _OPTIMIZER).items():
            number, name = key.split("/")
            memory.setdefault(int(number), {})[name] = array.item() if name == "step" else array
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": memory, "param_groups": groups})

    def _objective(self, logits: Tensor, y: Tensor) -> tuple[Tensor, float]:
        """What is descended, and the plain mean cross entropy in nats to report."""
        smoothing, weights = self._recipe.label_smoothing, self._class_weights
        objective = functional.cross_entropy(logits, y, weights, label_smoothing=smoothing)
        if smoothing == 0 and weights is None:
            return objective, float(objective)
        return objective, float(functional.cross_entropy(logits.detach(), y))

    def _seed_chance(self, batch: Batch) -> None:
        if not self._dropouts:
            return
        drawing = keyed.generator(self._recipe.seed, "dropout", batch.epoch, int(batch.positions[0]))
        for module in self._dropouts:
            module.generator = drawing


def make_trainable(
    model: Model, data: TrainingData, recipe: Recipe, start: Start | None = None
) -> NumpyTrainable:
    """A network with the weights that `initial_weights` draws, or `start` has, ready for its first step.

    Raises:
        UserError: not a network of the layer language; a start that does not fit; frozen layers that the
            network has not.
    """
    if model.spec is None:
        raise UserError(f"{model.label}: the NumPy engine runs networks of the layer language only")
    network = numpy_net.build(model.spec, data.input_shape, data.classes)
    first = initial_weights(model.spec, data.input_shape, data.classes, recipe.seed)
    rows, new_head = trace(model.spec, data.input_shape, data.classes), False
    if start is not None:
        first, taken = take_over(first, rows, start, model.label)
        new_head = bool(taken.new)
    numpy_net.load(network, first)
    parts = tuning_of(recipe, rows, new_head=new_head, model=model.label) if is_partial(recipe) else WHOLE
    weights = balanced(data.class_counts()) if recipe.class_weights == "balanced" else None
    return NumpyTrainable(network, recipe, weights, data.classes, parts)


def _freeze(network: nn.Module, parts: Tuning) -> list[nn.Module]:
    """Give frozen layers no gradient; those of them whose running statistics have to rest, at rest."""
    for name, parameter in network.named_parameters():
        if parts.is_frozen(name):
            parameter.requires_grad = False
    resting: list[nn.Module] = [
        part
        for name, part in network.named_modules()
        if isinstance(part, nn.BatchNorm2d) and parts.freeze(name)
    ]
    for part in resting:
        part.eval()
    return resting


def _sgd(recipe: Recipe, groups: Groups) -> Optimizer:
    return optim.SGD(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def _adam(recipe: Recipe, groups: Groups) -> Optimizer:
    betas = (recipe.beta1, recipe.beta2)
    return optim.Adam(groups, lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay)


def _adamw(recipe: Recipe, groups: Groups) -> Optimizer:
    betas = (recipe.beta1, recipe.beta2)
    return optim.AdamW(groups, lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay)


def _rmsprop(recipe: Recipe, groups: Groups) -> Optimizer:
    return optim.RMSprop(groups, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


OPTIMIZERS: dict[OptimizerName, Callable[[Recipe, Groups], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
}


def _arrays(network: nn.Module) -> Arrays:
    """A copy of the parameters and buffers by name."""
    return {name: np.array(tensor.value, order="C") for name, tensor in network.state_dict().items()}


def _penalised(network: nn.Module) -> list[Tensor]:
    """The parameters that L1 draws to zero: those of two or more axes outside normalisation layers."""
    of_norms = {id(p) for m in network.modules() if isinstance(m, _NORMALISATIONS) for p in m.parameters()}
    return [p for p in network.parameters() if p.ndim >= 2 and id(p) not in of_norms]
