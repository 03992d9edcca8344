"""Initial weights: PyTorch's distributions, keyed by seed and name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from torch import nn

from nablab.models.initial import initial_weights
from nablab.models.language import parse

SHAPE = (4, 16, 16)


@pytest.mark.parametrize(
    ("text", "module", "name"),
    [
        ("96C5g2-K", nn.Conv2d(4, 96, 5, groups=2), "weight"),
        ("256C3-K", nn.Conv2d(4, 256, 3), "bias"),
        ("400-K", nn.Linear(1024, 400), "weight"),
        ("400-K", nn.Linear(1024, 400), "bias"),
    ],
)
def test_weights_are_spread_as_pytorch_spreads_them(text: str, module: nn.Module, name: str) -> None:
    ours = initial_weights(parse(text), SHAPE, 10, seed=0)[f"0.{name}"]
    theirs = getattr(module, name).detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    bound = 1 / np.sqrt(module.weight[0].numel())
    assert np.abs(ours).max() <= bound
    assert stats.kstest(ours.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3
    assert stats.ks_2samp(ours.ravel()[:20000], theirs.ravel()[:20000]).pvalue > 1e-3


def test_a_seed_and_a_name_decide_each_array() -> None:
    first = initial_weights(parse("8C3-ReLU-20-K"), SHAPE, 10, seed=5)
    again = initial_weights(parse("8C3-ReLU-20-ReLU-30-K"), SHAPE, 10, seed=5)
    other = initial_weights(parse("8C3-ReLU-20-K"), SHAPE, 10, seed=6)
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
    twice = initial_weights(parse("Res(4C3)-Res(4C3)-K"), SHAPE, 10, seed=5)
    assert not np.array_equal(twice["0.body.0.weight"], twice["1.body.0.weight"])


def test_scales_shifts_and_slopes_start_where_pytorch_starts_them() -> None:
    weights = initial_weights(parse("8C3-BatchNorm-PReLU-LayerNorm-K"), SHAPE, 10, seed=0)
    assert (weights["1.weight"] == 1).all()
    assert (weights["1.bias"] == 0).all()
    assert (weights["1.running_var"] == 1).all()
    assert (weights["1.running_mean"] == 0).all()
    assert weights["1.num_batches_tracked"] == 0
    assert weights["2.weight"].tolist() == [0.25]
    assert (weights["3.weight"] == np.ones((8, 16, 16))).all()
