"""The exercises of lab e, solved; and wrong answers that their checks must refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def e1b() -> Callable[[Array, Array], Array]:
    """Only y_j holds w_jk, with the factor x_k^2: 2 y_j x_k^2."""
    return lambda W, x: 2 * np.outer(W @ x**2, x**2)


def _tanh_network(
    params: Mapping[str, Array],
    X: Array,
    t: Array,
    slope: Callable[[Array], Array] = lambda H: 1 - H**2,
    mean: bool = True,
) -> dict[str, Array]:
    H = np.tanh(X @ params["W1"] + params["b1"])
    Z = H @ params["W2"] + params["b2"]
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    D_Z = P / P.sum(axis=1, keepdims=True) - np.eye(Z.shape[1])[t]
    D_Z = D_Z / len(t) if mean else D_Z
    D_O = (D_Z @ params["W2"].T) * slope(H)
    return {"W1": X.T @ D_O, "b1": D_O.sum(axis=0), "W2": H.T @ D_Z, "b2": D_Z.sum(axis=0)}


def e1() -> Callable[..., dict[str, Array]]:
    """As with ReLU, with the slope 1 - H^2 in place of [O > 0]."""
    return _tanh_network


def e1c() -> Callable[[Callable[[Array, Array], float]], str]:
    """Adding a constant to all logits of an image changes nothing for softmax alone."""

    def which(loss: Callable[[Array, Array], float]) -> str:
        Z, t = np.array([[0.3, -1.0, 2.0]]), np.array([1])
        return "softmax" if np.isclose(loss(Z, t), loss(Z + 1, t)) else "logistic"

    return which


def e2() -> Callable[[Callable[[Array], float], Array], Array]:
    """Two values an entry, h apart on either side."""

    def gradient(f: Callable[[Array], float], x: Array, h: float = 1e-5) -> Array:
        result = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            kept = x[place]
            x[place] = kept + h
            above = f(x)
            x[place] = kept - h
            below = f(x)
            x[place] = kept
            result[place] = (above - below) / (2 * h)
        return result

    return gradient


def e2b() -> float:
    """(3 * 1e-10 * |L| / |L'''|)^(1/3)."""
    return float((3e-10) ** (1 / 3))


def e3() -> Callable[[int, int, np.random.Generator], Iterator[Array]]:
    """A new permutation, cut into pieces."""

    def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
        order = rng.permutation(count)
        for first in range(0, count, size):
            yield order[first : first + size]

    return batches


def e3b() -> int:
    """ceil(60,000 / 64) = 938 an epoch."""
    return 9_380


def e4() -> type[Any]:
    """A new list of widths; activation and dropout between linear layers only."""
    return _network()


def _network(mistake: str = "") -> type[Any]:
    """The class, right or with one mistake."""
    from torch import nn

    class Answer(nn.Module):
        def __init__(self, inputs: int, hidden: list[int], outputs: int, dropout: float = 0.0) -> None:
            super().__init__()
            layers: list[Any] = []
            for a, b in pairwise([inputs, *hidden]):
                layers.append(nn.Linear(a, b))
                if mistake != "no activation":
                    layers.append(nn.ReLU())
                if mistake != "no dropout":
                    layers.append(nn.Dropout(dropout))
            layers.append(nn.Linear([inputs, *hidden][-1], outputs))
            if mistake == "activation at the end":
                layers.append(nn.ReLU())
            if mistake == "dropout at the end":
                layers.append(nn.Dropout(dropout))
            if mistake == "softmax at the end":
                layers.append(nn.Softmax(dim=1))
            if mistake == "the list is changed":
                hidden.append(outputs)
            self.layers: Any = layers if mistake == "a plain list" else nn.ModuleList(layers)

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    return Answer


def e5() -> Callable[[Array, Array, Array, float], str]:
    """The criteria of the lab."""

    def diagnose(train_loss: Array, valid_loss: Array, train_accuracy: Array, plain: float) -> str:
        if not (np.isfinite(train_loss).all() and np.isfinite(valid_loss).all()):
            return "unstable"
        if np.maximum(np.diff(train_loss), 0).sum() > 0.2 * np.log(10):
            return "unstable"
        if valid_loss[-1] > 1.1 * valid_loss.min() and train_loss[-1] < 0.5 * valid_loss[-1]:
            return "overfitting"
        if train_accuracy[-1] >= plain:
            return "healthy"
        quarter = train_loss[-1 - len(train_loss) // 4]
        late = (quarter - train_loss[-1]) / (train_loss[0] - train_loss[-1])
        return "slow" if late > 0.05 else "underfitting"

    return diagnose


def e6() -> Callable[[float, float, int, np.random.Generator], Array]:
    """Uniform in the logarithm."""
    return lambda low, high, count, rng: np.asarray(low * (high / low) ** rng.uniform(size=count))


def _through_time(W: Array, U: Array, xs: Array, *, whole: bool = True) -> tuple[Array, Array]:
    states = [np.zeros(len(U))]
    for x in xs:
        states.append(np.tanh(W @ x + U @ states[-1]))
    by_W, by_U, g = np.zeros_like(W), np.zeros_like(U), np.ones(len(U))
    for step in reversed(range(len(xs))):
        d = g * (1 - states[step + 1] ** 2)
        by_W += np.outer(d, xs[step])
        by_U += np.outer(d, states[step])
        g = U.T @ d
        if not whole:
            break
    return by_W, by_U


def e7() -> Callable[[Array, Array, Array], tuple[Array, Array]]:
    """The step of the cell, from the last to the first; what W and U receive is summed."""
    return _through_time


def _in_order(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    for first in range(0, count, size):
        yield np.arange(count)[first : first + size]


def _with_replacement(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    for _ in range(-(-count // size)):
        yield rng.integers(0, count, size)


def _without_the_rest(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    order = rng.permutation(count)
    for first in range(0, count - size + 1, size):
        yield order[first : first + size]


def _one_sided(f: Callable[[Array], float], x: Array) -> Array:
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = x.copy()
        moved[place] += 1e-7
        result[place] = (f(moved) - f(x)) / 1e-7
    return result


def _leaves_x_moved(f: Callable[[Array], float], x: Array) -> Array:
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        x[place] += 1e-5
        above = f(x)
        x[place] -= 2e-5
        result[place] = (above - f(x)) / 2e-5
    return result


def _at_zero(loss: Callable[[Array, Array], float]) -> str:
    return "softmax" if np.isclose(loss(np.zeros((1, 10)), np.array([0])), np.log(10)) else "logistic"


def _gap(train_loss: Array, valid_loss: Array, train_accuracy: Array, plain: float) -> str:
    return "overfitting" if valid_loss[-1] > train_loss[-1] + 0.1 else "healthy"


def _no_pace(train_loss: Array, valid_loss: Array, train_accuracy: Array, plain: float) -> str:
    """Never says slow."""
    said = e5()(train_loss, valid_loss, train_accuracy, plain)
    return "underfitting" if said == "slow" else said


#: Plausible mistakes, which the checks must refuse.
wrong: dict[str, list[Any]] = {
    "e1b": [
        lambda W, x: 2 * np.outer(x**2, W @ x**2),
        lambda W, x: np.outer(W @ x**2, x**2),
        lambda W, x: 4 * np.outer(W @ x**2, x),
    ],
    "e1": [
        lambda params, X, t: _tanh_network(params, X, t, slope=lambda H: 1 - H),
        lambda params, X, t: _tanh_network(params, X, t, slope=lambda H: (H > 0).astype(float)),
        lambda params, X, t: _tanh_network(params, X, t, mean=False),
        lambda params, X, t: {"W1": params["W1"]},
    ],
    "e1c": [_at_zero, lambda loss: "softmax", lambda loss: "cross entropy"],
    "e2": [_one_sided, _leaves_x_moved, lambda f, x: np.full(x.shape, f(x))],
    "e2b": [1e-5, 1e-10, 0.1, -1.0],
    "e3": [_in_order, _with_replacement, _without_the_rest],
    "e3b": [9_375, 9_370, 600_000, 938],
    "e4": [
        _network("no activation"),
        _network("no dropout"),
        _network("activation at the end"),
        _network("dropout at the end"),
        _network("softmax at the end"),
        _network("the list is changed"),
        _network("a plain list"),
    ],
    "e5": [_gap, _no_pace, lambda *curves: "healthy"],
    "e6": [
        lambda low, high, count, rng: rng.uniform(low, high, count),
        lambda low, high, count, rng: np.logspace(np.log10(low), np.log10(high), count),
        lambda low, high, count, rng: np.exp(rng.uniform(low, high, count)),
    ],
    "e7": [
        lambda W, U, xs: _through_time(W, U, xs, whole=False),
        lambda W, U, xs: tuple(2 * g for g in _through_time(W, U, xs)),
    ],
}
