"""Networks that PyTorch runs: our own, and users' modules, which need not cooperate in any way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nablab.data import keyed
from nablab.errors import UserError
from nablab.models.model import LayerRow, Model
from nablab.models.shapes import trace
from nablab.models.torch_module import describe
from nablab.training import device as devices
from nablab.training import optimizers, tta
from nablab.training.feed import TrainingData
from nablab.training.modules import build_module, seed_torch
from nablab.training.objective import Objective, add_l1_gradient, make_objective, penalised
from nablab.training.recipe import Recipe
from nablab.training.start import Start, take_over
from nablab.training.tensors import arrays_of, copy_in, move_towards, numbers_of, tensors_of, to_array
from nablab.training.trainable import Arrays, Batch, StepResult, under
from nablab.training.tuning import WHOLE, Tuning, is_partial, tuning_of

#: Images that are scored at a time: on a CPU, so few that their activations stay in its cache.
_SCORED_AT_ONCE = {"cpu": 250, "cuda": 1000, "mps": 1000}

_MODEL, _OPTIMIZER, _AVERAGE = "model/", "optimizer/", "average/"


@final
class TorchTrainable:
    """A module with its optimiser.

    Chance is keyed by (seed, epoch, the step's first position): PyTorch's generator is seeded anew for each
    step, so no stream has to be replayed on resume.

    The average takes in the buffers too: the running means and variances of batch normalisation are averaged
    at the same rate as the weights, not recomputed from the data.

    Frozen layers get no gradient, and batch normalisation in them stays in evaluation mode.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        objective: Objective,
        classes: int,
        parts: Tuning = WHOLE,
    ) -> None:
        self._module = module
        self._recipe = recipe
        self._objective = objective
        self._classes = classes
        self._resting = _freeze(module, parts)
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._penalised = penalised(module) if recipe.l1 else []
        trained = ((name, p) for name, p in module.named_parameters() if p.requires_grad)
        self._optimizer = optimizers.build(recipe, parts.groups(trained))
        self._device = self._parameters[0].device
        self._precision_name = devices.choose_precision(recipe.precision, self._device)
        self._average: list[Tensor] | None = None  # of what `numbers_of` has, in its order
        self._epoch_key: tuple[int, int] = (-1, 0)

    def step(self, batch: Batch, lr: float) -> StepResult:
        """Move the weights once along the gradient of this batch."""
        if not self._module.training:
            self._module.train()
            for part in self._resting:
                part.eval()
        self._seed_chance(batch)
        x, y = self._arrive(batch.x), self._arrive(batch.y)
        for parameter in self._parameters:
            parameter.grad = None
        with self._precision():
            logits = self._logits(self._module, x)
        objective, loss = self._objective(logits, y)
        torch.autograd.backward(objective)
        if self._penalised:
            add_l1_gradient(self._penalised, self._recipe.l1)
        if self._recipe.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group["share"]
        self._optimizer.step()
        return self._result(loss, logits.detach(), batch, y)

    @torch.no_grad()
    def average(self, rate: float) -> None:
        """Move the average by `rate` towards the current weights; the first call starts it at them."""
        current = numbers_of(self._module)
        if self._average is None:
            self._average = [value.detach().clone() for value in current]
            return
        for value, now in zip(self._average, current, strict=True):
            move_towards(value, now, rate)

    @torch.no_grad()
    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, K) in evaluation mode for preprocessed images (N, ...), in float32 whatever trains.

        What is measured is then what the stored weights give anywhere else.
        """
        if self._module.training:
            self._module.eval()
        return tta.averaged(self._plain_scores, self._recipe.tta)(x)

    def _plain_scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        size = _SCORED_AT_ONCE[self._device.type]
        # Copies: what a user's module writes over must not be the images that are kept.
        pieces = [
            to_array(self._logits(self._measured, self._arrive(x[start : start + size].copy())))
            for start in range(0, len(x), size)
        ]
        return np.concatenate(pieces) if pieces else np.empty((0, self._classes), np.float32)

    def weights(self) -> Arrays:
        """A copy of the weights and buffers that `scores` uses, by name."""
        with self._averaged():
            return arrays_of(self._module)

    def load_weights(self, weights: Arrays) -> None:
        """Take these weights; an average, if any, is dropped."""
        copy_in(tensors_of(self._module), weights)
        self._average = None

    def state(self) -> Arrays:
        """A copy of everything that later steps depend on: weights, buffers, optimiser, average."""
        state = {_MODEL + name: value for name, value in arrays_of(self._module).items()}
        if self._average is not None:
            state |= {_AVERAGE + name: value for name, value in self.weights().items()}
        memory = optimizers.state_of(self._optimizer)
        return state | {_OPTIMIZER + name: value for name, value in memory.items()}

    def load(self, state: Arrays) -> None:
        """Take what `state` returned; later steps are then bit for bit those that would have followed."""
        self.load_weights(under(state, _MODEL))
        if average := under(state, _AVERAGE):
            self.average(1.0)
            with self._averaged():
                copy_in(tensors_of(self._module), average)
        optimizers.load_state(self._optimizer, under(state, _OPTIMIZER))

    def _measured(self, x: Tensor) -> Any:
        """Scores by the weights that count."""
        if self._average is None:
            return self._module(x)
        with self._averaged():
            return self._module(x)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The module with the average, if there is one, in the place of its own numbers.

        Numbers change places tensor by tensor, so that weights which layers share stay shared:
        `torch.func.functional_call` refuses tied ones, or leaves the module with others than it had.
        """
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        if self._average is not None:
            for value, other in zip(numbers_of(self._module), self._average, strict=True):
                value.data, other.data = other.data, value.data

    def _logits(self, forward: Any, x: Tensor) -> Tensor:
        logits = forward(x)
        if not isinstance(logits, Tensor) or logits.shape != (len(x), self._classes):
            what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UserError(
                f"{type(self._module).__name__} returns {what} for {len(x)} images; "
                f"a classifier returns logits of shape ({len(x)}, {self._classes})"
            )
        return logits.float()

    def _precision(self) -> AbstractContextManager[Any]:
        if self._precision_name == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=torch.bfloat16)

    def _arrive(self, array: NDArray[Any]) -> Tensor:
        """The array as a tensor on the device; on CUDA the copy does not wait."""
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
        if self._device.type == "cpu":
            return tensor
        pinned = tensor.pin_memory() if self._device.type == "cuda" else tensor
        return pinned.to(self._device, non_blocking=True)

    def _result(self, loss: Tensor, logits: Tensor, batch: Batch, y: Tensor) -> StepResult:
        if self._device.type == "cpu":
            correct = np.count_nonzero(logits.numpy().argmax(axis=1) == batch.y)
            return StepResult(loss.item(), int(correct), len(batch.y))
        exact = loss.double() if self._device.type == "cuda" else loss  # MPS has no float64
        return StepResult(exact, (logits.argmax(dim=1) == y).sum(), len(batch.y))

    def _seed_chance(self, batch: Batch) -> None:
        """Seed what draws in this step, dropout above all."""
        epoch, base = self._epoch_key
        if epoch != batch.epoch:
            base = int(keyed.generator(self._recipe.seed, "dropout", batch.epoch).integers(2**62))
            self._epoch_key = (batch.epoch, base)
        seed_torch(base + int(batch.positions[0]), self._device)


def make_trainable(
    model: Model, data: TrainingData, recipe: Recipe, start: Start | None = None
) -> TorchTrainable:
    """The network of a model with its initial weights, on its device, ready for its first step.

    Networks start from `models.initial`'s weights; modules from their own, made under `torch.manual_seed`.
    What `start` has takes their place.

    Raises:
        UserError: an estimator, a module without parameters, a device that is not here; a start that does
            not fit; frozen layers that the network has not.
    """
    device = devices.choose(recipe.device)
    module = build_module(model, data, recipe.seed, device)
    objective = make_objective(recipe, data.class_counts(), device)
    if start is None and not is_partial(recipe):
        return TorchTrainable(module, recipe, objective, data.classes)
    rows, new_head = layers_of(model, module, data.input_shape, data.classes), False
    if start is not None:
        weights, taken = take_over(arrays_of(module), rows, start, model.label)
        copy_in(tensors_of(module), weights)
        new_head = bool(taken.new)
    parts = tuning_of(recipe, rows, new_head=new_head, model=model.label)
    return TorchTrainable(module, recipe, objective, data.classes, parts)


def layers_of(
    model: Model, module: nn.Module, input_shape: tuple[int, ...], classes: int
) -> tuple[LayerRow, ...]:
    """The layer table of a model's module."""
    if model.spec is not None:
        return trace(model.spec, input_shape, classes)
    return describe(module, input_shape)


def _freeze(module: nn.Module, parts: Tuning) -> list[nn.Module]:
    """Give frozen layers no gradient; those of them whose running statistics have to rest, at rest."""
    for name, parameter in module.named_parameters():
        if parts.is_frozen(name):
            parameter.requires_grad_(False)
    resting: list[nn.Module] = [
        part
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._NormBase) and parts.freeze(name)
    ]
    for part in resting:
        part.eval()
    return resting
