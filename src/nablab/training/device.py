"""Which device computes, and with how many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nablab.errors import UserError
from nablab.training.recipe_values import DeviceName

if TYPE_CHECKING:
    import torch


def choose(name: DeviceName) -> torch.device:
    """The device of this name; `auto` takes CUDA, then Apple's MPS, then the CPU, whichever is here.

    Raises:
        UserError: it isn't here.
    """
    import torch

    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, available in here.items() if available))
    if not here[name]:
        raise UserError(f"device {name} is not available here; use --device cpu or auto")
    return torch.device(name)


def describe(device: torch.device) -> str:
    """How records name a device: `cpu`, `cuda: NVIDIA H200`, `mps`."""
    import torch

    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def set_threads(count: int) -> None:
    """Let PyTorch and NumPy's BLAS compute with this many threads; 0 leaves them as they are."""
    if count == 0:
        return
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(count)
    threadpool_limits(limits=count)
