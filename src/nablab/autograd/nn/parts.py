"""The parts of a module: parameters, buffers and modules, found by being made attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from nablab.autograd.errors import AutogradError
from nablab.autograd.nn.hooks import Hooked
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.tensor import Tensor
from nablab.errors import did_you_mean

if TYPE_CHECKING:
    from nablab.autograd.nn.module import Module

Part = TypeVar("Part")


class Parts(Hooked):
    """Keeps parts in the order in which they were set, and walks through them and their parts."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module]
    _not_saved: set[str]

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_buffers", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "_not_saved", set())
        object.__setattr__(self, "training", True)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before setting {name}")
        if name in self._buffers and (value is None or isinstance(value, Tensor)):
            self.register_buffer(name, value, name not in self._not_saved)
            return
        if name in self._parameters and isinstance(value, Tensor) and not isinstance(value, Parameter):
            raise AutogradError(
                f"{type(self).__name__}.{name} is a parameter, and a mere tensor in its place would not be "
                f"learned; write {name}.copy_(...) under no_grad(), or assign a Parameter"
            )
        kind: dict[str, Any] | None = None
        if isinstance(value, Parameter):
            kind = self._parameters
        elif isinstance(value, Parts):
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

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that belongs to the state and is not learned, such as a running mean.

        It is left out of `state_dict()` unless it is `persistent`.
        """
        object.__setattr__(self, name, tensor)
        self._buffers[name] = tensor
        (self._not_saved.discard if persistent else self._not_saved.add)(name)

    def add_module(self, name: str, module: Module) -> None:
        """Make it a part; raises AutogradError where that would hide another attribute."""
        self._check_name(name)
        setattr(self, name, module)

    register_module = add_module

    def _check_name(self, name: str) -> None:
        if hasattr(self, name) and name not in {**self._parameters, **self._modules}:
            raise AutogradError(f"{type(self).__name__} has another attribute {name!r}: choose another name")

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

        return visit(cast("Module", self), prefix)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return iter(self._modules.items())

    def children(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, by its dotted name; without `recurse` only this module's own."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, cast("Module", self))]:
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{path}.{name}" if path else name, parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        for path, module in self.named_modules(prefix) if recurse else [(prefix, cast("Module", self))]:
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    yield f"{path}.{name}" if path else name, buffer

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module inside of this name; raises AutogradError where there is none."""
        return _found(target, dict(self.named_modules()), self)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of this name; raises AutogradError where there is none."""
        return _found(target, dict(self.named_parameters()), self)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of this name; raises AutogradError where there is none."""
        return _found(target, dict(self.named_buffers()), self)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on every module inside, and on this one."""
        for child in self.children():
            child.apply(function)
        function(cast("Module", self))
        return self


def _found(target: str, parts: Mapping[str, Part], module: Parts) -> Part:
    if target not in parts:
        raise AutogradError(f"{type(module).__name__} has no {target!r}{did_you_mean(target, parts)}")
    return parts[target]
