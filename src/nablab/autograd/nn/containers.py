"""Modules made of modules, and of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar, cast

from nablab.autograd.nn.hooks import Hooked
from nablab.autograd.nn.module import Module
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.nn.rewrites import in_order

Part = TypeVar("Part", bound=Module | Parameter)


class _Listed(Module, Generic[Part]):
    """Parts by number."""

    def _entries(self) -> dict[str, Any]:
        """Where the parts are, by their names."""
        return self._modules

    def _renumber(self, parts: Iterable[Part]) -> None:
        """Have these parts, named by their places."""
        entries = list(parts)
        for name in list(self._entries()):
            delattr(self, name)
        for part in entries:
            self.append(part)

    def append(self, part: Part) -> Self:
        setattr(self, str(len(self)), part)
        return self

    def extend(self, parts: Iterable[Part]) -> Self:
        for part in list(parts):
            self.append(part)
        return self

    __iadd__ = extend

    def insert(self, index: int, part: Part) -> Self:
        """Before the part that has been at `index`; those from there on are numbered anew."""
        parts = list(self)
        parts.insert(index, part)
        self._renumber(parts)
        return self

    def pop(self, index: int) -> Part:
        """Take the part at `index` out, and return it."""
        part: Part = self[index]
        del self[index]
        return part

    def __getitem__(self, index: int | slice) -> Any:
        """A part; or, for a slice, the same kind of list of some."""
        if isinstance(index, slice):
            return cast(Any, type(self))(list(self)[index])
        return list(self)[index]

    def __setitem__(self, index: int, part: Part) -> None:
        setattr(self, list(self._entries())[index], part)

    def __delitem__(self, index: int | slice) -> None:
        parts = list(self)
        del parts[index]
        self._renumber(parts)

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[Part]:
        return iter(self._entries().values())


class ModuleList(_Listed[Module]):
    """A list whose modules are found."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __add__(self, others: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *others])


class Sequential(_Listed[Module]):
    """One module after the other: each takes what the one before returned.

    Takes modules, or one dict of names and modules. Neighbours may be run in another order where that gives
    the same numbers (`rewrites.py`).
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        self._ordered: tuple[tuple[Module, ...], list[Module], int] = (), [], 0
        for module in modules:
            if isinstance(module, dict):
                for name, part in module.items():
                    self.add_module(name, part)
            else:
                self.append(module)

    def __getitem__(self, index: int | slice) -> Any:
        """A module; or, for a slice, the modules of those places one after the other, by their names."""
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def forward(self, x: Any) -> Any:
        modules = tuple(self._modules.values())
        known, order, hook_changes = self._ordered
        if modules != known or hook_changes != Hooked.hook_changes:
            order = in_order(modules)
            self._ordered = modules, order, Hooked.hook_changes
        for module in order:
            x = module(x)
        return x


class ParameterList(_Listed[Parameter]):
    """A list whose parameters are found. Tensors become parameters."""

    def __init__(self, parameters: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def _entries(self) -> dict[str, Any]:
        return self._parameters

    def append(self, part: Any) -> Self:
        return super().append(part if isinstance(part, Parameter) else Parameter(part))


class _Named(Module, Generic[Part]):
    """Parts by name."""

    def __init__(self, parts: Mapping[str, Part] | Iterable[tuple[str, Part]] = ()) -> None:
        super().__init__()
        self.update(parts)

    def _entries(self) -> dict[str, Any]:
        """Where the parts are, by their names."""
        return self._modules

    def update(self, parts: Mapping[str, Part] | Iterable[tuple[str, Part]]) -> None:
        """Set those that are given, in their order."""
        for name, part in parts.items() if isinstance(parts, Mapping | _Named) else parts:
            self[name] = part

    def pop(self, name: str) -> Part:
        """Take the part of this name out, and return it."""
        part = self[name]
        del self[name]
        return part

    def keys(self) -> Iterable[str]:
        return self._entries().keys()

    def values(self) -> Iterable[Part]:
        return self._entries().values()

    def items(self) -> Iterable[tuple[str, Part]]:
        return self._entries().items()

    def __getitem__(self, name: str) -> Part:
        part: Part = self._entries()[name]
        return part

    def __setitem__(self, name: str, part: Part) -> None:
        self._check_name(name)
        setattr(self, name, part)

    def __delitem__(self, name: str) -> None:
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __contains__(self, name: str) -> bool:
        return name in self._entries()


class ModuleDict(_Named[Module]):
    """A dict whose modules are found."""


class ParameterDict(_Named[Parameter]):
    """A dict whose parameters are found. Tensors become parameters."""

    def _entries(self) -> dict[str, Any]:
        return self._parameters

    def __setitem__(self, name: str, part: Any) -> None:
        super().__setitem__(name, part if isinstance(part, Parameter) else Parameter(part))
