"""Images as they are compared: small, without their brightness and contrast, as vectors of length 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array

#: The side that larger images are brought to before they are compared.
SIDE = 32

Vectors = NDArray[np.float32]


def view(x_NCHW: Array) -> Vectors:
    """A vector (N, P) of each image, with mean 0 and length 1, so that products are Pearson correlations.

    An image of more than 32 pixels in height or width is first averaged over rectangles to 32. One without
    any contrast becomes a vector of zeros, which correlates with nothing.

    >>> ramp = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> brighter = 2 * ramp + 5
    >>> float(np.round(view(ramp)[0] @ view(brighter)[0], 6))
    1.0
    """
    small = _averaged(_averaged(x_NCHW.astype(np.float32), 2), 3)
    flat = small.reshape(len(small), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    rounding = 1e-5 * np.abs(small).reshape(len(small), -1).max(axis=1, keepdims=True)
    return np.asarray(np.divide(flat, length, out=np.zeros_like(flat), where=length > rounding))


def _averaged(x: Vectors, axis: int) -> Vectors:
    """Means over neighbours along an axis, so many that `SIDE` remain; as it is where it isn't longer."""
    length = x.shape[axis]
    if length <= SIDE:
        return x
    edges = np.arange(SIDE) * length // SIDE
    counts = np.diff([*edges, length]).astype(np.float32)
    shape = [1] * x.ndim
    shape[axis] = SIDE
    return np.asarray(np.add.reduceat(x, edges, axis=axis) / counts.reshape(shape), dtype=np.float32)
