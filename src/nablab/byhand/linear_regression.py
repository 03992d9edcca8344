"""Regression: a linear output and the square loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import Array
from nablab.byhand.inputs import flat
from nablab.byhand.losses import one_each
from nablab.byhand.penalty import half_squares


@dataclass(frozen=True)
class LinearRegression:
    """Least squares: z = x . w + b, a number.

    Parameters `w` (D,) and `b` (); inputs `x` (N, D); targets `y` (N,) or (N, 1).

        L      = 1/N sum_n (z_n - y_n)^2 + l2/2 sum w^2
        dL/dz_n = 2 (z_n - y_n) / N
        dL/dw  = sum_n dL/dz_n x_n + l2 w,   dL/db = sum_n dL/dz_n

    L is a bowl of curvature H = 2/N X^T X: descent converges at rates below 2 / (its largest eigenvalue), and
    diverges above it. A network with hidden layers does the same with `MLP(.., loss_name="square")`.
    """

    l2: float = 0.0

    def initial(self, rng: np.random.Generator, features: int) -> dict[str, Array]:
        """Zeros: the loss has one minimum."""
        return {"w": np.zeros(features), "b": np.zeros(())}

    def scores(self, params: Mapping[str, Array], x: Array) -> Array:
        """z (N,)."""
        return np.asarray(flat(x, params["w"]) @ params["w"] + params["b"])

    def loss(self, params: Mapping[str, Array], x: Array, y: Array) -> float:
        """L, with the penalty."""
        return float(np.mean((self.scores(params, x) - one_each(y, len(x))) ** 2)) + half_squares(
            self.l2, params["w"]
        )

    def gradient(self, params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        """dL/dw (D,) and dL/db ()."""
        dz = 2 * (self.scores(params, x) - one_each(y, len(x))) / len(x)
        return {"w": np.asarray(x).T @ dz + self.l2 * params["w"], "b": np.asarray(dz.sum())}
