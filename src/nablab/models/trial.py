"""Running a module once, to see what it does, without leaving a trace in it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Shape = tuple[int, ...]

#: Images in a trial: two, since some code goes wrong on one only.
TRIAL = 2


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients; each part then goes back to the mode it was in.

    Attention takes its ordinary path meanwhile: its fast ones are single operations that hide its products.
    """
    modes = [(part, part.training) for part in module.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, training in modes:
            part.training = training


def trial_batch(module: nn.Module, input_shape: Shape) -> Tensor:
    """Two images that differ, on the module's device."""
    first = next(module.parameters(), None)
    values = torch.linspace(-1, 1, TRIAL * math.prod(input_shape)).view(TRIAL, *input_shape)
    return values if first is None else values.to(first.device)


def in_training(module: nn.Module, input_shape: Shape) -> tuple[object, ...]:
    """What a copy of the module returns for two images in training mode, with gradients.

    Nothing where its code fails there, since two images may be too few for it: training tells that.
    """
    first = next(module.parameters(), None)
    devices = [first.device] if first is not None and first.is_cuda else []
    with (
        suppress(Exception),
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        copied = copy.deepcopy(module).train()
        return (copied(trial_batch(copied, input_shape)),)
    return ()
