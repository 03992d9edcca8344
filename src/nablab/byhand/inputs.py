"""Inputs as every model here takes them."""

from __future__ import annotations

import numpy as np

from nablab.byhand.activations import Array
from nablab.errors import UserError


def flat(x: Array, weights: Array) -> Array:
    """x as (N, D), or one input (D,), for weights of D rows.

    Raises:
        UserError: inputs of another shape, such as images that were not flattened.
    """
    x = np.asarray(x)
    if x.shape[-1:] != (len(weights),):
        raise UserError(
            f"x has the shape {x.shape}, and these weights take (N, {len(weights)}): images are flattened by "
            "x.reshape(len(x), -1)"
        )
    return x
