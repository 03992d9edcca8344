"""Any number of layers: back-propagation as a loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import ACTIVATIONS, Activation, Array
from nablab.byhand.inputs import flat
from nablab.byhand.losses import LOSSES, Loss
from nablab.byhand.penalty import half_squares
from nablab.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Trace:
    """The forward pass, layer by layer.

    Attributes:
        received: O_1 .. O_L, what the units of each layer receive; the last are the scores Z.
        given: A_0 = X, A_1 .. A_{L-1}, what each layer passes on.
    """

    received: tuple[Array, ...]
    given: tuple[Array, ...]


@dataclass(frozen=True)
class MLP:
    """A network of L linear layers with an activation between each two.

    Parameters `W1` (D, H_1), `b1` (H_1,), .., `WL` (H_{L-1}, K), `bL` (K,). Forward, from A_0 = X:

        O_l = A_{l-1} W_l + b_l       A_l = f(O_l) for l < L,   Z = O_L
        L   = loss(Z, y) + l2/2 sum_l sum W_l^2

    Back: D_l stands for dL/dO_l, one row a sample. The loss gives D_L; then, for l = L .. 1,

        dL/dW_l = A_{l-1}^T D_l + l2 W_l
        dL/db_l = the sum of D_l over the samples
        D_{l-1} = (D_l W_l^T) * f'(O_{l-1})

    Each D is used and then replaced: the way back needs all A of the way forth, and twice its work.

    Attributes:
        widths: D, H_1, .., K; two numbers are a linear classifier.
        activation: a name of `ACTIVATIONS`.
        loss_name: a name of `LOSSES`; what the labels must be is said there.
        l2: lambda, by the convention with the half, biases free.

    >>> net = MLP((2, 100, 3), "relu")
    >>> params = net.initial(np.random.default_rng(0))
    >>> net.shapes(params, np.zeros((5, 2)))
    (('W1', (2, 100), (5, 100)), ('W2', (100, 3), (5, 3)))
    >>> net.shapes(params, np.zeros(2))  # one input alone
    (('W1', (2, 100), (100,)), ('W2', (100, 3), (3,)))
    """

    widths: tuple[int, ...]
    activation: str = "relu"
    loss_name: str = "softmax"
    l2: float = 0.0
    deviation: float | None = None  #: of the initial weights; None is He's sqrt(2 / inputs of the layer)

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise UserError(f"widths {self.widths}: an MLP needs at least those of its input and output")
        for name, table in ((self.activation, ACTIVATIONS), (self.loss_name, LOSSES)):
            if name not in table:
                raise UserError(f"{name!r} is not known{did_you_mean(name, table)}")

    @property
    def depth(self) -> int:
        """L, the number of linear layers."""
        return len(self.widths) - 1

    @property
    def f(self) -> Activation:
        """The activation and its derivative."""
        return ACTIVATIONS[self.activation]

    @property
    def loss_of_scores(self) -> Loss:
        """The loss and its derivative by the scores."""
        return LOSSES[self.loss_name]

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Normal weights (He et al. 2015 unless `deviation` is given), biases 0."""
        params: dict[str, Array] = {}
        for layer, (inputs, outputs) in enumerate(zip(self.widths, self.widths[1:], strict=False), start=1):
            deviation = np.sqrt(2 / inputs) if self.deviation is None else self.deviation
            params[f"W{layer}"] = deviation * rng.standard_normal((inputs, outputs))
            params[f"b{layer}"] = np.zeros(outputs)
        return params

    def forward(self, params: Mapping[str, Array], x: Array) -> Trace:
        """The forward pass of a batch (N, D), or of one input (D,)."""
        given, received = [flat(x, params["W1"])], []
        for layer in range(1, self.depth + 1):
            received.append(given[-1] @ params[f"W{layer}"] + params[f"b{layer}"])
            if layer < self.depth:
                given.append(self.f.value(received[-1]))
        return Trace(tuple(received), tuple(given))

    def scores(self, params: Mapping[str, Array], x: Array) -> Array:
        """Z (N, K), or (K,) of one input."""
        return self.forward(params, x).received[-1]

    def shapes(
        self, params: Mapping[str, Array], x: Array
    ) -> tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]:
        """Of each layer: the name of its weights, their shape, and the shape that leaves it."""
        received = self.forward(params, x).received
        return tuple((f"W{i}", params[f"W{i}"].shape, o.shape) for i, o in enumerate(received, start=1))

    def loss(self, params: Mapping[str, Array], x: Array, y: Array) -> float:
        """L, with the penalty."""
        weights = (params[f"W{layer}"] for layer in range(1, self.depth + 1))
        return self.loss_of_scores.value(self.scores(params, x), y) + half_squares(self.l2, *weights)

    def gradient(self, params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        """The derivative of L by each parameter, in its shape, in the order of the parameters."""
        trace = self.forward(params, x)
        D = self.loss_of_scores.gradient(trace.received[-1], y)
        gradient: dict[str, Array] = {}
        for layer in range(self.depth, 0, -1):
            W, A = params[f"W{layer}"], trace.given[layer - 1]
            gradient[f"b{layer}"] = D.sum(axis=0)
            gradient[f"W{layer}"] = A.T @ D + self.l2 * W
            if layer > 1:
                D = (D @ W.T) * self.f.slope(trace.received[layer - 2], A)
        return {name: gradient[name] for name in params}
