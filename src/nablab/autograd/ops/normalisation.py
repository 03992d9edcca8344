"""The one operation in every normalisation: to mean 0 and variance 1 over some of the axes.

Batch normalisation takes the axes (N, H, W), layer normalisation (C, H, W), instance normalisation (H, W),
and group normalisation (C / groups, H, W). `nn.functional` adds scale and shift.
"""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.op import op, vjp


@op
def standardize(x: Array, *, axes: tuple[int, ...], eps: float = 1e-5) -> tuple[Array, dict[str, Any]]:
    deviation = x - x.mean(axes, keepdims=True)
    rate = 1 / np.sqrt((deviation * deviation).mean(axes, keepdims=True) + eps)
    return deviation * rate, {"rate": rate}


@vjp(standardize)
def _(g: Array, out: Array, rate: Array, axes: tuple[int, ...]) -> Array:
    """Mean and deviation depend on every x: what would move them is taken out of the gradient."""
    along_mean = g.mean(axes, keepdims=True)
    along_deviation = (g * out).mean(axes, keepdims=True)
    return rate * (g - along_mean - out * along_deviation)
