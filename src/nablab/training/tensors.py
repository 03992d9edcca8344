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


def to_array(tensor: Tensor) -> NDArray[Any]:
    """A C-contiguous copy; bfloat16, which NumPy has not, becomes float32 (exact)."""
    plain = tensor.detach().cpu()
    wide = plain.float() if plain.dtype == torch.bfloat16 else plain
    return np.array(wide.numpy(), order="C")


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
