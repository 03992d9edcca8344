"""The words of the layer language: which layers have a name, and what may stand behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nablab.models import spec as layers
from nablab.models.spec import Layer


@dataclass(frozen=True)
class Form:
    """How a named layer is written: whether it takes a number, which options, and what it then is."""

    make: Callable[..., Layer]
    number: type[int] | type[float] | None = None
    optional: bool = False
    options: str = ""
    example: str = ""


#: Letters that stand before a number, for the field of the layer that it is.
OPTIONS = {"s": "stride", "p": "padding", "g": "groups", "b": "bias"}
#: By the word that is printed.
FORMS: dict[str, Form] = {
    "DW": Form(layers.DepthwiseConv, int, options="spb", example="DW3 or DW3s2"),
    "MaxPool": Form(layers.MaxPool, int, options="sp", example="MaxPool2 or MaxPool3s2p1"),
    "AvgPool": Form(layers.AvgPool, int, options="sp", example="AvgPool2 or AvgPool3s2p1"),
    "Widen": Form(layers.Widen, int, example="Widen32"),
    "GroupNorm": Form(layers.GroupNorm, int, example="GroupNorm8"),
    "Dropout": Form(layers.Dropout, float, example="Dropout0.5"),
    "LeakyReLU": Form(layers.LeakyReLU, float, optional=True, example="LeakyReLU or LeakyReLU0.1"),
} | {
    kind.word: Form(kind, example=kind.word)
    for kind in (
        *(layers.GlobalAvgPool, layers.GlobalMaxPool, layers.Flatten),
        *(layers.BatchNorm, layers.LayerNorm, layers.InstanceNorm),
        *(layers.ReLU, layers.ReLU6, layers.PReLU, layers.ELU, layers.GELU, layers.SiLU),
        *(layers.Softplus, layers.Tanh, layers.Sigmoid),
    )
}
#: How a word is printed, by how it may be written.
BY_LOWER = {word.lower(): word for word in FORMS}
