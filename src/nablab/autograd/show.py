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
    start = f"{type(tensor).__name__.lower()}("
    parts = [numbers(tensor.value, indent=len(start))]
    if tensor.dtype not in (get_default_dtype(), int64, boolean):
        parts.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        parts.append(f"grad_fn={tensor.grad_fn!r}")
    elif tensor.requires_grad:
        parts.append("requires_grad=True")
    return f"{start}{', '.join(parts)})"


def numbers(array: Array, indent: int = 0) -> str:
    """The values as nested lists; from 1,000 on only the edges."""
    if not array.size:
        return str(array.tolist())
    return np.array2string(
        array,
        separator=", ",
        prefix=" " * indent,
        threshold=_options.threshold,
        edgeitems=_options.edgeitems,
        formatter={"float_kind": _float_format(array)},
        max_line_width=_options.linewidth,
    )


def _float_format(array: Array) -> Callable[[Any], str]:
    """One format for all: whole numbers as `1.`, others with four decimals, wide ranges with exponents."""
    finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    known = finite[finite > 0]
    whole = bool((finite == np.rint(finite)).all())
    pattern = "{:.0f}." if whole else f"{{:.{_options.precision}f}}"
    wide = False
    if known.size:
        small, large = known.min(), known.max()
        wide = bool(large >= 1e8 or (not whole and (small < 1e-4 or large / small > 1000)))
    if wide if _options.sci_mode is None else _options.sci_mode:
        pattern = f"{{:.{_options.precision}e}}"
    shown = array if array.size <= 1000 else np.concatenate([array.ravel()[:3], array.ravel()[-3:]])
    texts = [_float_text(x, pattern) for x in shown.ravel() if np.isfinite(x)]
    width = max(map(len, texts), default=0) if array.ndim else 0
    return lambda x: _float_text(x, pattern).rjust(width)


def _float_text(x: float, pattern: str) -> str:
    return pattern.format(x) if np.isfinite(x) else str(float(x))
