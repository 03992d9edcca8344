"""Tensors to named arrays and back, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nablab.errors import UserError
from nablab.training.trainable import Arrays


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a module by name, as its state dict has them (not copies)."""
    return {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}


def numbers_of(module: nn.Module) -> list[Tensor]:
    """All parameters and buffers, each once however many names it has (not copies)."""
    return [*module.parameters(), *module.buffers()]


def to_array(tensor: Tensor) -> NDArray[Any]:
    """A C-contiguous copy; bfloat16, which NumPy has not, becomes float32 (exact)."""
    plain = tensor.detach().cpu()
    wide = plain.float() if plain.dtype == torch.bfloat16 else plain
    return np.array(wide.numpy(), order="C")


def arrays_of(module: nn.Module) -> Arrays:
    """A copy of the parameters and buffers by name."""
    return {name: to_array(value) for name, value in tensors_of(module).items()}


def move_towards(value: Tensor, now: Tensor, rate: float) -> None:
    """Move an average by `rate` towards a parameter or buffer as it is now."""
    if not value.is_floating_point():
        value.copy_(now)
    elif isinstance(now, nn.Parameter):
        value.lerp_(now, rate)
    else:  # a mask may hold infinities, whose difference is no number
        value.copy_(torch.where(value == now, now, value.lerp(now, rate)))


@torch.no_grad()
def copy_in(tensors: Mapping[str, Tensor], arrays: Arrays) -> None:
    """Write each array into the tensor of its name, which keeps its device, type and memory layout.

    Raises:
        UserError: other names, or other shapes.
    """
    if tensors.keys() != arrays.keys():
        odd = sorted(tensors.keys() ^ arrays.keys())
        raise UserError(f"these weights are of another network: {', '.join(odd[:3])} is only in one of them")
    for name, tensor in tensors.items():
        array = arrays[name]
        if tuple(tensor.shape) != array.shape:
            raise UserError(
                f"these weights are of another network: {name} is {array.shape}, not {tuple(tensor.shape)}"
            )
        tensor.copy_(torch.from_numpy(np.array(array)))
