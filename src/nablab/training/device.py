"""Which device computes, and with how many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nablab.errors import UserError
from nablab.training.recipe_values import DeviceName, PrecisionName

if TYPE_CHECKING:
    import torch

#: Instructions of processors that multiply bfloat16, as `torch.cpu.get_capabilities` names them.
_BFLOAT16_ON_CPU = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


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


def choose_precision(name: PrecisionName, device: torch.device) -> PrecisionName:
    """The number format of this name; `auto` is bfloat16 where `device` multiplies in it by itself.

    A CPU without such instructions computes in bfloat16 too, but by way of float32, which takes longer.
    """
    import torch

    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bfloat16" if any(able.get(kind) for kind in _BFLOAT16_ON_CPU) else "float32"


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
