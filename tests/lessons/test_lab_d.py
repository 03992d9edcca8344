"""Lab d: its solutions against PyTorch, and what its checks say to usual mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nablab
from nablab.lessons import check
from nablab.lessons.solutions import d

RNG = np.random.default_rng(7)
X, Y = RNG.standard_normal((11, 2)), RNG.integers(0, 3, 11)


def leaf(*shape: int) -> torch.Tensor:
    return torch.tensor(RNG.standard_normal(shape), requires_grad=True)


def test_the_solved_gradients_are_those_of_pytorch() -> None:
    W1, b1, W2, b2 = params = leaf(2, 6), leaf(6), leaf(6, 3), leaf(3)
    scores = torch.relu(torch.tensor(X) @ W1 + b1) @ W2 + b2
    loss = functional.cross_entropy(scores, torch.tensor(Y)) + 0.05 * ((W1**2).sum() + (W2**2).sum())
    right = torch.autograd.grad(loss, params)
    found = d.d5e()(X, Y, *(p.detach().numpy() for p in params), 0.1)
    for mine, theirs in zip(found, right, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-10, atol=1e-14)


def test_the_solved_objective_and_its_gradient_are_those_of_pytorch() -> None:
    W, b = leaf(2, 3), leaf(3)
    loss = functional.cross_entropy(torch.tensor(X) @ W + b, torch.tensor(Y)) + 0.05 * (W**2).sum()
    given = (W.detach().numpy(), b.detach().numpy(), X, Y, 0.1)
    assert d.d5b()(*given) == pytest.approx(loss.item(), rel=1e-12)
    for mine, theirs in zip(d.d5d()(*given), torch.autograd.grad(loss, (W, b)), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-10, atol=1e-14)


def test_the_solved_steps_are_those_of_optim() -> None:
    nets = [nn.Linear(4, 3), nn.Linear(4, 3)]
    nets[1].load_state_dict(nets[0].state_dict())
    for net in nets:
        net(torch.ones(1, 4)).square().sum().backward()
    grad = nets[0].weight.grad
    assert grad is not None
    weight, slope = nets[0].weight.detach().numpy().copy(), grad.numpy().copy()
    d.d4()(list(nets[0].parameters()), 0.25)
    torch.optim.SGD(nets[1].parameters(), lr=0.25).step()
    for mine, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)  # a quarter is exact
    twin = nn.Parameter(torch.tensor(weight))
    twin.grad = torch.tensor(slope)
    torch.optim.SGD([twin], lr=0.1, weight_decay=0.3).step()
    np.testing.assert_allclose(d.d4b()(weight, slope, 0.1, 0.3), twin.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("side", [16, 28, 29, 33, 64])
def test_the_features_of_the_network_are_counted_as_pytorch_does(side: int) -> None:
    net = nn.Sequential(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.Conv2d(10, 20, 5), nn.MaxPool2d(2))
    assert d.d3b()(side) == net(torch.zeros(1, 1, side, side)).flatten(1).shape[1]


def test_the_spiral_that_ships_is_the_one_that_the_exercise_asks_for() -> None:
    data = nablab.load("spiral")
    x, arm = data.x_train.astype(np.float64), data.y_train
    radius = np.hypot(*x.T)
    noise = np.arctan2(x[:, 0], x[:, 1]) - 4 * (arm + radius)
    turned = (noise + np.pi) % (2 * np.pi) - np.pi
    again = d.d5()((turned / 0.2).reshape(3, 100))
    np.testing.assert_allclose(again, x, atol=1e-6)
    assert 0.17 < turned[radius > 0].std() < 0.23


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        ("d1", 0, "brought to [0, 1]"),
        ("d1b", 0, "global generator"),
        ("d3", 0, "last layer has an activation"),
        ("d3b", 1, "padding"),
        ("d4", 0, "other tensors"),
        ("d4", 1, "uphill"),
        ("d4b", 1, "twice"),
        ("d2", 1, "last batch"),
        ("d5", 0, "swapped"),
        ("d5b", 0, "which logarithm"),
        ("d5b", 5, "biases"),
        ("d5c", 1, "surprise"),
        ("d5d", 0, "sum over the samples"),
        ("d5d", 6, "has a penalty in it"),
        ("d5e", 0, "silent units"),
        ("d5f", 0, "other side"),
    ],
)
def test_a_usual_mistake_is_named(name: str, place: int, words: str) -> None:
    assert words in check(name, d.wrong[name][place]).problem


def overflowing(W: Any, b: Any, x: Any, y: Any, penalty: float) -> float:
    p = np.exp(x @ W + b)
    p /= p.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(p[np.arange(len(x)), y])) + penalty / 2 * np.sum(W * W))


def test_an_objective_that_overflows_is_refused() -> None:
    assert "overflows" in check("d5b", overflowing).problem
