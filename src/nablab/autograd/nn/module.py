"""The module: what it computes, how it is switched and converted, its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.nn.parts import Parts
from nablab.autograd.tensor import Tensor


class LoadedKeys(NamedTuple):
    """What `load_state_dict(strict=False)` did not find, and did not need."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadedKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module(Parts):
    """The base of every layer and network. Subclasses set parts in `__init__` and define `forward`.

    Names are PyTorch's, so the state of a twin built from `torch.nn` fits:

        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict({name: torch.from_numpy(t.numpy()) for name, t in ours.state_dict().items()})
    """

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def train(self, mode: bool = True) -> Self:
        """Training behaviour (dropout drops, batch norm uses the batch), or with False evaluation."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; or, where `set_to_none` is False, make them zero."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def double(self) -> Self:
        return self._convert(np.dtype(np.float64))

    def float(self) -> Self:
        return self._convert(np.dtype(np.float32))

    def _convert(self, dtype: np.dtype[Any]) -> Self:
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.detach().type(dtype)
                tensor.grad = None if tensor.grad is None else tensor.grad.type(dtype)
        return self

    def to(self, *what: Any, device: Any = None, dtype: DTypeLike | None = None) -> Self:
        """In another floating dtype. A device may be named too, as long as it is the CPU."""
        for target in (*what, device, dtype):
            if target is None:
                continue
            if not Tensor(np.zeros(0)).to(target).is_floating_point():  # names what there is not
                raise AutogradError(f"modules compute with a floating dtype, not {np.dtype(target)}")
            if not str(target).startswith("cpu"):
                self._convert(np.dtype(target))
        return self

    def cpu(self) -> Self:
        return self

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and buffers by name, sharing memory with the module; shared ones by all their names."""
        state: dict[str, Tensor] = {
            f"{prefix}{name}": tensor.detach()
            for name, tensor in (*self._parameters.items(), *self._buffers.items())
            if tensor is not None and name not in self._not_saved
        }
        for name, module in self._modules.items():
            state |= module.state_dict(prefix=f"{prefix}{name}.")
        return state

    @no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadedKeys:
        """Copy values in, in place. They may be tensors of this engine, of PyTorch, or arrays.

        Raises AutogradError, changing nothing, where a shape does not fit and, if `strict`, where names
        are missing or unknown.
        """
        own = self.state_dict()
        arrays = {name: np.asarray(value.detach() if hasattr(value, "detach") else value)
                  for name, value in state_dict.items()}  # fmt: skip
        missing = [name for name in own if name not in arrays]
        unexpected = [name for name in arrays if name not in own]
        problems = [f"{name} is missing" for name in missing] + [f"{name} is unknown" for name in unexpected]
        problems = problems if strict else []
        for name in own.keys() & arrays.keys():
            if arrays[name].shape != own[name].shape:
                problems.append(f"{name} has shape {own[name].shape}, the state has {arrays[name].shape}")
        if problems:
            raise AutogradError(f"state does not fit {type(self).__name__}: {'; '.join(sorted(problems))}")
        for name in own.keys() & arrays.keys():
            own[name].copy_(arrays[name])
        return LoadedKeys(missing, unexpected)

    # Printing.

    def extra_repr(self) -> str:
        """What stands between the brackets of a layer."""
        return ""

    def __repr__(self) -> str:
        if not self._modules:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"
