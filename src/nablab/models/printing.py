"""Specs as strings of the layer language, in the one spelling that is canonical."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from nablab.models import spec as layers
from nablab.models.repeats import repeats
from nablab.models.spec import Layer, Residual, Spec


def to_text(spec: Spec) -> str:
    """The canonical string of a network; `parse` reads it back to an equal one.

    >>> from nablab.models.language import parse
    >>> to_text(parse("20c5S1p2 - relu - 2x(100 - Dropout.50) - k"))
    '20C5-ReLU-100-Dropout0.5-100-Dropout0.5-K'
    """
    return _join(spec.layers)


def short_text(spec: Spec) -> str:
    """A network for people: as `to_text`, but what stands three times in a row or more is written once.

    >>> from nablab.models.language import parse
    >>> short_text(parse("8C3-ReLU-Res(8C3)-ReLU-Res(8C3)-ReLU-Res(8C3)-ReLU-K"))
    '8C3-ReLU-3x(Res(8C3)-ReLU)-K'
    """
    return _join(spec.layers, folded=True)


def layer_text(layer: Layer) -> str:
    """One layer as `to_text` prints it."""
    match layer:
        case layers.Conv(filters, kernel, stride, padding, groups, bias):
            window = f"{kernel}{_strided(stride, 1)}{_padded(kernel, padding)}"
            return f"{filters}C{window}{_option('g', groups, 1)}{_option('b', int(bias), 1)}"
        case layers.DepthwiseConv(kernel, stride, padding, bias):
            return f"DW{kernel}{_strided(stride, 1)}{_padded(kernel, padding)}{_option('b', int(bias), 1)}"
        case layers.Linear(units):
            return "K" if units is None else str(units)
        case layers.MaxPool(kernel, stride, padding) | layers.AvgPool(kernel, stride, padding):
            return f"{layer.word}{kernel}{_strided(stride, kernel)}{_option('p', padding, 0)}"
        case layers.GroupNorm(number) | layers.Widen(number):
            return f"{layer.word}{number}"
        case layers.Dropout(p):
            return f"Dropout{_decimal(p)}"
        case layers.LeakyReLU(slope):
            return "LeakyReLU" if slope == layers.LeakyReLU.slope else f"LeakyReLU{_decimal(slope)}"
        case Residual(body, shortcut):
            return _residual(_join(body), _join(shortcut))
    return layer.word


def _join(sequence: Sequence[Layer], folded: bool = False) -> str:
    if not folded:
        return "-".join(layer_text(layer) for layer in sequence)
    parts = []
    for stretch, times in repeats(sequence, leads=_is_weighty):
        text = "-".join(_folded(layer) for layer in stretch)
        parts.append(text if times == 1 else f"{times}x({text})" if len(stretch) > 1 else f"{times}x{text}")
    return "-".join(parts)


def _folded(layer: Layer) -> str:
    if not isinstance(layer, Residual):
        return layer_text(layer)
    return _residual(_join(layer.body, folded=True), _join(layer.shortcut, folded=True))


def _residual(body: str, shortcut: str) -> str:
    return f"Res({body}|{shortcut})" if shortcut else f"Res({body})"


def _is_weighty(layer: Layer) -> bool:
    return isinstance(layer, Residual | layers.Conv | layers.DepthwiseConv | layers.Linear)


def _option(letter: str, value: int | None, default: int | None) -> str:
    return "" if value == default else f"{letter}{value}"


def _strided(stride: int | None, default: int) -> str:
    return _option("s", stride, default)


def _padded(kernel: int, padding: int | None) -> str:
    return _option("p", padding, (kernel - 1) // 2 if kernel % 2 else None)


def _decimal(number: float) -> str:
    # repr has the fewest digits that read back to the same float; written without an exponent, whose
    # dash would separate layers. Adding 0.0 turns -0.0 into 0.0.
    return format(Decimal(repr(float(number) + 0.0)).normalize(), "f")
