"""PyTorch's optimisers, by the numbers of a recipe, in their fastest form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from nablab.training.recipe import Recipe
from nablab.training.recipe_values import OptimizerName
from nablab.training.tensors import to_array
from nablab.training.trainable import Arrays


def build(recipe: Recipe, parameters: Sequence[Tensor]) -> Optimizer:
    """The optimiser of a recipe over these parameters.

    `fused` runs one kernel a tensor instead of five to ten, with equal results to rounding: 37 against
    80 microseconds a step for one linear layer. RMSprop has no such kernel.
    """
    return OPTIMIZERS[recipe.optimizer](recipe, parameters)


def _sgd(recipe: Recipe, parameters: Sequence[Tensor]) -> Optimizer:
    return SGD(
        parameters,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _adam(recipe: Recipe, parameters: Sequence[Tensor]) -> Optimizer:
    betas = (recipe.beta1, recipe.beta2)
    return Adam(parameters, lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay, fused=True)


def _adamw(recipe: Recipe, parameters: Sequence[Tensor]) -> Optimizer:
    betas = (recipe.beta1, recipe.beta2)
    return AdamW(parameters, lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay, fused=True)


def _rmsprop(recipe: Recipe, parameters: Sequence[Tensor]) -> Optimizer:
    return RMSprop(
        parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, foreach=True
    )


OPTIMIZERS: dict[OptimizerName, Callable[[Recipe, Sequence[Tensor]], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
}


def state_of(optimizer: Optimizer) -> Arrays:
    """A copy of what the optimiser remembers: `<parameter's number>/<name>`."""
    return {
        f"{number}/{name}": to_array(value)
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
        if isinstance(value, Tensor)
    }


def load_state(optimizer: Optimizer, arrays: Arrays) -> None:
    """Let the optimiser remember what `state_of` returned.

    What has a number for each of a parameter's takes on its memory layout, since the fused kernels walk both
    side by side; the count of steps is where PyTorch keeps it.
    """
    parameters = _parameters(optimizer)
    counts_beside = bool(optimizer.defaults.get("fused"))
    optimizer.state.clear()
    for key, array in arrays.items():
        number, name = key.split("/")
        parameter = parameters[int(number)]
        value = torch.from_numpy(np.array(array))
        if name != "step":
            value = torch.empty_like(parameter).copy_(value)
        elif counts_beside:
            value = value.to(parameter.device)
        optimizer.state[parameter][name] = value


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
