"""Right gradients pass: kinks, large and small values, single precision, odd shapes; and what is unusable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nablab.byhand import ACTIVATIONS, LOSSES, MLP, LinearRegression, Logistic, Softmax, TwoLayer
from nablab.court import CourtReport, gradcheck
from nablab.errors import UserError

N, D, K = 10, 4, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, D))
Y = RNG.integers(0, K, N)


def hold(model: Any, params: Any, x: Any = X, y: Any = Y, **options: Any) -> CourtReport:
    return gradcheck(model.loss, model.gradient, params, x, y, **options)


def start(net: MLP, size: float = 0.1) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {n: p + size * rng.standard_normal(p.shape) for n, p in net.initial(rng).items()}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_passes(activation: str) -> None:
    net = MLP((D, 6, 5, K), activation, l2=0.01)
    report = hold(net, start(net))
    assert report.right, str(report)
    assert max(f.relative_error or 0 for f in report.findings) < 1e-7


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_passes(loss: str) -> None:
    net = MLP((D, 6, K), "tanh", loss)
    assert hold(net, start(net)).right


@pytest.mark.parametrize(
    "model", [Logistic(0.1), Softmax(K, 0.1), LinearRegression(0.1), TwoLayer(5, K, l2=0.1)]
)
def test_every_model_passes_from_its_own_start(model: Any) -> None:
    y = Y if isinstance(model, Softmax | TwoLayer) else Y % 2
    assert hold(model, model.initial(np.random.default_rng(0), D), y=y).right


@pytest.mark.parametrize("seed", range(5))
def test_relu_kinks_are_set_aside(seed: int) -> None:
    """An input of zeros and biases of zero: every hidden unit stands on its kink."""
    net = MLP((D, 8, 8, K), "relu")
    x = X.copy()
    x[0] = 0
    report = hold(net, net.initial(np.random.default_rng(seed)), x, seed=seed)
    assert report.right, str(report)
    assert report["b1"].kinks > 0


def test_a_wrong_gradient_is_wrong_on_kinks_too() -> None:
    net = MLP((D, 8, K), "relu")
    params = net.initial(np.random.default_rng(0))
    report = gradcheck(
        net.loss, lambda p, x, y: {n: 2 * g for n, g in net.gradient(p, x, y).items()}, params, 0 * X, Y
    )
    assert not report.right
    assert "factor 2 too many" in report["b1"].text


def test_a_gradient_that_vanishes_is_tried_nearby() -> None:
    """With W2 = 0 nothing reaches W1: any multiple of the gradient would look right."""
    net = MLP((D, 6, K), "tanh")
    params = {**start(net), "W2": np.zeros((6, K))}
    report = hold(net, params)
    assert report.right
    assert "point nearby" in report["W1"].remark
    wrong = gradcheck(
        net.loss, lambda p, x, y: {**net.gradient(p, x, y), "W1": -net.gradient(p, x, y)["W1"]}, params, X, Y
    )
    assert "sign is wrong" in wrong["W1"].text


def test_a_parameter_without_effect_is_right_if_zero() -> None:
    model = Softmax(K)
    params = {**model.initial(RNG, D), "unused": np.ones(3)}
    zero = gradcheck(
        model.loss, lambda p, x, y: {**model.gradient(p, x, y), "unused": np.zeros(3)}, params, X, Y
    )
    assert zero.right
    assert zero["unused"].remark == "zero, here and at a point nearby"
    more = gradcheck(
        model.loss, lambda p, x, y: {**model.gradient(p, x, y), "unused": p["unused"]}, params, X, Y
    )
    assert "should be zero" in more["unused"].text


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1e2, 1e4])
def test_small_and_large_inputs_pass(scale: float) -> None:
    net = MLP((D, 6, K), "tanh")
    assert hold(net, start(net), scale * X).right
    model = LinearRegression()
    params = {"w": RNG.standard_normal(D), "b": np.array(0.1)}
    assert hold(model, params, scale * X, X[:, 0]).right


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_small_and_large_weights_pass(scale: float) -> None:
    net = MLP((D, 6, K), "relu")
    assert hold(net, {n: scale * p for n, p in start(net).items()}).right


def single(function: Any) -> Any:
    """The function, computed in float32 throughout."""

    def computed(params: Any, x: Any, y: Any) -> Any:
        return function({n: p.astype(np.float32) for n, p in params.items()}, x.astype(np.float32), y)

    return computed


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_single_precision_passes(activation: str) -> None:
    net = MLP((D, 6, K), activation)
    report = gradcheck(single(net.loss), single(net.gradient), start(net), X, Y)
    assert report.right, str(report)
    assert report.single
    assert any("single precision" in note for note in report.notes)


def test_mistakes_in_single_precision_are_named() -> None:
    net = MLP((D, 6, K), "tanh")
    wrong = single(lambda p, x, y: {n: g * len(x) for n, g in net.gradient(p, x, y).items()})
    report = gradcheck(single(net.loss), wrong, start(net), X, Y)
    assert all("summed over the 10 samples" in finding.text for finding in report.findings), str(report)


def test_a_gradient_in_single_precision_of_an_exact_loss_passes() -> None:
    net = MLP((D, 6, K), "tanh")
    report = gradcheck(net.loss, single(net.gradient), start(net), X, Y)
    assert report.right, str(report)
    assert not report.single


def test_parameters_given_in_single_precision_are_tried_in_double() -> None:
    net = MLP((D, 6, K), "tanh")
    report = hold(net, {n: p.astype(np.float32) for n, p in start(net).items()}, X.astype(np.float32))
    assert report.right
    assert not report.single
    assert max(f.relative_error or 0 for f in report.findings) < 1e-7


def test_large_parameters_are_sampled() -> None:
    calls = 0
    net = MLP((300, 40, K), "tanh")
    x = RNG.standard_normal((5, 300))

    def loss(params: Any, x: Any, y: Any) -> float:
        nonlocal calls
        calls += 1
        return net.loss(params, x, y)

    report = gradcheck(loss, net.gradient, net.initial(RNG), x, Y[:5])
    assert report.right
    assert report["W1"].compared <= 120
    assert calls < 1000


def test_the_report_is_plain_data() -> None:
    net = MLP((D, 6, K), "tanh")
    report = hold(net, start(net))
    document = report.document()
    assert document["right"] is True
    assert [p["name"] for p in document["parameters"]] == ["W1", "b1", "W2", "b2"]
    assert document["parameters"][0]["shape"] == (D, 6)
    assert report.summary == "the gradient is right for all 4 parameters"
    assert str(report).splitlines()[1] == "W1  right"
    assert report == hold(net, start(net))


def log(params: Any, x: Any, y: Any) -> Any:
    return np.sum(np.log(params["s"]))


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_next_to_where_the_loss_ends(seed: int) -> None:
    """At 3e-6 the longest step leaves it, shorter ones are bent: neither accuses what is right."""
    near = {"s": np.array([3e-6])}
    assert gradcheck(log, lambda p, x, y: {"s": 1 / p["s"]}, near, seed=seed).right
    assert not gradcheck(log, lambda p, x, y: {"s": 2 / p["s"]}, near, seed=seed).right


def test_what_cannot_be_compared_is_not_right() -> None:
    with pytest.raises(UserError, match="not finite next to"):
        gradcheck(log, lambda p, x, y: {"s": 5 / p["s"]}, {"s": np.array([1e-9])}, seed=0)
    partly = gradcheck(log, lambda p, x, y: {"s": np.array([7.0, 1.0])}, {"s": np.array([1e-9, 1.0])}, seed=0)
    assert partly["s"].compared == 1
    assert "not finite next to some" in partly["s"].text


def test_a_second_point_at_which_nothing_works_is_let_go() -> None:
    def only_here(params: Any, x: Any, y: Any) -> float:
        if np.max(np.abs(params["w"] - 1)) > 0.01:
            raise ZeroDivisionError
        return 0.0

    assert (
        gradcheck(only_here, lambda p, x, y: {"w": 0 * p["w"]}, {"w": np.ones(2)})["w"].text
        == "right; zero here"
    )


@pytest.mark.parametrize("y", [X[:, 0] > 0, np.where(X[:, 0] > 0, "yes", "no")])
def test_labels_that_are_no_numbers(y: Any) -> None:
    def right(params: Any, x: Any, y: Any) -> Any:
        return x @ params["w"] - (y if y.dtype == bool else y == "yes")

    report = gradcheck(
        lambda p, x, y: np.mean(right(p, x, y) ** 2),
        lambda p, x, y: {"w": x.T @ right(p, x, y) / len(x)},
        {"w": np.ones(D)}, X, y,
    )  # fmt: skip
    assert "factor 2" in report["w"].text


MODEL = Softmax(K)
PARAMS = MODEL.initial(np.random.default_rng(0), D)
STREAM = np.random.default_rng(0)


def in_place(params: Any, x: Any, y: Any) -> Any:
    params["W"] *= 2
    return MODEL.gradient(params, x, y)


@pytest.mark.parametrize(
    ("said", "loss", "gradient", "params"),
    [
        ("dict of named arrays", MODEL.loss, MODEL.gradient, [1, 2]),
        ("dict of named arrays", MODEL.loss, MODEL.gradient, {}),
        ("parameter W must be", MODEL.loss, MODEL.gradient, {"W": "text", "b": 0}),
        ("not finite", MODEL.loss, MODEL.gradient, {"W": np.full((D, K), np.nan), "b": np.zeros(K)}),
        ("must return a number", lambda p, x, y: np.ones(3), MODEL.gradient, PARAMS),
        ("must return a number", lambda p, x, y: None, MODEL.gradient, PARAMS),
        ("the loss is inf", lambda p, x, y: np.inf, MODEL.gradient, PARAMS),
        ("call to call", lambda p, x, y: STREAM.random(), MODEL.gradient, PARAMS),
        ("loss fails: KeyError: 'V'", lambda p, x, y: p["V"], MODEL.gradient, PARAMS),
        ("gradient fails: ZeroDivisionError", MODEL.loss, lambda p, x, y: 1 / 0, PARAMS),
        ("must return a dict", MODEL.loss, lambda p, x, y: p["W"], PARAMS),
        ("changes W in place", MODEL.loss, in_place, PARAMS),
        ("named by texts", MODEL.loss, MODEL.gradient, {0: PARAMS["W"], 1: PARAMS["b"]}),
        ("for W is no array", MODEL.loss, lambda p, x, y: {"W": [np.ones(2), np.ones(3)]}, PARAMS),
    ],
)
def test_what_cannot_be_judged_is_refused(said: str, loss: Any, gradient: Any, params: Any) -> None:
    with pytest.raises(UserError, match=said):
        gradcheck(loss, gradient, params, X, Y)


def test_a_gradient_of_no_parameter_is_noted() -> None:
    report = gradcheck(MODEL.loss, lambda p, x, y: {**MODEL.gradient(p, x, y), "c": np.ones(2)}, PARAMS, X, Y)
    assert report.right
    assert report.notes == ("the gradient also has c, which the parameters have not",)
