"""The PyTorch module of a model, with its first weights, on its device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nablab.errors import UserError
from nablab.models.initial import initial_weights
from nablab.models.model import Model
from nablab.models.torch_net import build
from nablab.training.feed import TrainingData
from nablab.training.tensors import copy_in, tensors_of


def build_module(model: Model, data: TrainingData, seed: int, device: torch.device) -> nn.Module:
    """Our network with the weights that `initial_weights` draws, or a user's module with its own.

    A user's module is made under `torch.manual_seed(seed)`. Its lazy layers get their shapes here, and its
    convolutions the memory layout that is fastest, where it bears that.

    Raises:
        UserError: an estimator, something that is not a module, a module without parameters to train.
    """
    if model.spec is not None:
        network = build(model.spec, data.input_shape, data.classes)
        copy_in(tensors_of(network), initial_weights(model.spec, data.input_shape, data.classes, seed))
        return network.to(device)
    if model.factory is None:
        raise UserError(f"{model.label} is an estimator: it is fitted, not trained by steps")
    torch.manual_seed(seed)
    module = model.factory(data.input_shape, data.classes)
    if not isinstance(module, nn.Module):
        raise UserError(f"{model.label} is of type {type(module).__name__}, not a torch.nn.Module")
    module.to(device)
    few = data.train_sample.take(np.arange(min(2, len(data.train_sample))))
    _settle(module, torch.from_numpy(few).to(device))
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UserError(f"{model.label} has no parameter to train")
    return module


def seed_torch(seed: int, device: torch.device) -> None:
    """As `torch.manual_seed`, for one device: a hundredth of its cost, which counts in every step."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def _settle(module: nn.Module, x: Tensor) -> None:
    """Give lazy layers their shapes, and convolutions channels-last memory.

    Channels last is 1.2 to 1.5 times as fast for networks with convolutions on a CPU. A module that flattens
    with `view`, as much course code does, fails in it and stays as it is.
    """
    module.eval()
    with torch.no_grad():
        if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
            module(x)
        if any(isinstance(part, nn.Conv2d) for part in module.modules()):
            _lay_out(module, torch.channels_last)
            try:
                module(x)
            except RuntimeError:
                _lay_out(module, torch.contiguous_format)


def _lay_out(module: nn.Module, memory: torch.memory_format) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory)
