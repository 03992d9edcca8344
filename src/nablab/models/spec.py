"""The layers of a network as frozen values. What a string of the layer language means.

A `Spec` says what a network is, not how it runs: shapes, parameters and costs are derived from it
(`shapes`, `cost`), and both engines build from it (`torch_net`, later `numpy_net`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


def _same_padding(kernel: int, padding: int | None, what: str) -> int:
    if padding is not None:
        return padding
    if kernel % 2 == 0:
        raise ValueError(f"{what} has an even kernel and must say its padding, e.g. p0")
    return (kernel - 1) // 2


@dataclass(frozen=True)
class Layer:
    """One layer. Every subclass is final."""

    #: The name that the layer language prints and reads.
    word: ClassVar[str] = ""


@dataclass(frozen=True)
class Conv(Layer):
    """2-d convolution with a bias: `20C5s1p0` is 20 filters of 5x5. Padding None keeps the size."""

    filters: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1
    word: ClassVar[str] = "C"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "padding", _same_padding(self.kernel, self.padding, f"{self.filters}C{self.kernel}")
        )


@dataclass(frozen=True)
class DepthwiseConv(Layer):
    """One filter a channel, with a bias: `DW3s2`."""

    kernel: int
    stride: int = 1
    padding: int | None = None
    word: ClassVar[str] = "DW"

    def __post_init__(self) -> None:
        object.__setattr__(self, "padding", _same_padding(self.kernel, self.padding, f"DW{self.kernel}"))


@dataclass(frozen=True)
class Linear(Layer):
    """Fully connected, with a bias. `units` None is `K`: as many as there are classes."""

    units: int | None
    word: ClassVar[str] = "K"


@dataclass(frozen=True)
class MaxPool(Layer):
    """Largest of each window. Stride None = the kernel."""

    kernel: int
    stride: int | None = None
    padding: int = 0
    word: ClassVar[str] = "MaxPool"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.kernel)


@dataclass(frozen=True)
class AvgPool(Layer):
    """Mean of each window, padding counted as zeros (as PyTorch's default). Stride None = the kernel."""

    kernel: int
    stride: int | None = None
    padding: int = 0
    word: ClassVar[str] = "AvgPool"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.kernel)


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


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets each value to zero with probability `p` in training, scales the rest by 1/(1-p)."""

    p: float
    word: ClassVar[str] = "Dropout"


@dataclass(frozen=True)
class ReLU(Layer):
    word: ClassVar[str] = "ReLU"


@dataclass(frozen=True)
class LeakyReLU(Layer):
    slope: float = 0.01
    word: ClassVar[str] = "LeakyReLU"


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


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + x (He et al. 2016).

    Where the shapes differ, x goes through a 1x1 convolution with a bias and the stride that fits.
    """

    body: tuple[Layer, ...] = field(default=())
    word: ClassVar[str] = "Res"


@dataclass(frozen=True)
class Spec:
    """A network: its layers in order. Repeats are written out; `str(spec)` is its canonical string."""

    layers: tuple[Layer, ...]

    def __str__(self) -> str:
        from nablab.models.language import to_text

        return to_text(self)
