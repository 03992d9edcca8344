"""Every loss against PyTorch, and its gradient against central differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional

from nablab.byhand import LOSSES, LinearRegression, Logistic, TwoLayer, log_sum_exp, one_hot, softmax
from nablab.errors import UserError

N, K = 7, 4
RNG = np.random.default_rng(3)
SCORES = 2 * RNG.standard_normal((N, K))
LABELS = RNG.integers(0, K, N)

TWINS = {
    "softmax": lambda z, y: functional.cross_entropy(z, y.argmax(1)),
    "logistic": lambda z, y: functional.binary_cross_entropy_with_logits(z, y, reduction="sum") / N,
    "square": lambda z, y: functional.mse_loss(z, y, reduction="sum") / N,
    "absolute": lambda z, y: functional.l1_loss(z, y, reduction="sum") / N,
    "square of softmax": lambda z, y: functional.mse_loss(z.softmax(1), y, reduction="sum") / N,
    "absolute of softmax": lambda z, y: functional.l1_loss(z.softmax(1), y, reduction="sum") / N,
    "square of logistic": lambda z, y: functional.mse_loss(z.sigmoid(), y, reduction="sum") / N,
    "absolute of logistic": lambda z, y: functional.l1_loss(z.sigmoid(), y, reduction="sum") / N,
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_those_of_pytorch(name: str) -> None:
    z = torch.tensor(SCORES, requires_grad=True)
    expected = TWINS[name](z, torch.tensor(one_hot(LABELS, K), dtype=torch.float64))
    expected.backward()
    loss = LOSSES[name]
    assert loss.value(SCORES, LABELS) == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(loss.gradient(SCORES, LABELS), z.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_the_difference_of_values(name: str) -> None:
    loss, step = LOSSES[name], 1e-6
    for place in np.ndindex(SCORES.shape):
        ends = []
        for sign in (1, -1):
            moved = SCORES.copy()
            moved[place] += sign * step
            ends.append(loss.value(moved, LABELS))
        numeric = (ends[0] - ends[1]) / (2 * step)
        assert loss.gradient(SCORES, LABELS)[place] == pytest.approx(numeric, abs=1e-8)


@pytest.mark.parametrize("name", [name for name in LOSSES if "logistic" in name or name == "square"])
def test_one_output_takes_labels_as_they_are(name: str) -> None:
    z, y = SCORES[:, :1], LABELS % 2
    loss = LOSSES[name]
    assert loss.value(z, y) == loss.value(z, y[:, None])
    assert loss.gradient(z, y).shape == (N, 1)


@pytest.mark.parametrize("name", LOSSES)
def test_labels_and_one_hot_labels_are_the_same(name: str) -> None:
    loss = LOSSES[name]
    assert loss.value(SCORES, LABELS) == pytest.approx(loss.value(SCORES, one_hot(LABELS, K)))


@pytest.mark.parametrize("name", LOSSES)
def test_large_scores_do_not_overflow(name: str) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    assert np.isfinite(LOSSES[name].value(z, np.array([1, 1])))
    assert np.isfinite(LOSSES[name].gradient(z, np.array([1, 1]))).all()


def test_cross_entropy_is_the_log_loss_of_scikit_learn() -> None:
    expected = log_loss(LABELS, softmax(SCORES), labels=range(K))
    assert LOSSES["softmax"].value(SCORES, LABELS) == pytest.approx(expected)


def test_the_loss_of_nine_tenths_is_the_natural_logarithm() -> None:
    scores = np.log(np.array([[0.9, 0.1]]))
    assert LOSSES["softmax"].value(scores, np.array([0])) == pytest.approx(0.105, abs=5e-4)


def test_log_sum_exp_against_pytorch() -> None:
    expected = torch.logsumexp(torch.tensor(SCORES), 1, keepdim=True).numpy()
    np.testing.assert_allclose(log_sum_exp(SCORES), expected)


@pytest.mark.parametrize("y", [[1, 4], [-1, 0], [0.5, 1.0], [np.nan, 1.0]])
def test_labels_out_of_range_are_refused(y: list[float]) -> None:
    with pytest.raises(UserError, match="0 to 3"):
        one_hot(np.array(y), 4)


@pytest.mark.parametrize("y", [[1, 2, 1], [-1, 1, 1]])
def test_a_logistic_output_has_labels_of_0_and_1(y: list[int]) -> None:
    x, labels = np.ones((3, 2)), np.array(y)
    net, alone = TwoLayer(4, 2, output="logistic"), Logistic()
    for model, params in ((net, net.initial(np.random.default_rng(0), 2)), (alone, alone.initial(None, 2))):  # type: ignore[arg-type]
        for function in (model.loss, model.gradient):
            with pytest.raises(UserError, match="0 and 1"):
                function(params, x, labels)


@pytest.mark.parametrize("model", [LinearRegression(), Logistic()])
def test_a_column_of_targets_is_no_matrix(model: LinearRegression | Logistic) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 2)), rng.integers(0, 2, 5)
    params = {"w": np.ones(2), "b": np.zeros(())}
    assert model.loss(params, x, y[:, None]) == model.loss(params, x, y)
    np.testing.assert_array_equal(
        model.gradient(params, x, y[:, None])["w"], model.gradient(params, x, y)["w"]
    )
    with pytest.raises(UserError, match="5 labels or targets"):
        model.loss(params, x, y[:3])
