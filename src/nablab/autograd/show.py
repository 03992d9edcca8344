"""How a tensor is printed: as PyTorch prints it, four decimals where there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nablab.autograd.dtypes import Array, boolean, get_default_dtype, int64

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


@dataclass(frozen=True)
class PrintOptions:
    """Decimals; from how many numbers on only `edgeitems` at each end are shown; the width of a line; and
    whether with exponents (None: where the range asks for it)."""

    precision: int = 4
    threshold: int = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = PrintOptions()


def set_printoptions(**options: Any) -> None:
    """Change how tensors are printed, see `PrintOptions`: `set_printoptions(precision=2, sci_mode=False)`."""
    global _options
    _options = replace(_options, **options)


def show(tensor: Tensor) -> str:
    """`tensor([[1., 2.]], grad_fn=<AddBackward>)`."""
    text = "tensor(" + numbers(tensor.value, indent=len("tensor("))
    column = len(text) - text.rfind("\n")
    for remark in _remarks(tensor):
        column += len(remark) + 2
        if column > _options.linewidth:
            text += ",\n       " + remark
            column = len("tensor(") + len(remark)
        else:
            text += ", " + remark
    return text + ")"


def _remarks(tensor: Tensor) -> list[str]:
    """What follows the numbers."""
    remarks = []
    if not tensor.value.size and tensor.ndim != 1:
        remarks.append(f"size={tensor.shape}")
    usual = (get_default_dtype(), int64, boolean) if tensor.value.size else (get_default_dtype(),)
    if tensor.dtype not in usual:
        remarks.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        remarks.append(f"grad_fn={tensor.grad_fn!r}")
    elif tensor.requires_grad:
        remarks.append("requires_grad=True")
    return remarks


def numbers(array: Array, indent: int = 0) -> str:
    """The values as nested lists; of more than 1,000 only the edges."""
    if not array.size:
        return "[]"
    short = array.size > _options.threshold
    shown = array[np.ix_(*[_edges(n) for n in array.shape])] if short else array
    width, text = _float_format(shown) if array.dtype.kind == "f" else _plain_format(shown)
    return _nested(array, indent, short, width, lambda x: text(x).rjust(width))


def _edges(n: int) -> list[int]:
    """The first and the last of n places, where there are others between them."""
    edge = _options.edgeitems
    return [*range(edge), *range(n - edge, n)] if n > 2 * edge else list(range(n))


def _nested(array: Array, indent: int, short: bool, width: int, text: Callable[[Any], str]) -> str:
    if not array.ndim:
        return text(array.item())
    places = _edges(len(array)) if short else range(len(array))
    if array.ndim > 1:
        parts = [_nested(array[i], indent + 1, short, width, text) for i in places]
        dots, gap = "...", ",".ljust(array.ndim, "\n") + " " * (indent + 1)
    else:
        parts, dots, gap = [text(x) for x in array[places].tolist()], " ...", ", "
    if len(parts) < len(array):
        parts.insert(_options.edgeitems, dots)
    if array.ndim == 1:
        line = max(1, (_options.linewidth - indent) // (width + 2))
        parts = [gap.join(parts[i : i + line]) for i in range(0, len(parts), line)]
        gap = ",\n" + " " * (indent + 1)
    return f"[{gap.join(parts)}]"


def _plain_format(array: Array) -> tuple[int, Callable[[Any], str]]:
    """Integers and bools, as wide as the longest."""
    return max([len(str(x)) for x in array.ravel().tolist()]), str


def _float_format(array: Array) -> tuple[int, Callable[[Any], str]]:
    """One format for all: whole numbers as `1.`, others with four decimals, wide ranges with exponents."""
    finite = array[np.isfinite(array)].astype(np.float64)
    known = np.abs(finite[finite != 0])
    whole = bool((finite == np.rint(finite)).all())
    pattern = "{:.0f}." if whole else f"{{:.{_options.precision}f}}"
    wide = False
    if known.size:
        small, large = known.min(), known.max()
        wide = bool(large >= 1e8 or (not whole and (small < 1e-4 or large / small > 1000)))
    if wide if _options.sci_mode is None else _options.sci_mode:
        pattern = f"{{:.{_options.precision}e}}"
    width = max([len(pattern.format(x)) for x in finite[finite != 0]], default=1)
    return width, lambda x: pattern.format(x) if np.isfinite(x) else str(x)
