"""One linear layer and softmax: K classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import Array
from nablab.byhand.inputs import flat
from nablab.byhand.losses import log_sum_exp, one_hot_each, softmax
from nablab.byhand.penalty import half_squares


@dataclass(frozen=True)
class Softmax:
    """Multinomial logistic regression: P = softmax(X W + b) are the probabilities of the classes.

    Parameters `W` (D, K) and `b` (K,); inputs `x` (N, D); labels `y` (N,) or one-hot (N, K), as Y below.

        Z_nk  = sum_d X_nd W_dk + b_k,   P_nk = exp(Z_nk) / sum_j exp(Z_nj)
        L     = -1/N sum_n sum_k Y_nk log P_nk              + l2/2 sum W^2
              =  1/N sum_n (log sum_k exp Z_nk - Z_n,y_n)   + l2/2 sum W^2

    From the second line, since the derivative of log sum exp is the softmax:

        dL/dZ = (P - Y) / N
        dL/dW = X^T dL/dZ + l2 W
        dL/db = the sum of dL/dZ over the samples

    >>> model = Softmax(classes=3)
    >>> start = model.initial(np.random.default_rng(0), 4)
    >>> {name: g.shape for name, g in model.gradient(start, np.ones((2, 4)), np.array([0, 2])).items()}
    {'W': (4, 3), 'b': (3,)}
    """

    classes: int
    l2: float = 0.0
    deviation: float = 0.01  #: of the initial weights

    def initial(self, rng: np.random.Generator, features: int) -> dict[str, Array]:
        """Small normal weights, biases 0."""
        weights = self.deviation * rng.standard_normal((features, self.classes))
        return {"W": weights, "b": np.zeros(self.classes)}

    def scores(self, params: Mapping[str, Array], x: Array) -> Array:
        """Z (N, K), the logits."""
        return np.asarray(flat(x, params["W"]) @ params["W"] + params["b"])

    def loss(self, params: Mapping[str, Array], x: Array, y: Array) -> float:
        """L. The mean, not the sum: the loss of 1,000 samples can be compared with that of 100."""
        Z = self.scores(params, x)
        right = (one_hot_each(y, Z) * Z).sum(axis=1)
        return float(np.mean(log_sum_exp(Z)[:, 0] - right)) + half_squares(self.l2, params["W"])

    def gradient(self, params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        """dL/dW (D, K) and dL/db (K,)."""
        Z = self.scores(params, x)
        dZ = (softmax(Z) - one_hot_each(y, Z)) / len(x)
        return {"W": np.asarray(x).T @ dZ + self.l2 * params["W"], "b": dZ.sum(axis=0)}
