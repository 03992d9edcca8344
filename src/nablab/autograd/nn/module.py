"""Modules: parameters and parts, found by being made attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.tensor import Tensor


class LoadedKeys(NamedTuple):
    """What `load_state_dict(strict=False)` did not find, and did not need."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of every layer and network. Subclasses set parts in `__init__` and define `forward`.

    Names are PyTorch's, so the state of a twin built from `torch.nn` fits:

        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict({name: torch.from_numpy(t.numpy()) for name, t in ours.state_dict().items()})
    """

    training: bool

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_buffers", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "training", True)

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    # Parts are attributes.

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before setting {name}")
        if name in self._buffers and (value is None or isinstance(value, Tensor)):
            self.register_buffer(name, value)
            return
        if name in self._parameters and isinstance(value, Tensor) and not isinstance(value, Parameter):
            raise AutogradError(
                f"{type(self).__name__}.{name} is a parameter, and a mere tensor in its place would not be "
                f"learned; write {name}.copy_(...) under no_grad(), or assign a Parameter"
            )
        kind: dict[str, Any] | None = None
        if isinstance(value, Parameter):
            kind = self._parameters
        elif isinstance(value, Module):
            kind = self._modules
        for other in (self._parameters, self._buffers, self._modules):
            if other is not kind:
                other.pop(name, None)
        if kind is not None:
            kind[name] = value  # what stood there before keeps its place in the order
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        for kind in (self._parameters, self._buffers, self._modules):
            kind.pop(name, None)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """A tensor that belongs to the state and is not learned, such as a running mean."""
        object.__setattr__(self, name, tensor)
        self._buffers[name] = tensor

    def add_module(self, name: str, module: Module) -> None:
        setattr(self, name, module)

    # Walking through them.

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named "") and all inside, each once."""
        seen: set[int] = set()

        def visit(module: Module, name: str) -> Iterator[tuple[str, Module]]:
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                for part, child in module._modules.items():
                    yield from visit(child, f"{name}.{part}" if name else part)

        return visit(self, prefix)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return iter(self._modules.items())

    def children(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, by its dotted name."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{prefix}.{name}" if prefix else name, parameter

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, module in self.named_modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    yield f"{prefix}.{name}" if prefix else name, buffer

    def buffers(self) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers())

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on every module inside, and on this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # State.

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

    def to(self, what: DTypeLike) -> Self:
        """In another floating dtype; or on a device, as long as it is the CPU."""
        if Tensor(np.zeros(0)).to(what).is_floating_point():  # names the devices and types that there are not
            return self if str(what) == "cpu" else self._convert(np.dtype(what))
        raise AutogradError(f"modules compute with a floating dtype, not {np.dtype(what)}")

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, sharing memory with the module; shared ones by all their names."""
        state: dict[str, Tensor] = {
            name: tensor.detach()
            for name, tensor in (*self._parameters.items(), *self._buffers.items())
            if tensor is not None
        }
        for prefix, module in self._modules.items():
            state |= {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}
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
