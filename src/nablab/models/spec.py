"""The layers of a network as frozen values. What a string of the layer language means.

A `Spec` says what a network is, not how it runs: shapes, parameters and costs are derived from it
(`shapes`, `cost`), and both engines build from it (`torch_net`, `numpy_net`).
A layer whose numbers make no sense by themselves cannot be made: it raises `UserError`.
Whether it fits what comes before it is the business of `shapes.trace`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from nablab.errors import UserError
from nablab.models.numbers import decimal, pool_stride, same_padding, switch, whole


@dataclass(frozen=True)
class Layer:
    """One layer. Every subclass is final."""

    #: The name that the layer language prints and reads.
    word: ClassVar[str] = ""


@dataclass(frozen=True)
class Conv(Layer):
    """2-d convolution: `20C5s1p0` is 20 filters of 5x5, `20C5b0` has no bias. Padding None keeps the size."""

    filters: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1
    bias: bool = True
    word: ClassVar[str] = "C"

    def __post_init__(self) -> None:
        whole("the number of filters", self.filters, 1)
        whole("the kernel of a convolution", self.kernel, 1)
        whole("the stride of a convolution", self.stride, 1)
        whole("the number of groups", self.groups, 1)
        padding = same_padding(self.kernel, self.padding, f"{self.filters}C{self.kernel}")
        whole("the padding of a convolution", padding, 0)
        object.__setattr__(self, "padding", padding)
        object.__setattr__(self, "bias", switch("the bias of a convolution", self.bias))


@dataclass(frozen=True)
class DepthwiseConv(Layer):
    """One filter a channel: `DW3s2`, without a bias `DW3b0`."""

    kernel: int
    stride: int = 1
    padding: int | None = None
    bias: bool = True
    word: ClassVar[str] = "DW"

    def __post_init__(self) -> None:
        whole("the kernel of a convolution", self.kernel, 1)
        whole("the stride of a convolution", self.stride, 1)
        padding = same_padding(self.kernel, self.padding, f"DW{self.kernel}")
        whole("the padding of a convolution", padding, 0)
        object.__setattr__(self, "padding", padding)
        object.__setattr__(self, "bias", switch("the bias of a convolution", self.bias))


@dataclass(frozen=True)
class Linear(Layer):
    """Fully connected, with a bias. `units` None is `K`: as many as there are classes."""

    units: int | None
    word: ClassVar[str] = "K"

    def __post_init__(self) -> None:
        if self.units is not None:
            whole("the number of units", self.units, 1)


@dataclass(frozen=True)
class MaxPool(Layer):
    """Largest of each window. Stride None = the kernel."""

    kernel: int
    stride: int | None = None
    padding: int = 0
    word: ClassVar[str] = "MaxPool"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", pool_stride(self.kernel, self.stride, self.padding))


@dataclass(frozen=True)
class AvgPool(Layer):
    """Mean of each window, padding counted as zeros (as PyTorch's default). Stride None = the kernel."""

    kernel: int
    stride: int | None = None
    padding: int = 0
    word: ClassVar[str] = "AvgPool"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", pool_stride(self.kernel, self.stride, self.padding))


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """Mean over height and width: (C, H, W) -> (C,)."""

    word: ClassVar[str] = "GlobalAvgPool"


@dataclass(frozen=True)
class GlobalMaxPool(Layer):
    """Largest over height and width: (C, H, W) -> (C,)."""

    word: ClassVar[str] = "GlobalMaxPool"


@dataclass(frozen=True)
class Flatten(Layer):
    """(C, H, W) -> (C*H*W,). Implied before the first linear layer."""

    word: ClassVar[str] = "Flatten"


@dataclass(frozen=True)
class Widen(Layer):
    """Appends channels of zeros until there are `channels`: the parameter-free shortcut of He et al. 2016."""

    channels: int
    word: ClassVar[str] = "Widen"

    def __post_init__(self) -> None:
        whole("the number of channels of Widen", self.channels, 1)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalises each channel over batch, height and width (Ioffe and Szegedy 2015)."""

    word: ClassVar[str] = "BatchNorm"


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalises each sample over all of its axes: (C, H, W), or (D,) (Ba et al. 2016)."""

    word: ClassVar[str] = "LayerNorm"


@dataclass(frozen=True)
class InstanceNorm(Layer):
    """Normalises each channel of each sample over height and width, with scale and shift."""

    word: ClassVar[str] = "InstanceNorm"


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Normalises each group of channels of each sample (Wu and He 2018)."""

    groups: int
    word: ClassVar[str] = "GroupNorm"

    def __post_init__(self) -> None:
        whole("the number of groups", self.groups, 1)


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets each value to zero with probability `p` in training, scales the rest by 1/(1-p)."""

    p: float
    word: ClassVar[str] = "Dropout"

    def __post_init__(self) -> None:
        decimal("the probability of Dropout", self.p, lambda p: 0 <= p < 1, "from 0 to below 1")


@dataclass(frozen=True)
class ReLU(Layer):
    word: ClassVar[str] = "ReLU"


@dataclass(frozen=True)
class ReLU6(Layer):
    """min(max(x, 0), 6) (Krizhevsky 2010), as in MobileNet v2."""

    word: ClassVar[str] = "ReLU6"


@dataclass(frozen=True)
class LeakyReLU(Layer):
    slope: float = 0.01
    word: ClassVar[str] = "LeakyReLU"

    def __post_init__(self) -> None:
        decimal("the slope of LeakyReLU", self.slope, lambda slope: slope >= 0, "0 or more")


@dataclass(frozen=True)
class PReLU(Layer):
    """Leaky ReLU whose one slope, 0.25 at first, is learned (He et al. 2015)."""

    word: ClassVar[str] = "PReLU"


@dataclass(frozen=True)
class ELU(Layer):
    word: ClassVar[str] = "ELU"


@dataclass(frozen=True)
class GELU(Layer):
    """x times the normal distribution function of x, the exact form (Hendrycks and Gimpel 2016)."""

    word: ClassVar[str] = "GELU"


@dataclass(frozen=True)
class SiLU(Layer):
    word: ClassVar[str] = "SiLU"


@dataclass(frozen=True)
class Softplus(Layer):
    word: ClassVar[str] = "Softplus"


@dataclass(frozen=True)
class Tanh(Layer):
    word: ClassVar[str] = "Tanh"


@dataclass(frozen=True)
class Sigmoid(Layer):
    word: ClassVar[str] = "Sigmoid"


def _checked_layers(layers: Iterable[Layer], what: str) -> tuple[Layer, ...]:
    if not isinstance(layers, Iterable):
        raise UserError(f"{what} is made of layers in a tuple, such as (Conv(20, 5), ReLU()), not {layers!r}")
    layers = tuple(layers)
    if not layers:
        raise UserError(f"{what} needs at least one layer")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise UserError(f"{what} is made of layers such as Conv(20, 5), not {layer!r}")
    return layers


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + x (He et al. 2016), or body(x) + shortcut(x) where a shortcut is written.

    Without one, where the shapes differ, x goes through a 1x1 convolution with a bias and the stride that
    fits.
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()
    word: ClassVar[str] = "Res"

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", _checked_layers(self.body, "a residual"))
        if self.shortcut:
            object.__setattr__(self, "shortcut", _checked_layers(self.shortcut, "a shortcut"))


@dataclass(frozen=True)
class Spec:
    """A network: its layers in order. Repeats are written out; `str(spec)` is its canonical string."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _checked_layers(self.layers, "a network"))

    def __str__(self) -> str:
        from nablab.models.printing import to_text

        return to_text(self)
