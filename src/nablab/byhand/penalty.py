"""The L2 penalty. Its convention must be said wherever a figure is compared; here it is the half.

    here, and in most lectures     L + 1/2 l2 sum w^2      gradient + l2 w
    without the half               L + l2 sum w^2          gradient + 2 l2 w
    an optimiser's weight decay    (only its gradient)     gradient + l2 w, the same as here

Weights are penalised, biases are not: shifting all outputs does not make a network more complicated.
"""

from __future__ import annotations

import numpy as np

from nablab.byhand.activations import Array


def half_squares(l2: float, *weights: Array) -> float:
    """1/2 l2 times the sum of all squared weights.

    >>> half_squares(0.1, np.array([1.0, 2.0]))
    0.25
    """
    return 0.5 * l2 * float(sum(np.sum(w * w) for w in weights))
