"""Solutions of lab b, one function an exercise, and plausible wrong answers that its check must refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Solution = Callable[..., Any]


def b1() -> Solution:
    """The digit is looked up under the number of the column."""
    digits = np.array([9, 0, 7, 6, 1, 8, 4, 3, 2, 5])
    return lambda Y: digits[Y.argmax(axis=1)]


def b2() -> Solution:
    """Two numbers, both learned from the training images."""

    def scaled(train: Array, test: Array) -> tuple[Array, Array]:
        low, high = train.min(), train.max()
        return (train - low) / (high - low) - 0.5, (test - low) / (high - low) - 0.5

    return scaled


def b3() -> Solution:
    """dL/dz = (q - y) / N: the derivative of the logistic function cancels."""

    def gradient(w: Array, b: float, x: Array, y: Array) -> tuple[Array, Any]:
        dz = (1 / (1 + np.exp(-(x @ w + b))) - y) / len(x)
        return x.T @ dz, dz.sum()

    return gradient


def b4() -> Solution:
    """The mean of log sum exp z - z_y, with the largest score taken out."""

    def loss(Z: Array, y: Array) -> float:
        Z = Z - Z.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]))

    return loss


def b4b() -> Solution:
    """The surest neuron wins, whether or not it says yes."""
    return lambda Q: (Q.argmax(axis=1), (Q > 0.5).sum(axis=1))


def b5() -> Solution:
    """h = tanh(o / 2)."""
    return lambda h: (1 - h**2) / 2


def b5b() -> Solution:
    """Forward, keeping what goes into each layer; back, one product a layer."""

    def backward(Ws: list[Array], bs: list[Array], x: Array, y: Array) -> tuple[list[Array], list[Array]]:
        given = [x]
        for W, b in zip(Ws[:-1], bs[:-1], strict=True):
            given.append(np.tanh(given[-1] @ W + b))
        Z = given[-1] @ Ws[-1] + bs[-1]
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        delta = (P - np.eye(Z.shape[1])[y]) / len(x)
        dWs, dbs = [], []
        for W, A in zip(reversed(Ws), reversed(given), strict=True):
            dWs.append(A.T @ delta)
            dbs.append(delta.sum(axis=0))
            delta = (delta @ W.T) * (1 - A**2)
        return dWs[::-1], dbs[::-1]

    return backward


def b6() -> int:
    """Each unit has a weight for each input and one bias."""
    return (64 + 1) * 30 + (30 + 1) * 20 + (20 + 1) * 10


def b7() -> Solution:
    """The logistic function, by the form that does not overflow."""
    return lambda o: np.where(o >= 0, 1, np.exp(-np.abs(o))) / (1 + np.exp(-np.abs(o)))


def b8() -> Solution:
    """Through q: 2 (q - y), times q (1 - q)."""

    def derivative(z: Array, y: Array) -> Any:
        q = 1 / (1 + np.exp(-z))
        return 2 * (q - y) * q * (1 - q)

    return derivative


def b9() -> Solution:
    """What was there is cleared first."""

    def gradient(x: Any) -> Any:
        x.grad = None
        (3 * x.log()).sum().backward()
        return x.grad

    return gradient


def b10() -> int:
    """The mean over N K entries is K times smaller than the mean over N images."""
    return 10


def b10b() -> Any:
    """The average over all places, however many: ten scores at any size."""
    from torch import nn

    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(
                nn.Conv2d(1, 16, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 16, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 10, 3, stride=2, padding=1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )

    return Net


def b11() -> Solution:
    """The velocity gathers gradients; it is not an average of them."""

    def step(w: Array, v: Array, g: Array, lr: float, momentum: float) -> tuple[Array, Array]:
        v = momentum * v + g
        return w - lr * v, v

    return step


def b12() -> Solution:
    """What stays is divided by the chance of staying."""
    return lambda h, p, rng: h * (rng.random(h.shape) >= p) / (1 - p)


def b12b() -> Solution:
    """The left edge stands at 0, s, 2s, .. up to n + 2p - k."""
    return lambda n, k, s, p: (n + 2 * p - k) // s + 1


def b12c() -> Solution:
    """Each layer adds k - 1 jumps, and multiplies the jump by its stride."""

    def field(layers: list[tuple[int, int]]) -> int:
        seen, jump = 1, 1
        for kernel, stride in layers:
            seen, jump = seen + (kernel - 1) * jump, jump * stride
        return seen

    return field


def b12d() -> Solution:
    """A window for each place; its product with every filter, summed over channels, rows and columns."""

    def conv(x: Array, w: Array, stride: int, padding: int) -> Array:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        k = w.shape[-1]
        rows, cols = ((n - k) // stride + 1 for n in x.shape[1:])
        y = np.zeros((len(w), rows, cols))
        for i in range(rows):
            for j in range(cols):
                window = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
                y[:, i, j] = (w * window).sum(axis=(1, 2, 3))
        return y

    return conv


def _logistic(z: Array) -> Any:
    return 1 / (1 + np.exp(-z))


def _per_pixel(train: Array, test: Array) -> tuple[Array, Array]:
    low, width = train.min(axis=0), np.ptp(train, axis=0)
    return (train - low) / width - 0.5, (test - low) / width - 0.5


def _fitted_on_both(train: Array, test: Array) -> tuple[Array, Array]:
    both = np.concatenate([train, test])
    low, width = both.min(), np.ptp(both)
    return (train - low) / width - 0.5, (test - low) / width - 0.5


def _test_by_itself(train: Array, test: Array) -> tuple[Array, Array]:
    return (train - train.min()) / np.ptp(train) - 0.5, (test - test.min()) / np.ptp(test) - 0.5


def _deaf(w: Array, b: float, x: Array, y: Array) -> tuple[Array, Any]:
    q = _logistic(x @ w + b)
    dz = (q - y) * q * (1 - q) / len(x)
    return x.T @ dz, dz.sum()


def _of_the_sum(w: Array, b: float, x: Array, y: Array) -> tuple[Array, Any]:
    dw, db = b3()(w, b, x, y)
    return len(x) * dw, len(x) * db


def _overflowing(Z: Array, y: Array) -> Any:
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return np.mean(-np.log(P[np.arange(len(y)), y]))


def _only_the_sure(Q: Array) -> tuple[Array, Array]:
    yes = Q > 0.5
    return np.where(yes.any(axis=1), yes.argmax(axis=1), -1), yes.sum(axis=1)


def _wrong_slope(Ws: list[Array], bs: list[Array], x: Array, y: Array) -> Any:
    dWs, dbs = b5b()(Ws, bs, x, y)
    return [d * (1 if i == len(Ws) - 1 else 0.5) for i, d in enumerate(dWs)], dbs


def _forgetful(x: Any) -> Any:
    (3 * x.log()).sum().backward()
    return x.grad


def _forty_scores() -> Any:
    from torch import nn

    right: list[Any] = list(b10b()())
    return nn.Sequential(*right[:5], nn.AvgPool2d(4), nn.Flatten())


def _never_below_zero() -> Any:
    from torch import nn

    right: list[Any] = list(b10b()())
    return nn.Sequential(*right[:5], nn.ReLU(), *right[5:])


def _weighed(w: Array, v: Array, g: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    v = momentum * v + (1 - momentum) * g
    return w - lr * v, v


def _rate_inside(w: Array, v: Array, g: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    v = momentum * v + lr * g
    return w - v, v


def _turned(x: Array, w: Array, stride: int, padding: int) -> Any:
    return b12d()(x, w[:, :, ::-1, ::-1], stride, padding)


#: Plausible mistakes, by exercise.
wrong: dict[str, list[Any]] = {
    "b1": [lambda Y: Y.argmax(axis=1), lambda Y: np.array([1, 4, 8, 7, 6, 9, 3, 2, 5, 0])[Y.argmax(axis=1)]],
    "b2": [_per_pixel, _fitted_on_both, _test_by_itself, lambda a, b: (a / 255 - 0.5, b / 255 - 0.5)],
    "b3": [_deaf, _of_the_sum, lambda w, b, x, y: tuple(-np.asarray(part) for part in b3()(w, b, x, y))],
    "b4": [_overflowing, lambda Z, y: len(y) * b4()(Z, y), lambda Z, y: b4()(Z, y) / Z.shape[1]],
    "b4b": [_only_the_sure, lambda Q: ((Q > 0.5).argmax(axis=1), (Q > 0.5).sum(axis=1))],
    "b5": [lambda h: (1 - h) ** 2, lambda h: 1 - h**2, lambda h: h * (1 - h)],
    "b5b": [_wrong_slope, lambda Ws, bs, x, y: b5b()(Ws, bs, x, y)[::-1]],
    "b6": [64 * 30 + 30 * 20 + 20 * 10, 64 + 30 + 20 + 10],
    "b7": [lambda o: np.exp(o) / (1 + np.exp(o)), lambda o: _logistic(o) * (1 - _logistic(o)), np.tanh],
    "b8": [lambda z, y: 2 * (_logistic(z) - y), lambda z, y: _logistic(z) - y],
    "b9": [_forgetful, lambda x: x.grad],
    "b10": [64, 640, 1],
    "b10b": [_forty_scores, _never_below_zero],
    "b11": [_weighed, _rate_inside, lambda w, v, g, lr, momentum: (w - lr * g, g)],
    "b12": [
        lambda h, p, rng: h * (rng.random(h.shape) >= p),
        lambda h, p, rng: h * (rng.random(h.shape) < p) / p,
    ],
    "b12b": [lambda n, k, s, p: (n + p - k) // s + 1, lambda n, k, s, p: (n + 2 * p - k) / s + 1],
    "b12c": [lambda layers: 1 + sum(k - 1 for k, _ in layers), lambda layers: layers[-1][0]],
    "b12d": [_turned, lambda x, w, stride, padding: b12d()(x, w, stride, 0)],
}
