"""Two layers: the smallest network that has to send an error back through an activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from nablab.byhand.activations import Array
from nablab.byhand.inputs import flat
from nablab.byhand.losses import cross_entropy, cross_entropy_gradient, logistic_gradient, logistic_loss
from nablab.byhand.penalty import half_squares
from nablab.errors import UserError


class Forward(NamedTuple):
    """What the forward pass computes, kept for the way back."""

    Z1: Array  #: (N, H) what the hidden units receive
    H: Array  #: (N, H) what they give
    Z2: Array  #: (N, K) the scores


@dataclass(frozen=True)
class TwoLayer:
    """A hidden layer of tanh or ReLU units, then a logistic or softmax output.

    Parameters `W1` (D, H), `b1` (H,), `W2` (H, K), `b2` (K,), K = 1 for the logistic output. Inputs X (N, D);
    labels `y` (N,) of whole numbers or one-hot (N, K). With * for the product entry by entry:

        Z1 = X W1 + b1            what the hidden units receive
        H  = tanh(Z1)             or max(Z1, 0)
        Z2 = H W2 + b2            the scores
        L  = 1/N sum_n (log sum_k exp Z2_nk - Z2_n,y_n)           softmax
             1/N sum_n (log(1 + exp Z2_n) - y_n Z2_n)             logistic
             + l2/2 (sum W1^2 + sum W2^2)

    and back, from the loss to the input, with P the probabilities and Y the labels one-hot (or as a column):

        dZ2 = (P - Y) / N
        dW2 = H^T dZ2 + l2 W2     db2 = the sum of dZ2 over the samples
        dH  = dZ2 W2^T            each hidden unit hears of the errors that it had a part in
        dZ1 = dH * (1 - H^2)      or dH * (Z1 > 0): the derivative of the activation
        dW1 = X^T dZ1 + l2 W1     db1 = the sum of dZ1 over the samples

    If H is written as 2 logistic(Z1) - 1, which is tanh(Z1/2), the derivative is (1 - H^2)/2; (1 - H)^2 is
    not, and descent by it need not converge.
    """

    hidden: int
    classes: int
    activation: Literal["tanh", "relu"] = "tanh"
    output: Literal["softmax", "logistic"] = "softmax"
    l2: float = 0.0
    deviation: float = 0.01  #: of the initial weights

    def __post_init__(self) -> None:
        for name, known in ((self.activation, ("tanh", "relu")), (self.output, ("softmax", "logistic"))):
            if name not in known:
                raise UserError(f"{name!r} is not known; known: {' and '.join(known)}; see MLP for others")

    def initial(self, rng: np.random.Generator, features: int) -> dict[str, Array]:
        """Small normal weights, since equal units would stay equal; biases 0."""
        outputs = 1 if self.output == "logistic" else self.classes
        return {
            "W1": self.deviation * rng.standard_normal((features, self.hidden)),
            "b1": np.zeros(self.hidden),
            "W2": self.deviation * rng.standard_normal((self.hidden, outputs)),
            "b2": np.zeros(outputs),
        }

    def forward(self, params: Mapping[str, Array], x: Array) -> Forward:
        """Z1, H and Z2."""
        Z1 = flat(x, params["W1"]) @ params["W1"] + params["b1"]
        H = np.tanh(Z1) if self.activation == "tanh" else np.maximum(Z1, 0)
        return Forward(Z1, H, H @ params["W2"] + params["b2"])

    def scores(self, params: Mapping[str, Array], x: Array) -> Array:
        """Z2 (N, K)."""
        return self.forward(params, x).Z2

    def loss(self, params: Mapping[str, Array], x: Array, y: Array) -> float:
        """L, with the penalty."""
        data_loss = cross_entropy if self.output == "softmax" else logistic_loss
        return data_loss(self.scores(params, x), y) + half_squares(self.l2, params["W1"], params["W2"])

    def gradient(self, params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        """The derivative of L by each parameter, in its shape."""
        Z1, H, Z2 = self.forward(params, x)
        dZ2 = cross_entropy_gradient(Z2, y) if self.output == "softmax" else logistic_gradient(Z2, y)
        dH = dZ2 @ params["W2"].T
        dZ1 = dH * (1 - H * H) if self.activation == "tanh" else dH * (Z1 > 0)
        return {
            "W1": np.asarray(x).T @ dZ1 + self.l2 * params["W1"],
            "b1": dZ1.sum(axis=0),
            "W2": H.T @ dZ2 + self.l2 * params["W2"],
            "b2": dZ2.sum(axis=0),
        }
