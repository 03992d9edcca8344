"""The solved exercises of lab a. `wrong` has plausible mistakes, each of which its check refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def a1() -> Callable[..., Any]:
    return lambda x: 6 * (x + 2) / x.size


def a2() -> Callable[..., Any]:
    def gradient(a: float, b: float, c: float, d: float) -> Any:
        r, s = np.tanh(a * b + c), a * d
        u = np.exp(r * s)
        return u * s * (1 - r**2) * b + u * r * d  # by way of p, and by way of s

    return gradient


def a2b() -> list[str]:
    return ["u", "t", "s", "d", "r", "q", "c", "p", "b", "a"]


def a2c() -> Any:
    return np.full((2, 2), 0.25)


def _margins(W: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    t = np.where(np.arange(W.shape[1]) == y[:, None], 1.0, -1.0)
    return t, t * (x @ W + b)


def a3() -> Callable[..., Any]:
    def gradient(W: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
        t, m = _margins(W, b, x, y)
        g = -t * (m < 1) / len(x)
        return x.T @ g, g.sum(axis=0)

    return gradient


def a4() -> Callable[..., Any]:
    def neighbours(x_train: Any, y_train: Any, x: Any, k: int) -> Any:
        squared = (x**2).sum(axis=1)[:, None] - 2 * x @ x_train.T + (x_train**2).sum(axis=1)
        near = y_train[np.argsort(squared, axis=1)[:, :k]]
        return np.array([np.bincount(labels).argmax() for labels in near])

    return neighbours


def a5() -> Callable[..., Any]:
    def standardise(train: Any, test: Any) -> tuple[Any, Any]:
        mean, deviation = train.mean(), train.std()
        return (train - mean) / deviation, (test - mean) / deviation

    return standardise


def a6() -> int:
    # 32 -> 28 -> 14 -> 10 -> 5: 12 maps of 5x5 are 300 numbers.
    return 6 * (3 * 25 + 1) + 12 * (6 * 25 + 1) + 120 * (12 * 5 * 5 + 1) + 60 * (120 + 1) + 10 * (60 + 1)


def _network(*, hidden: int = 120, relu_at_end: bool = False, softmax: bool = False) -> Any:
    from torch import nn

    def make() -> Any:
        end = [nn.ReLU()] * relu_at_end + [nn.Softmax(dim=1)] * softmax
        return nn.Sequential(
            *(
                nn.Conv2d(1, 6, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(6, 12, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ),
            *(nn.Flatten(), nn.Linear(192, hidden), nn.ReLU(), nn.Linear(hidden, 60), nn.ReLU()),
            *(nn.Linear(60, 10), *end),
        )

    return make


def a6b() -> Any:
    return _network()


def a7() -> str:
    return (
        "12C3-BatchNorm-GELU-MaxPool2-Res(12C3-BatchNorm)-GELU-MaxPool2-24C3-GELU-GlobalAvgPool-Dropout0.1-K"
    )


def a8() -> Callable[..., Any]:
    def group_norm(x: Any, groups: int) -> Any:
        parts = x.reshape(len(x), groups, -1)
        mean, variance = parts.mean(axis=2, keepdims=True), parts.var(axis=2, keepdims=True)
        return ((parts - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)

    return group_norm


def a8b() -> Callable[..., Any]:
    return lambda w, l1, l2: l1 * np.sign(w) + l2 * w


def a9() -> Callable[..., Any]:
    def matrix(truth: Any, predicted: Any, classes: int) -> Any:
        return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)

    return matrix


def a9b() -> Callable[..., Any]:
    def stop(losses: Sequence[float], patience: int) -> tuple[int, int]:
        best, kept = float("inf"), 0
        for epoch, loss in enumerate(losses, start=1):
            if loss < best:
                best, kept = loss, epoch
            if epoch - kept >= patience:
                return kept, epoch
        return kept, len(losses)

    return stop


def a10() -> int:
    return 2 * 8 * 8 * 50 * 20 * 5 * 5


def a11() -> Callable[..., Any]:
    return lambda p, m: (p * (1 - p) / m) ** 0.5


def a12() -> Callable[..., Any]:
    def front(accuracies: Sequence[float], costs: Sequence[float]) -> list[int]:
        best, places = -1.0, []
        for place in sorted(range(len(costs)), key=lambda i: (costs[i], -accuracies[i])):
            if accuracies[place] > best:
                best = accuracies[place]
                places.append(place)
        return places

    return front


def _hinge(*, margin: float = 1.0, mean: bool = True, all_pull: bool = False) -> Callable[..., Any]:
    def gradient(W: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
        t, m = _margins(W, b, x, y)
        g = -t * ((m < margin) | all_pull) / (len(x) if mean else 1)
        return x.T @ g, g.sum(axis=0)

    return gradient


def _over_axes(axes: tuple[int, ...], ddof: int = 0) -> Callable[..., Any]:
    def norm(x: Any, groups: int) -> Any:
        return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(
            x.var(axis=axes, keepdims=True, ddof=ddof) + 1e-5
        )

    return norm


wrong: dict[str, list[Any]] = {
    "a1": [
        lambda x: 6 * (x + 2),
        lambda x: 6 * (x + 2) / 4,
        lambda x: 3 * (x + 2) / x.size,
        lambda x: 6 * x / x.size,
    ],
    "a2": [
        lambda a, b, c, d: np.exp(np.tanh(a * b + c) * a * d) * np.tanh(a * b + c) * d,
        lambda a, b, c, d: np.exp(np.tanh(a * b + c) * a * d) * a * d * (1 - np.tanh(a * b + c) ** 2) * b,
        lambda a, b, c, d: 0.0,
    ],
    "a2b": [
        list("abcdpqrstu"),
        list("utsardqcpb"),
        list("utsrqcpb"),
    ],
    "a2c": [np.ones((2, 2)), np.full(4, 0.25), np.full((2, 2), 0.5)],
    "a3": [_hinge(mean=False), _hinge(margin=0.0), _hinge(all_pull=True), lambda W, b, x, y: (W, b)],
    "a4": [
        lambda x_train, y_train, x, k: a4()(x_train, y_train, x, 1),
        lambda x_train, y_train, x, k: a4()(x_train, y_train, -x, k),
        lambda x_train, y_train, x, k: np.arange(len(x)),
    ],
    "a5": [
        lambda train, test: ((train - train.mean()) / train.std(), (test - test.mean()) / test.std()),
        lambda train, test: ((train - train.mean(0)) / train.std(0), (test - train.mean(0)) / train.std(0)),
        lambda train, test: (train / 255, test / 255),
    ],
    "a6": [32_998, 45_958, 46_258 - 208, 46_258 - 108 * 120, 1000],
    "a6b": [_network(hidden=100), _network(relu_at_end=True), _network(softmax=True)],
    "a7": ["lenet", "16C3-ReLU-MaxPool2-K-ReLU", "2000-ReLU-2000-ReLU-K", _network(softmax=True)],
    "a8": [
        lambda x, groups: _over_axes((0, 2, 3))(x, groups),
        lambda x, groups: _over_axes((1, 2, 3))(x, groups),
        lambda x, groups: _over_axes((2, 3), ddof=1)(x, groups),
    ],
    "a8b": [
        lambda w, l1, l2: l1 * np.sign(w) + 2 * l2 * w,
        lambda w, l1, l2: l1 * np.abs(w) + l2 * w,
        lambda w, l1, l2: l1 + l2 * w,
    ],
    "a9": [
        lambda truth, predicted, classes: a9()(predicted, truth, classes),
        lambda truth, predicted, classes: a9()(truth, predicted, 3),
        lambda truth, predicted, classes: a9()(truth, predicted, classes) / len(truth),
    ],
    "a9b": [
        lambda losses, patience: (int(np.argmin(losses)) + 1, len(losses)),
        lambda losses, patience: tuple(n - 1 for n in a9b()(losses, patience)),
        lambda losses, patience: a9b()(losses, patience + 1),
    ],
    "a10": [1_600_000, 160_000, 50_000, 7_200_000, 3.2],
    "a11": [lambda p, m: p * (1 - p) / m, lambda p, m: 100 * a11()(p, m), lambda p, m: (p / m) ** 0.5],
    "a12": [
        lambda accuracies, costs: [int(np.argmax(accuracies))],
        lambda accuracies, costs: list(np.argsort(costs)),
        lambda accuracies, costs: a12()(accuracies, costs)[::-1],
    ],
}
