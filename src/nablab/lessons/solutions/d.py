"""Lab d, solved: each function returns an answer that its check accepts; `wrong` are usual mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]


def d1() -> Callable[[Array], tuple[float, float]]:
    def mean_and_deviation(images: Array) -> tuple[float, float]:
        pixels = images / 255
        return float(pixels.mean()), float(pixels.std())

    return mean_and_deviation


def d1b() -> Callable[[int, int], Any]:
    def order(n: int, seed: int) -> Any:
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed))

    return order


def d3() -> Callable[[Array, list[Array], list[Array]], Array]:
    def forward_pass(x: Array, weights: list[Array], biases: list[Array]) -> Array:
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
            x = x @ W + b
            if layer < len(weights):
                x = np.maximum(x, 0)
        return x

    return forward_pass


def d3b() -> Callable[[int], int]:
    def flat_features(side: int) -> int:
        for _ in range(2):
            side = (side - 4) // 2  # a window of 5 has side - 4 places; pooling halves, rounding down
        return 20 * side * side

    return flat_features


def d4() -> Callable[[list[Any], float], None]:
    def step(params: list[Any], lr: float) -> None:
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
                p.grad = None

    return step


def d4b() -> Callable[[Array, Array, float, float], Array]:
    def decayed(w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        return np.asarray(w - lr * (g + weight_decay * w))

    return decayed


def d2() -> Callable[[int, int, int, int], int]:
    def images_seen(epoch: int, batch: int, batch_size: int, images: int) -> int:
        return epoch * images + min((batch + 1) * batch_size, images)

    return images_seen


def d2b() -> float:
    return 10 * 938 * 0.001 / (20 * 94)


def d5() -> Callable[[Array], Array]:
    def spiral_points(noise: Array) -> Array:
        r = np.linspace(0, 1, 100)
        theta = 4 * (np.arange(3)[:, None] + r) + 0.2 * noise
        return np.stack([r * np.sin(theta), r * np.cos(theta)], axis=-1).reshape(-1, 2)

    return spiral_points


def _logs(Z: Array) -> Array:
    Z = Z - Z.max(axis=1, keepdims=True)
    return np.asarray(Z - np.log(np.exp(Z).sum(axis=1, keepdims=True)))


def _errors(Z: Array, y: Array) -> Array:
    return np.asarray((np.exp(_logs(Z)) - np.eye(Z.shape[1])[y]) / len(Z))


def d5b() -> Callable[..., float]:
    def objective(W: Array, b: Array, x: Array, y: Array, penalty: float) -> float:
        return float(-np.mean(_logs(x @ W + b)[np.arange(len(x)), y]) + penalty / 2 * np.sum(W * W))

    return objective


def d5c() -> Callable[[int], float]:
    return lambda K: float(np.log(K))


def d5d() -> Callable[..., tuple[Array, Array]]:
    def gradient(W: Array, b: Array, x: Array, y: Array, penalty: float) -> tuple[Array, Array]:
        D = _errors(x @ W + b, y)
        return x.T @ D + penalty * W, D.sum(axis=0)

    return gradient


def d5e() -> Callable[..., tuple[Array, ...]]:
    def hidden_step(
        x: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array, penalty: float
    ) -> tuple[Array, ...]:
        Z1 = x @ W1 + b1
        H = np.maximum(Z1, 0)
        D2 = _errors(H @ W2 + b2, y)
        D1 = (D2 @ W2.T) * (Z1 > 0)
        return x.T @ D1 + penalty * W1, D1.sum(axis=0), H.T @ D2 + penalty * W2, D2.sum(axis=0)

    return hidden_step


def d5f() -> Callable[[Array, float], Array]:
    return lambda w, b: -b * w / (w @ w)


def _global_order(n: int, seed: int) -> Any:
    torch.manual_seed(seed)
    return torch.randperm(n)


def _replaced(params: list[Any], lr: float) -> None:
    for place, p in enumerate(params):
        params[place] = p - lr * p.grad


def _uphill(params: list[Any], lr: float) -> None:
    with torch.no_grad():
        for p in params:
            p += lr * p.grad
            p.grad = None


def _gradients_kept(params: list[Any], lr: float) -> None:
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad


def _recorded(params: list[Any], lr: float) -> None:
    for p in params:
        p -= lr * p.grad


def _slope_forgotten(
    x: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array, penalty: float
) -> tuple[Array, ...]:
    H = np.maximum(x @ W1 + b1, 0)
    D2 = _errors(H @ W2 + b2, y)
    D1 = D2 @ W2.T
    return x.T @ D1 + penalty * W1, D1.sum(axis=0), H.T @ D2 + penalty * W2, D2.sum(axis=0)


def _summed(W: Array, b: Array, x: Array, y: Array, penalty: float) -> tuple[Array, Array]:
    D = _errors(x @ W + b, y) * len(x)
    return x.T @ D + penalty * W, D.sum(axis=0)


def _activation_everywhere(x: Array, weights: list[Array], biases: list[Array]) -> Array:
    for W, b in zip(weights, biases, strict=True):
        x = np.maximum(x @ W + b, 0)
    return x


def _no_activation(x: Array, weights: list[Array], biases: list[Array]) -> Array:
    for W, b in zip(weights, biases, strict=True):
        x = x @ W + b
    return x


#: Mistakes that are often made; each must be refused.
wrong: dict[str, list[Any]] = {
    "d1": [
        lambda images: (images.mean(), images.std()),
        lambda images: ((images / 255).mean(axis=0), (images / 255).std(axis=0)),
        lambda images: ((images / 255).mean(), (images / 255).var()),
        lambda images: ((images / 255).mean(), (images / 255).std(axis=0).mean()),
        lambda images: ((images / 255).mean(), (images / 255).std(ddof=1)),
    ],
    "d1b": [
        _global_order,
        lambda n, seed: np.random.default_rng().permutation(n),
        lambda n, seed: np.random.default_rng(0).permutation(n),
        lambda n, seed: np.random.default_rng(seed).integers(0, n, n),
        lambda n, seed: np.arange(n),
    ],
    "d3": [_activation_everywhere, _no_activation, lambda x, weights, biases: x @ weights[0] + biases[0]],
    "d3b": [
        lambda side: 320,
        lambda side: 20 * (side // 4) ** 2,
        lambda side: ((side - 12) // 4) ** 2,
        lambda side: 20 * round((side - 12) / 4 + 0.3) ** 2,
    ],
    "d4": [_replaced, _uphill, _gradients_kept, _recorded, lambda params, lr: None],
    "d4b": [
        lambda w, g, lr, decay: w - lr * g,
        lambda w, g, lr, decay: w - lr * (g + 2 * decay * w),
        lambda w, g, lr, decay: w - lr * g - decay * w,
        lambda w, g, lr, decay: w - lr * (g - decay * w),
        lambda w, g, lr, decay: w - lr * g * (1 + decay),
        lambda w, g, lr, decay: (w - lr * g) * decay,
    ],
    "d2": [
        lambda epoch, batch, size, images: epoch * images + batch * size,
        lambda epoch, batch, size, images: epoch * images + (batch + 1) * size,
        lambda epoch, batch, size, images: min((batch + 1) * size, images),
        lambda epoch, batch, size, images: batch + 1,
    ],
    "d2b": [0.001, 0.01, 0.0005, 0.05],
    "d5": [
        lambda noise: d5()(noise)[:, ::-1],
        lambda noise: d5()(5 * noise),
        lambda noise: d5()(noise).reshape(3, 100, 2),
        lambda noise: d5()(noise)[::-1],
        lambda noise: 2 * d5()(noise),
        lambda noise: d5()(noise + 0.5),
    ],
    "d5b": [
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, penalty) / np.log(10),
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, 0) * len(x) + penalty / 2 * np.sum(W**2),
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, 0) / 3 + penalty / 2 * np.sum(W**2),
        lambda W, b, x, y, penalty: -d5b()(W, b, x, y, 0),
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, 2 * penalty),
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, penalty) + penalty / 2 * np.sum(b**2),
        lambda W, b, x, y, penalty: d5b()(W, b, x, y, 0),
    ],
    "d5c": [lambda K: np.log10(K), lambda K: 1 / K, lambda K: -np.log(K), lambda K: 1.0, lambda K: np.log(2)],
    "d5d": [
        _summed,
        lambda W, b, x, y, penalty: d5d()(W, b, x, y, 0),
        lambda W, b, x, y, penalty: d5d()(W, b, x, y, 2 * penalty),
        lambda W, b, x, y, penalty: tuple(-g for g in d5d()(W, b, x, y, penalty)),
        lambda W, b, x, y, penalty: tuple(g.T for g in d5d()(W, b, x, y, penalty)),
        lambda W, b, x, y, penalty: d5d()(W, b, x, y, penalty)[0],
        lambda W, b, x, y, penalty: (d5d()(W, b, x, y, penalty)[0], d5d()(W, b, x, y, 0)[1] + penalty * b),
    ],
    "d5e": [
        _slope_forgotten,
        lambda *given: d5e()(*given)[::-1],
        lambda *given: d5e()(*given)[:2],
        lambda *given: d5e()(*given[:-1], 0.0),
        lambda *given: tuple(-g for g in d5e()(*given)),
    ],
    "d5f": [
        lambda w, b: b * w / (w @ w),
        lambda w, b: -b * w / np.linalg.norm(w),
        lambda w, b: np.array([-b / w[0], 0.0]),
        lambda w, b: np.linalg.norm(w),
    ],
}
