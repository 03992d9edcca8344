"""One linear layer and the logistic function: two classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import Array, logistic, softplus
from nablab.byhand.inputs import flat
from nablab.byhand.losses import between_0_and_1, one_each
from nablab.byhand.penalty import half_squares


@dataclass(frozen=True)
class Logistic:
    """Logistic regression: q = logistic(x . w + b) is the probability of class 1.

    Parameters `w` (D,) and `b` (); inputs `x` (N, D); labels `y` (N,) or (N, 1), 0 or 1.

        z_n   = x_n . w + b,   q_n = 1 / (1 + exp(-z_n))
        L     = -1/N sum_n (y_n log q_n + (1 - y_n) log(1 - q_n))  + l2/2 sum w^2
              =  1/N sum_n (log(1 + exp z_n) - y_n z_n)            + l2/2 sum w^2

    The derivative of the logistic function, q (1 - q), cancels against those of the logarithms:

        dL/dz_n = (q_n - y_n) / N
        dL/dw   = sum_n dL/dz_n x_n + l2 w
        dL/db   = sum_n dL/dz_n

    >>> model = Logistic()
    >>> x, y = np.array([[1.0], [3.0]]), np.array([0, 1])
    >>> start = model.initial(np.random.default_rng(0), 1)
    >>> round(model.loss(start, x, y), 4)  # log 2: it knows nothing yet
    0.6931
    """

    l2: float = 0.0

    def initial(self, rng: np.random.Generator, features: int) -> dict[str, Array]:
        """Zeros: the loss has one minimum, and any start leads there."""
        return {"w": np.zeros(features), "b": np.zeros(())}

    def scores(self, params: Mapping[str, Array], x: Array) -> Array:
        """z (N,): above 0 for class 1."""
        return np.asarray(flat(x, params["w"]) @ params["w"] + params["b"])

    def loss(self, params: Mapping[str, Array], x: Array, y: Array) -> float:
        """L, by softplus(z) = log(1 + exp z), which does not overflow."""
        z, y = self.scores(params, x), between_0_and_1(one_each(y, len(x)))
        return float(np.mean(softplus(z) - y * z)) + half_squares(self.l2, params["w"])

    def gradient(self, params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        """dL/dw (D,) and dL/db ()."""
        dz = (logistic(self.scores(params, x)) - between_0_and_1(one_each(y, len(x)))) / len(x)
        return {"w": np.asarray(x).T @ dz + self.l2 * params["w"], "b": np.asarray(dz.sum())}
