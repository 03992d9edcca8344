"""Specs as strings of the layer language, in the one spelling that is canonical."""

from __future__ import annotations

from decimal import Decimal

from nablab.models import spec as layers
from nablab.models.spec import Layer, Residual, Spec


def to_text(spec: Spec) -> str:
    """The canonical string of a network; `parse` reads it back to an equal one.

    >>> from nablab.models.language import parse
    >>> to_text(parse("20c5S1p2 - relu - 2x(100 - Dropout.50) - k"))
    '20C5-ReLU-100-Dropout0.5-100-Dropout0.5-K'
    """
    return _join(spec.layers)


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
            return f"Res({_join(body)}|{_join(shortcut)})" if shortcut else f"Res({_join(body)})"
    return layer.word


def _join(sequence: tuple[Layer, ...]) -> str:
    return "-".join(layer_text(layer) for layer in sequence)


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
