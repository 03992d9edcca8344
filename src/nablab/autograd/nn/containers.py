"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nablab.autograd.nn.module import Module
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.nn.rewrites import in_order


class ModuleList(Module):
    """A list whose modules are found."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        self.add_module(str(len(self._modules)), module)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        """A module; or, for a slice, the same kind of list of some."""
        if isinstance(index, slice):
            part = type(self)()
            for name in list(self._modules)[index]:
                part.add_module(name if isinstance(self, Sequential) else str(len(part)), self._modules[name])
            return part
        return list(self._modules.values())[index]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())


class Sequential(ModuleList):
    """One module after the other: each takes what the one before returned.

    Takes modules, or one dict of names and modules. Neighbours may be run in another order where that gives
    the same numbers (`rewrites.py`).
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        self._ordered: tuple[tuple[Module, ...], list[Module]] = (), []
        for module in modules:
            if isinstance(module, dict):
                for name, part in module.items():
                    self.add_module(name, part)
            else:
                self.append(module)

    def forward(self, x: Any) -> Any:
        modules = tuple(self._modules.values())
        if modules != self._ordered[0]:
            self._ordered = modules, in_order(modules)
        for module in self._ordered[1]:
            x = module(x)
        return x


class ParameterList(Module):
    """A list whose parameters are found."""

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        super().__init__()
        for i, parameter in enumerate(parameters):
            self.register_parameter(str(i), parameter)

    def __getitem__(self, index: int) -> Parameter:
        return list(self)[index]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return (parameter for parameter in self._parameters.values() if parameter is not None)
