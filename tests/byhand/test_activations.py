"""Every activation against PyTorch, and its derivative against central differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nablab.byhand import ACTIVATIONS, leaky_relu, prelu_slope_gradient

TWINS = {
    "identity": lambda o: o,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "half tanh": lambda o: 2 * torch.sigmoid(o) - 1,
    "relu": torch.relu,
    "leaky relu": functional.leaky_relu,
    "prelu": lambda o: functional.prelu(o, torch.tensor([0.25], dtype=o.dtype)),
    "elu": functional.elu,
    "softplus": functional.softplus,
    "silu": functional.silu,
    "gelu": functional.gelu,
}
POINTS = np.linspace(-6, 6, 121) + 0.013  # not on a kink


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes_are_those_of_pytorch(name: str) -> None:
    activation = ACTIVATIONS[name]
    o = torch.tensor(POINTS, requires_grad=True)
    expected = TWINS[name](o)
    expected.sum().backward()
    h = activation.value(POINTS)
    np.testing.assert_allclose(h, expected.detach().numpy(), atol=2e-9)
    np.testing.assert_allclose(activation.slope(POINTS, h), o.grad.numpy(), atol=2e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_differences_of_values(name: str) -> None:
    activation = ACTIVATIONS[name]
    step = 1e-6
    numeric = (activation.value(POINTS + step) - activation.value(POINTS - step)) / (2 * step)
    slope = activation.slope(POINTS, activation.value(POINTS))
    np.testing.assert_allclose(slope, numeric, atol=1e-8)
    assert np.max(slope) <= activation.steepest
    assert np.max(slope) > 0.98 * activation.steepest


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_stay_finite_and_in_their_precision(name: str) -> None:
    far = np.array([-1e4, -100, 0, 100, 1e4], np.float32)
    h = ACTIVATIONS[name].value(far)
    slope = ACTIVATIONS[name].slope(far, h)
    assert h.dtype == slope.dtype == np.float32
    assert np.isfinite(h).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_kink_is_where_the_slope_jumps(name: str) -> None:
    activation = ACTIVATIONS[name]
    ends = np.array([-1e-9, 1e-9])
    left, right = activation.slope(ends, activation.value(ends))
    assert (0.0 in activation.kinks) == (abs(right - left) > 0.1)


def test_the_slope_of_a_parametric_relu_is_learned_as_pytorch_learns_it() -> None:
    rng = np.random.default_rng(0)
    o, g = rng.standard_normal((2, 20))
    slope = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    functional.prelu(torch.tensor(o), slope).backward(torch.tensor(g))
    assert prelu_slope_gradient(g, o) == pytest.approx(slope.grad.item())
    np.testing.assert_allclose(leaky_relu(0.3).value(o), np.maximum(o, 0.3 * o))
