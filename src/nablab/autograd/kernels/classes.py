"""Cross entropy in as few passes as it takes."""

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array


def class_losses(scores: Array, classes: Array) -> tuple[Array, Array] | None:
    """Cross entropy of scores (N, K) for each row, and its gradient by the scores, softmax - one-hot.

    None where a class is not one of 0 to K - 1. Worked with the classes first, so that every reduction adds
    whole rows.
    """
    n, k = scores.shape
    try:
        places = np.ravel_multi_index((classes, np.arange(n)), (k, n))
    except ValueError:
        return None
    e = np.empty((k, n), scores.dtype)
    flat = e.reshape(-1)
    np.subtract(scores.T, np.maximum.reduce(scores, 1), out=e)
    chosen = flat[places]
    np.exp(e, out=e)
    total = np.add.reduce(e, 0)
    np.divide(e, total, out=e)
    flat[places] -= 1
    return np.log(total) - chosen, e.T
