"""The solved exercises of lab c. `wrong` has plausible mistakes, each of which its check refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def c1() -> Callable[..., Any]:
    return lambda w, x: -2 * (1 - x @ w) * x


def c1b() -> Callable[..., Any]:
    return lambda x: 1 / (2 * (x @ x))


def c1c() -> Callable[..., Any]:
    return lambda x: 1 / (x @ x)


def c1d() -> Callable[..., Any]:
    return lambda curvatures: 2 / (min(curvatures) + max(curvatures))


def c2() -> Callable[..., Any]:
    def gradient(params: Mapping[str, Any], x: Any, y: Any) -> dict[str, Any]:
        h = np.tanh(x @ params["W1"] + params["b1"])
        a = 1 / (1 + np.exp(-(h @ params["w2"] + params["b2"])))
        dz = (a - y) / len(x)
        do = np.outer(dz, params["w2"]) * (1 - h**2)
        return {"W1": x.T @ do, "b1": do.sum(axis=0), "w2": h.T @ dz, "b2": dz.sum()}

    return gradient


def c3() -> Callable[..., Any]:
    def split(y: Any, share: float, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        held = np.zeros(len(y), dtype=bool)
        for k in np.unique(y):
            rows = rng.permutation(np.flatnonzero(y == k))
            held[rows[: round(share * len(rows))]] = True
        return np.flatnonzero(~held), np.flatnonzero(held)

    return split


def c4() -> Callable[..., Any]:
    def gradient(W: Any, b: Any, x: Any, y: Any, penalty: float) -> tuple[Any, Any]:
        z = x @ W + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        return x.T @ p / len(x) + 2 * penalty * W, p.mean(axis=0)

    return gradient


def c4b() -> Callable[..., Any]:
    return lambda penalty: 2 * penalty


def c4c() -> Callable[..., Any]:
    def train(model: Any, x: Any, y: Any, lr: float, epochs: int) -> None:
        import torch

        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    return train


def c5() -> Callable[..., Any]:
    return lambda a, p, rng: a * (rng.random(a.shape) >= p) / (1 - p)


def c5b() -> Callable[..., Any]:
    return lambda w, a, p: np.sqrt(p / (1 - p) * np.sum(w**2 * a**2))


def c6() -> Callable[..., Any]:
    def features(text: str, side: int) -> int:
        channels = 1
        for word in text.lower().split("-"):
            if found := re.fullmatch(r"(\d+)c(\d+)(?:s(\d+))?(?:p(\d+))?", word):
                channels, k, s = int(found[1]), int(found[2]), int(found[3] or 1)
                p = (k - 1) // 2 if found[4] is None else int(found[4])
                side = (side + 2 * p - k) // s + 1
            elif found := re.fullmatch(r"maxpool(\d+)(?:s(\d+))?", word):
                side = (side - int(found[1])) // int(found[2] or found[1]) + 1
            elif word == "k" or word.isdigit():
                break
        return channels * side * side

    return features


def c6b() -> str:
    blocks = "-".join(f"{n}C3-BatchNorm-ReLU-MaxPool2" for n in (32, 64, 128))
    return f"{blocks}-GlobalAvgPool-Dropout0.5-K"


def _two_layers(params: Mapping[str, Any], x: Any, y: Any, mistake: str) -> dict[str, Any]:
    """The gradient of c2 with one mistake in it."""
    h = np.tanh(x @ params["W1"] + params["b1"])
    a = 1 / (1 + np.exp(-(h @ params["w2"] + params["b2"])))
    dz = (y - a if mistake == "sign" else a - y) / (1 if mistake == "sum" else len(x))
    if mistake == "logistic":
        dz = dz * a * (1 - a)
    slope = {"tanh": 1 - h, "none": np.ones_like(h)}.get(mistake, 1 - h**2)
    do = np.outer(dz, params["w2"]) * slope
    dW1 = do.T @ x if mistake == "transposed" else x.T @ do
    return {"W1": dW1, "b1": do.sum(axis=0), "w2": h.T @ dz, "b2": dz.sum()}


def _mistaken(mistake: str) -> Callable[..., Any]:
    return lambda params, x, y: _two_layers(params, x, y, mistake)


def _penalised(part: Callable[[Any, Any, float], tuple[Any, Any]]) -> Callable[..., Any]:
    """The gradient of c4 with another penalty's part."""

    def gradient(W: Any, b: Any, x: Any, y: Any, penalty: float) -> tuple[Any, Any]:
        dW, db = c4()(W, b, x, y, 0.0)
        more_W, more_b = part(W, b, penalty)
        return dW + more_W, db + more_b

    return gradient


def _shuffled(y: Any, share: float, seed: int) -> tuple[Any, Any]:
    order = np.random.default_rng(seed).permutation(len(y))
    held = round(share * len(y))
    return order[held:], order[:held]


def _seeds_all(y: Any, share: float, seed: int) -> tuple[Any, Any]:
    np.random.seed(seed)
    order = np.random.permutation(len(y))
    held = round(share * len(y))
    return order[held:], order[:held]


def _by_the_clock(y: Any, share: float, seed: int) -> tuple[Any, Any]:
    return _shuffled(y, share, np.random.default_rng().integers(2**32))


def _does_not_train(model: Any, x: Any, y: Any, lr: float, epochs: int) -> None:
    import copy

    c4c()(copy.deepcopy(model), x, y, lr, epochs)


def _climbs(model: Any, x: Any, y: Any, lr: float, epochs: int) -> None:
    import torch

    optimizer = torch.optim.SGD(model.parameters(), lr=lr, maximize=True)
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


wrong: dict[str, Sequence[Any]] = {
    "c1": [
        lambda w, x: 2 * (1 - x @ w) * x,
        lambda w, x: -(1 - x @ w) * x,
        lambda w, x: -2 * (1 - x @ w) * np.ones_like(x),
        lambda w, x: -2 * (1 - x @ w),
    ],
    "c1b": [lambda x: 0.1, lambda x: 1 / (x @ x), lambda x: 1 / (2 * len(x)), lambda x: 0.01, lambda x: 1.0],
    "c1c": [lambda x: 0.2, lambda x: 1 / (2 * (x @ x)), lambda x: 2 / (x @ x), lambda x: 0.0],
    "c1d": [
        lambda curvatures: 1 / max(curvatures),
        lambda curvatures: 2 / max(curvatures),
        lambda curvatures: 1 / min(curvatures),
        lambda curvatures: 2 / (curvatures[0] + curvatures[-1]),
        lambda curvatures: 1 / np.mean(curvatures),
    ],
    "c2": [_mistaken(one) for one in ("sign", "sum", "logistic", "tanh", "none", "transposed")],
    "c3": [_shuffled, _seeds_all, _by_the_clock, lambda y, share, seed: (np.arange(len(y)), np.arange(9))],
    "c4": [
        _penalised(lambda W, b, penalty: (0.0, 0.0)),
        _penalised(lambda W, b, penalty: (penalty * W, 0.0)),
        _penalised(lambda W, b, penalty: (2 * penalty * W, 2 * penalty * b)),
        _penalised(lambda W, b, penalty: (-2 * penalty * W, 0.0)),
        lambda W, b, x, y, penalty: tuple(-g for g in c4()(W, b, x, y, penalty)),
        lambda W, b, x, y, penalty: tuple(len(x) * g for g in c4()(W, b, x, y, penalty)),
    ],
    "c4b": [lambda penalty: penalty, lambda penalty: penalty / 2, lambda penalty: -2 * penalty],
    "c4c": [_does_not_train, _climbs],
    "c5": [
        lambda a, p, rng: a * (rng.random(a.shape) >= p),
        lambda a, p, rng: a * (rng.random(a.shape) >= p) * (1 - p),
        lambda a, p, rng: a * (rng.random(a.shape) < p) / p if p else a,
        lambda a, p, rng: a * (rng.random(len(a))[:, None] >= p) / (1 - p),
        lambda a, p, rng: a * (np.random.default_rng(0).random(a.shape) >= p) / (1 - p),
        lambda a, p, rng: (1 - p) * a,
    ],
    "c5b": [
        lambda w, a, p: p / (1 - p) * np.sum(w**2 * a**2),
        lambda w, a, p: np.sqrt(p * (1 - p) * np.sum(w**2 * a**2)),
        lambda w, a, p: np.sqrt(p / (1 - p)) * abs(w @ a),
    ],
    "c6": [lambda text, side: 1568, lambda text, side: side * side, lambda text, side: c6()(text, side) // 8],
    "c6b": [
        c6b().replace("C3", "C3p0"),
        c6b().replace("BatchNorm-ReLU", "ReLU-BatchNorm"),
        c6b().replace("-Dropout0.5", ""),
        f"{c6b()}-K",
        "3x(32C3-BatchNorm-ReLU-MaxPool2)-GlobalAvgPool-Dropout0.5-K",
        "32C3-Norm-ReLU",
    ],
}
