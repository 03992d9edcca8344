"""What the numbers of a layer may be: whole, of a sensible size, and such that the layer means something."""

from __future__ import annotations

import math
from collections.abc import Callable

from nablab.errors import UserError

#: No count, size or stride in a spec is larger; it keeps a slip of the keyboard from taking all memory.
LARGEST = 1_000_000


def whole(what: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
        raise UserError(f"{what} must be a whole number from {least} to {LARGEST:,}, not {value!r}")


def decimal(what: str, value: object, holds: Callable[[float], bool], wanted: str) -> None:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or not holds(value):
        raise UserError(f"{what} must be {wanted}, not {value!r}")


def same_padding(kernel: int, padding: int | None, what: str) -> int:
    if padding is not None:
        return padding
    if kernel % 2 == 0:
        raise UserError(f"{what} has an even kernel and must say its padding, e.g. p0")
    return (kernel - 1) // 2


def pool_stride(kernel: int, stride: int | None, padding: int) -> int:
    stride = kernel if stride is None else stride
    whole("the kernel of a pool", kernel, 1)
    whole("the stride of a pool", stride, 1)
    whole("the padding of a pool", padding, 0)
    if padding > kernel // 2:
        raise UserError(f"the padding of a pool must be at most half its kernel {kernel}, not {padding}")
    return stride


def switch(what: str, value: object) -> bool:
    """A part that is there (1, True) or left out (0, False)."""
    if not isinstance(value, int) or value not in (0, 1):
        raise UserError(f"{what} must be 1 (there) or 0 (left out), not {value!r}")
    return bool(value)
