"""Images turned and scaled by a linear map each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.bilinear import bilinear
from nablab.data.dataset import Array


def affine(x_NCHW: Array, matrices: NDArray[np.floating], fill: float) -> Array:
    """Images pulled through a linear map about their centres, bilinearly; `fill` is all around them.

    The value at offset p = (down, right) from the centre is that of the image at offset `matrices[i] @ p`.
    This is what scipy.ndimage calls `affine_transform(..., order=1, mode="grid-constant")`.

    Args:
        x_NCHW: uint8 (results are rounded) or float32.
        matrices: (N, 2, 2).

    Returns:
        (N, C, H, W), of the type of `x_NCHW`.
    """
    down, right = (np.arange(length) - (length - 1) / 2 for length in x_NCHW.shape[2:])
    by_row = matrices[:, :, 0].T[:, :, None] * down
    by_column = matrices[:, :, 1].T[:, :, None] * right
    return bilinear(x_NCHW, by_row, by_column, fill)
