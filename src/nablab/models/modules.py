"""From a network's layers in their places to the modules of an engine: one walk, and a table an engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nablab.models import spec as layers
from nablab.models.shapes import Placed
from nablab.models.spec import Layer

Module = TypeVar("Module")


@dataclass(frozen=True)
class Engine(Generic[Module]):
    """What an engine makes of layers. Its classes take their arguments as those of PyTorch's `nn` do.

    Attributes:
        sequence: of layers that follow each other, and the modules of those.
        residual: of the modules `body`, `project` and `shortcut`; the last two may be None, and one is.
        classes: one for each other kind of layer.
    """

    sequence: Callable[[Sequence[Placed], Sequence[Module]], Module]
    residual: Callable[[Module, Module | None, Module | None], Module]
    classes: Mapping[type[Layer], Callable[..., Module]]

    def chain(self, placed: Sequence[Placed]) -> Module:
        """Layers that follow each other, as one module."""
        return self.sequence(placed, [self.module(step) for step in placed])

    def module(self, placed: Placed) -> Module:
        """One layer, with all that is inside it."""
        if not isinstance(placed.layer, layers.Residual):
            positional, named = _arguments(placed)
            return self.classes[type(placed.layer)](*positional, **named)
        project = self.module(placed.projection) if placed.projection else None
        shortcut = self.chain(placed.shortcut) if placed.shortcut else None
        return self.residual(self.chain(placed.body), project, shortcut)


def _arguments(placed: Placed) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the class of a layer is made with, in PyTorch's order and names."""
    channels, layer = placed.input_shape[0], placed.layer
    match layer:
        case layers.Conv(filters, kernel, stride, padding, groups, bias):
            return (channels, filters, kernel, stride, padding), {"groups": groups, "bias": bias}
        case layers.DepthwiseConv(kernel, stride, padding, bias):
            return (channels, channels, kernel, stride, padding), {"groups": channels, "bias": bias}
        case layers.Linear():
            return (math.prod(placed.input_shape), placed.output_shape[0]), {}
        case layers.MaxPool(kernel, stride, padding) | layers.AvgPool(kernel, stride, padding):
            return (kernel, stride, padding), {}
        case layers.BatchNorm():
            return (channels,), {}
        case layers.LayerNorm():
            return (placed.input_shape,), {}
        case layers.InstanceNorm():
            return (channels,), {"affine": True}
        case layers.GroupNorm(groups):
            return (groups, channels), {}
        case layers.Widen(wanted):
            return (wanted - channels,), {}
        case layers.Dropout(number) | layers.LeakyReLU(number):
            return (number,), {}
    return (), {}
