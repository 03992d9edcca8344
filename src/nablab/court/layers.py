"""A network's layers, recovered from the outside: from names, shapes and the loss alone.

For one sample, and a linear layer z = a W + b with any loss behind it,

    dL/db = dL/dz = D      and      dL/dW = a^T D

so the measured gradients of its bias and weights give away both the error D at the layer and the
activations a that came in, hidden though they are. With z = a W + b and the next layer's a = f(z) one knows
points of the activation f; with D_l = (D_{l+1} W_{l+1}^T) f'(z_l), points of its derivative. And the same
division of what is *claimed* gives the derivative that the claim was made with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nablab.court.calls import Array
from nablab.court.differences import Precision, careful_slope, entry_line
from nablab.court.problem import Params, Problem
from nablab.errors import UserError

#: Samples that are looked at one by one, units of all layers together, and entries of the first weights.
SAMPLES, UNITS, ENTRIES = 5, 300, 12


@dataclass(frozen=True)
class Layer:
    """One linear layer: names of its parameters, and whether weights are (outputs, inputs)."""

    weight: str
    bias: str
    turned: bool


@dataclass(frozen=True)
class Passage:
    """What one sample does in a layer: incoming a, z = a W + b, and the error dL/dz, measured."""

    a: Array
    z: Array
    error: Array


@dataclass(frozen=True)
class Layers:
    """A chain of linear layers with activations between them.

    Attributes:
        chain: the layers, from the input.
        rows: the samples that were looked at.
        passages: for each of these samples, one for each layer.
        penalty: lambda of lambda/2 sum W^2 in the loss, as the weights' gradients show it; 0 for none.
    """

    chain: tuple[Layer, ...]
    rows: tuple[int, ...]
    passages: tuple[tuple[Passage, ...], ...]
    penalty: float

    def weights(self, layer: int, params: Params) -> Array:
        """W of a layer as (inputs, outputs)."""
        return _oriented(params[self.chain[layer].weight], self.chain[layer], self.passages[0][layer].z.size)

    def position(self, name: str) -> int | None:
        """Which layer a parameter belongs to."""
        for i, layer in enumerate(self.chain):
            if name in (layer.weight, layer.bias):
                return i
        return None


def find_layers(problem: Problem, precision: Precision) -> Layers | None:
    """The chain of linear layers that the parameters are; None where they are not one, or it can't be told.

    A chain is only believed if the loss behaves as it says: the measured gradient of the first weights must
    be the outer product of the input and the measured gradient of the first bias.
    """
    count = problem.samples
    if count is None or precision.single:
        return None
    try:
        features = int(np.size(problem.part([0]).x))
        for chain in _chains(problem.params, features):
            if sum(problem.params[layer.bias].size for layer in chain) > UNITS:
                continue
            found = _measure(problem, precision, chain)
            if found is not None:
                return found
    except (UserError, IndexError, TypeError):
        return None  # a loss that takes no single samples keeps its secrets
    return None


def _chains(params: Params, features: int) -> list[tuple[Layer, ...]]:
    """Readings of the parameters as layers: in their order, sizes fitting; square weights both ways."""
    weights = [
        name for name, p in params.items() if 2 in (p.ndim, np.squeeze(p).ndim) and not _is_bias(name, p)
    ]
    vectors = [name for name in params if name not in weights]
    readings: list[tuple[tuple[Layer, ...], int, tuple[str, ...]]] = [((), features, tuple(vectors))]
    for weight in weights:
        shape = params[weight].shape if params[weight].ndim == 2 else np.squeeze(params[weight]).shape
        following = []
        for chain, width, left in readings:
            for turned in (False, True):
                inputs, outputs = shape[::-1] if turned else shape
                bias = _bias_of(weight, outputs, left, params)
                if inputs == width and bias is not None:
                    rest = tuple(name for name in left if name != bias)
                    following.append(((*chain, Layer(weight, bias, turned)), outputs, rest))
        readings = following
    finished = []
    for chain, width, left in readings:
        if not left and chain:
            finished.append(chain)
        elif len(left) == 2:  # a last layer of one output, its weights a vector
            for weight, bias in (left, left[::-1]):
                if params[weight].size == width and params[bias].size == 1:
                    finished.append((*chain, Layer(weight, bias, False)))
    return finished


def _is_bias(name: str, p: Array) -> bool:
    """A row or column whose name begins like that of a bias: the weights of one unit are one, too."""
    return np.squeeze(p).ndim < 2 and re.match(r"b\d*$|bias", name, re.IGNORECASE) is not None


def _bias_of(weight: str, outputs: int, left: tuple[str, ...], params: Params) -> str | None:
    """The vector of that size whose name differs from the weights' by the letter only, else the first."""
    fitting = [name for name in left if params[name].size == outputs]

    def key(name: str) -> str:
        return re.sub(r"weights?|bias(es)?|^[wWbB](?![a-z])|kernel", "", name)

    same = [name for name in fitting if key(name) == key(weight)]
    return next(iter((*same, *fitting)), None)


def _measure(problem: Problem, precision: Precision, chain: tuple[Layer, ...]) -> Layers | None:
    """What runs through the chain for some samples; None where the loss contradicts the chain."""
    penalty = None
    passages: dict[int, tuple[Passage, ...]] = {}
    rows = _telling(problem, precision, chain[-1])
    for row in rows:
        one = problem.part([row])
        errors = [_slopes(one, layer.bias, precision) for layer in chain]
        if penalty is None:
            a = np.asarray(one.x, np.float64).reshape(-1)
            penalty = _penalty_if_linear(one, chain[0], a, errors[0], precision)
        if penalty is None:
            return None
        passed = _pass_through(one, chain, errors, penalty, precision)
        if passed is not None:
            passages[row] = passed
        if len(passages) == SAMPLES:
            break
    if penalty is None or len(passages) < min(2, len(rows)):
        return None
    return Layers(chain, tuple(passages), tuple(passages.values()), penalty)


def _telling(problem: Problem, precision: Precision, last: Layer) -> list[int]:
    """Samples with large errors first: from those that are right and sure of it little comes back."""
    count = problem.samples or 0
    rows = np.linspace(0, count - 1, min(count, 3 * SAMPLES)).astype(int).tolist()
    errors = {row: np.linalg.norm(_slopes(problem.part([row]), last.bias, precision)) for row in rows}
    return sorted(rows, key=lambda row: -errors[row])[: 2 * SAMPLES]


def _pass_through(
    one: Problem, chain: tuple[Layer, ...], errors: list[Array], penalty: float, precision: Precision
) -> tuple[Passage, ...] | None:
    """What one sample does in each layer; None where too little comes back to tell."""
    passed: list[Passage] = []
    a = np.asarray(one.x, np.float64).reshape(-1)
    for layer, error in zip(chain, errors, strict=True):
        if passed:
            received = _received(one, layer, error, penalty, passed[-1].z.size, precision)
            if received is None:
                return None
            a = received
        W = _oriented(one.params[layer.weight], layer, error.size)
        passed.append(Passage(a, a @ W + one.params[layer.bias].reshape(-1), error))
    return tuple(passed)


def _slopes(one: Problem, name: str, precision: Precision) -> Array:
    """The measured gradient of a parameter, flat."""
    places = np.ndindex(one.params[name].shape)
    return np.array([careful_slope(entry_line(one, name, place), precision).value for place in places])


def _slope_at(one: Problem, layer: Layer, i: int, j: int, precision: Precision) -> tuple[float, float]:
    """dL/dW_ij and W_ij, i counting inputs and j outputs."""
    W = one.params[layer.weight]
    if W.ndim < 2:
        place: tuple[int, ...] = (i,)
    else:
        place = (j, i) if layer.turned else (i, j)
    value = careful_slope(entry_line(one, layer.weight, place), precision).value
    return value, float(W[place])


def _penalty_if_linear(
    one: Problem, layer: Layer, a: Array, error: Array, precision: Precision
) -> float | None:
    """lambda of dL/dW = a^T D + lambda W, 0 for none; None where the gradient has another form."""
    rng = np.random.default_rng(0)
    inputs = rng.permutation(np.argsort(-np.abs(a))[: 2 * ENTRIES])[:ENTRIES]
    units = np.argsort(-np.abs(error))[:2]
    pairs = [(int(i), int(j)) for i in inputs for j in units][: 2 * ENTRIES]
    measured = [_slope_at(one, layer, i, j, precision) for i, j in pairs]
    gradient = np.array([g for g, _ in measured])
    weights = np.array([w for _, w in measured])
    rest = gradient - np.array([a[i] * error[j] for i, j in pairs])
    size = np.linalg.norm(gradient)
    if not size or np.linalg.norm(rest) <= 1e-4 * size:
        return 0.0 if size else None
    fitted = float(rest @ weights / (weights @ weights)) if weights.any() else 0.0
    return fitted if np.linalg.norm(rest - fitted * weights) <= 1e-4 * size else None


def _received(
    one: Problem, layer: Layer, error: Array, penalty: float, width: int, precision: Precision
) -> Array | None:
    """The activations that come into a hidden layer: dL/dW_jk / dL/db_k, by the k with the largest error.

    None where that is too small, or where another k contradicts: W is then not (inputs, outputs) as read.
    """
    least = 1e3 * precision.noise / precision.step
    first, *others = np.argsort(-np.abs(error))[:2].tolist()
    if abs(error[first]) < least:
        return None

    def incoming(inputs: Iterable[int], k: int) -> Array:
        measured = [_slope_at(one, layer, j, k, precision) for j in inputs]
        return np.array([(g - penalty * w) / error[k] for g, w in measured])

    a = incoming(range(width), first)
    largest = np.argsort(-np.abs(a))[:3].tolist()
    for k in (k for k in others if abs(error[k]) >= least):
        off = incoming(largest, k) - a[largest]
        if np.linalg.norm(off) > 1e-2 * np.linalg.norm(a[largest]):
            return None
    return a


def _oriented(W: Array, layer: Layer, outputs: int) -> Array:
    if W.ndim < 2:
        return W.reshape(-1, outputs)
    return W.T if layer.turned else W
