"""The court against wrong gradients of many kinds, planted in right ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nablab.byhand import ACTIVATIONS, LOSSES, MLP, LinearRegression, Logistic, Softmax
from nablab.court import gradcheck
from nablab.court.causes import CAUSES

N, D, K = 11, 5, 4
RNG = np.random.default_rng(7)
X = RNG.standard_normal((N, D))
Y = np.append(np.arange(K), RNG.integers(0, K, N - K))
NET = MLP((D, 6, 6, K), "tanh", l2=0.01)


def away_from_zero(params: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {name: value + 0.2 * rng.standard_normal(value.shape) for name, value in params.items()}


PARAMS = away_from_zero(NET.initial(np.random.default_rng(0)))
Gradient = Callable[[Any, Any, Any], dict[str, Any]]


def changed(name: str, change: Callable[..., Any]) -> Gradient:
    """The right gradient, but for one parameter: change(g, w, x)."""

    def gradient(params: Any, x: Any, y: Any) -> dict[str, Any]:
        right = NET.gradient(params, x, y)
        return {**right, name: change(right[name], params[name], x)}

    return gradient


def with_rows(change: Callable[[Any, Any], Any]) -> Gradient:
    """The right gradient of other samples: change(x, y)."""
    return lambda params, x, y: NET.gradient(params, *change(x, y))


def backward(
    params: Any,
    x: Any,
    y: Any,
    *,
    net: MLP = NET,
    slope: Callable[[Any, Any], Any] | None = None,
    at_output: Callable[[Any, Any], Any] = lambda D, Z: D,
    carry: Callable[[Any, Any], Any] = lambda D, W: D @ W.T,
    layers: tuple[int, ...] = (1, 2),
) -> dict[str, Any]:
    """Back-propagation as in `MLP`, with places to go wrong; `slope` only after `layers`."""
    trace = net.forward(params, x)
    D = at_output(net.loss_of_scores.gradient(trace.received[-1], y), trace.received[-1])
    gradient = {}
    for layer in range(net.depth, 0, -1):
        W, A = params[f"W{layer}"], trace.given[layer - 1]
        gradient[f"W{layer}"] = A.T @ D + net.l2 * W
        gradient[f"b{layer}"] = D.sum(0)
        if layer > 1:
            wrong = slope is not None and layer - 1 in layers
            D = carry(D, W) * (slope if wrong else net.f.slope)(trace.received[layer - 2], A)
    return gradient


@dataclass(frozen=True)
class Planted:
    """A wrong gradient: which parameters are, by which cause, and words that must be said."""

    gradient: Gradient
    codes: dict[str, str]
    said: str = ""


EVERY = tuple(PARAMS)
HIDDEN = ("W1", "b1", "W2", "b2")


def all_are(code: str, names: tuple[str, ...] = EVERY) -> dict[str, str]:
    return dict.fromkeys(names, code)


PLANTED: dict[str, Planted] = {
    "sign": Planted(changed("W1", lambda g, w, x: -g), {"W1": "factor"}, "sign is wrong"),
    "twice": Planted(changed("b2", lambda g, w, x: 2 * g), {"b2": "factor"}, "factor 2 too many"),
    "half": Planted(changed("W3", lambda g, w, x: g / 2), {"W3": "factor"}, "lacks a factor 2"),
    "summed": Planted(changed("b3", lambda g, w, x: g * len(x)), {"b3": "factor"}, "summed over the 11"),
    "averaged twice": Planted(
        changed("b1", lambda g, w, x: g / len(x)), {"b1": "factor"}, "divided by the 11 samples"
    ),
    "averaged over classes": Planted(
        changed("W1", lambda g, w, x: g / K), {"W1": "factor"}, "averaged over the 4 classes"
    ),
    "multiplied by classes": Planted(
        changed("W1", lambda g, w, x: g * K), {"W1": "factor"}, "multiplied by the 4 classes"
    ),
    "sign, sum and two": Planted(
        changed("b1", lambda g, w, x: -2 * g * len(x)), {"b1": "factor"}, "sign is wrong.*summed.*factor 2"
    ),
    "some other factor": Planted(
        changed("b1", lambda g, w, x: 0.37 * g), {"b1": "factor"}, "0.37 times the right gradient"
    ),
    "zero": Planted(changed("W2", lambda g, w, x: 0 * g), {"W2": "zero"}, "zero everywhere"),
    "nothing": Planted(
        lambda p, x, y: {n: g for n, g in NET.gradient(p, x, y).items() if n != "b2"}, {"b2": "missing"}
    ),
    "not a number": Planted(
        changed("W1", lambda g, w, x: np.where(g == g.max(), np.nan, g)), {"W1": "not finite"}, "1 of 30"
    ),
    "transposed square": Planted(changed("W2", lambda g, w, x: g.T), {"W2": "transposed"}),
    "transposed": Planted(changed("W1", lambda g, w, x: g.T), {"W1": "transposed"}, r"\(6, 5\)"),
    "row vector": Planted(changed("b1", lambda g, w, x: g[None]), {"b1": "shape"}, r"\(1, 6\)"),
    "of another shape": Planted(changed("b1", lambda g, w, x: g[:3]), {"b1": "shape"}, r"\(3,\)"),
    "not summed": Planted(
        changed("b1", lambda g, w, x: np.tile(g / len(x), (len(x), 1))), {"b1": "shape"}, "not summed"
    ),
    "reversed": Planted(changed("b1", lambda g, w, x: g[::-1]), {"b1": "flipped"}),
    "swapped": Planted(
        lambda p, x, y: (lambda g: {**g, "b1": g["b2"], "b2": g["b1"]})(NET.gradient(p, x, y)),
        {"b1": "swapped", "b2": "swapped"},
        "gradient of b",
    ),
    "absolute": Planted(changed("W3", lambda g, w, x: abs(g)), {"W3": "absolute"}),
    "clipped": Planted(
        changed("W3", lambda g, w, x: np.clip(g, -0.05, 0.05)), {"W3": "clipped"}, r"clipped to \[-0.05"
    ),
    "averaged over units": Planted(
        changed("b2", lambda g, w, x: np.full_like(g, g.mean())), {"b2": "uniform"}, "averaged over all"
    ),
    "summed over units": Planted(
        changed("b2", lambda g, w, x: np.full_like(g, g.sum())), {"b2": "uniform"}, "summed over all"
    ),
    "the weights after a step": Planted(
        changed("W1", lambda g, w, x: w - 0.1 * g), {"W1": "stepped"}, "rate 0.1"
    ),
    "no penalty": Planted(
        changed("W1", lambda g, w, x: g - 0.01 * w), {"W1": "penalty"}, "lacks 0.01 w.*L2"
    ),
    "penalty without its half": Planted(
        changed("W1", lambda g, w, x: g + 0.01 * w), {"W1": "penalty"}, "0.01 w too much"
    ),
    "penalty on a bias": Planted(
        changed("b1", lambda g, w, x: g + 0.01 * w), {"b1": "penalty"}, "0.01 w too much"
    ),
    "summed, and no penalty": Planted(
        changed("W1", lambda g, w, x: len(x) * (g - 0.01 * w)), {"W1": "penalty"}, "lacks 0.01 w.*summed over"
    ),
    "L1 gradient of an L2 penalty": Planted(
        changed("W1", lambda g, w, x: g + 0.1 * np.sign(w)), {"W1": "penalty"}, "L1"
    ),
    "a row left out": Planted(
        changed("W1", lambda g, w, x: g * (np.arange(D) != 3)[:, None]), {"W1": "entries"}, "row 3 is left"
    ),
    "columns left out": Planted(
        changed("W1", lambda g, w, x: g * (np.arange(6) < 4)), {"W1": "entries"}, "columns 4, 5 are left out"
    ),
    "one entry": Planted(
        changed("W2", lambda g, w, x: g + 0.01 * (np.arange(36).reshape(6, 6) == 8)),
        {"W2": "entries"},
        r"1 of 36 .*\[1, 2\]",
    ),
    "first sample only": Planted(
        with_rows(lambda x, y: (x[:1], y[:1])), all_are("samples"), "sample 0 alone, of 11"
    ),
    "last sample left out": Planted(
        with_rows(lambda x, y: (x[:-1], y[:-1]) if len(x) > 1 else (x, y)), all_are("samples"), "without 10"
    ),
    "half of the samples": Planted(
        with_rows(lambda x, y: (x[: (len(x) + 1) // 2], y[: (len(x) + 1) // 2])),
        all_are("samples"),
        "first 6 samples",
    ),
    "labels of other samples": Planted(
        with_rows(lambda x, y: (x, np.roll(y, 1) if len(y) > 1 else (y + 1) % K)),
        all_are("unrelated", (*HIDDEN, "W3")),  # b3 only knows how many of each class there are
    ),
    "noise": Planted(
        changed("W1", lambda g, w, x: np.random.default_rng(5).standard_normal(g.shape)), {"W1": "unrelated"}
    ),
    "derivative left out": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: np.ones_like(o)),
        all_are("activation", HIDDEN),
        r"left out: h = tanh\(o\), so its derivative is 1 - h\^2",
    ),
    "derivative left out in one layer": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: np.ones_like(o), layers=(2,)),
        {"W2": "activation", "b2": "activation", "W1": "follows", "b1": "follows"},
        "mistake at W2 and b2|after W2",
    ),
    "derivative of the logistic function": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: h * (1 - h)),
        all_are("activation", HIDDEN),
        r"1 - h\^2; the gradient uses h \(1 - h\)",
    ),
    "derivative of what came out": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: 1 - np.tanh(h) ** 2, layers=(1,)),
        {"W1": "activation", "b1": "activation"},
        "the derivative of tanh of what comes out",
    ),
    "derivative of what went in": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: 1 - o * o, layers=(1,)),
        {"W1": "activation", "b1": "activation"},
        r"uses 1 - o\^2",
    ),
    "derivative times two": Planted(
        lambda p, x, y: backward(p, x, y, slope=lambda o, h: 2 * (1 - h * h), layers=(2,)),
        all_are("activation", ("W2", "b2")) | all_are("follows", ("W1", "b1")),
        r"uses 2 times that|mistake at W2",
    ),
    "carried back by W": Planted(
        lambda p, x, y: backward(p, x, y, carry=lambda D, W: D @ W if W.shape == (6, 6) else D @ W.T),
        {"W1": "carried back", "b1": "carried back"},
        "carried back by W2, not by its transpose",
    ),
    "an extra logistic derivative": Planted(
        lambda p, x, y: backward(p, x, y, at_output=lambda D, Z: LOSSES["logistic"].outputs(Z) * D
                                 * (1 - LOSSES["logistic"].outputs(Z))),
        all_are("output", ("W3", "b3")) | all_are("follows", HIDDEN),
        r"q \(1 - q\).*should not be there|mistake at W3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_mistake_is_named(kind: str) -> None:
    planted = PLANTED[kind]
    report = gradcheck(NET.loss, planted.gradient, PARAMS, X, Y)
    assert not report.right
    assert {f.name: f.cause.code for f in report.wrong if f.cause} == planted.codes, str(report)
    for finding in report.wrong:
        assert finding.cause is not None
        assert re.search(planted.said, finding.cause.text), str(report)


@pytest.mark.parametrize("lacking", [("b1",), ("b2",), ("b1", "b2"), ("W1", "W2"), EVERY[:4]])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("strength", [0.1, 1e-3, 1e-4])
def test_a_penalty_is_told_however_small(strength: float, classes: int, lacking: tuple[str, ...]) -> None:
    """As small as weight decay is in practice, on biases of two and three entries: nothing else is blamed."""
    net = MLP((D, 3, classes), "tanh")
    params = away_from_zero(net.initial(np.random.default_rng(3)))

    def loss(p: Any, x: Any, y: Any) -> float:
        return float(net.loss(p, x, y)) + strength / 2 * sum(float((w * w).sum()) for w in p.values())

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        right = net.gradient(p, x, y)
        return {n: g if n in lacking else g + strength * p[n] for n, g in right.items()}

    report = gradcheck(loss, gradient, params, X, Y % classes)
    assert {f.name for f in report.wrong} == set(lacking)
    for finding in report.wrong:
        assert finding.cause is not None
        assert finding.cause.text.startswith(f"it lacks {strength:.4g} w: the L2 penalty's"), str(report)


def test_there_are_enough_kinds() -> None:
    assert len(PLANTED) >= 40
    codes = {code for planted in PLANTED.values() for code in planted.codes.values()}
    assert len(codes) >= len(CAUSES)


#: What the derivative used is also called, of (activation, whose derivative).
ALIKE = {
    ("logistic", "softplus"): "h, the activation itself",
    ("logistic", "half tanh"): "2 times that",
    ("half tanh", "logistic"): "0.5 times that",
}


@pytest.mark.parametrize("used", ACTIVATIONS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_derivative_in_place_of_every_other(name: str, used: str) -> None:
    net = MLP((D, 4, K), name)
    params = away_from_zero(net.initial(np.random.default_rng(2)))
    slope = ACTIVATIONS[used].slope
    report = gradcheck(
        net.loss,
        lambda p, x, y: backward(p, x, y, net=net, layers=(1,),
                                 slope=lambda o, h: slope(o, ACTIVATIONS[used].value(o))),
        params, X, Y,
    )  # fmt: skip
    assert report["W2"].right
    assert report["b2"].right
    if name == used:
        assert report.right
        return
    cause = report["b1"].cause
    assert cause is not None
    assert cause.code == "activation", str(report)
    if name != "identity":
        assert ACTIVATIONS[name].slope_formula in cause.text
    if used == "identity":
        assert "left out" in cause.text
    else:
        assert ALIKE.get((name, used), ACTIVATIONS[used].slope_formula) in cause.text


@pytest.mark.parametrize("activation", ["half tanh", "tanh"])
def test_the_mistake_of_the_hand_out(activation: str) -> None:
    """(1 - h)^2 for h = 2 logistic(o) - 1, off by 0.8 to 1.0 relative."""
    net = MLP((D, 5, 1), activation, "logistic")
    params = away_from_zero(net.initial(np.random.default_rng(4)))
    report = gradcheck(
        net.loss,
        lambda p, x, y: backward(p, x, y, net=net, slope=lambda o, h: (1 - h) ** 2),
        params,
        X,
        Y % 2,
    )
    right = {"half tanh": "(1 - h^2)/2", "tanh": "1 - h^2"}[activation]
    assert {f.name for f in report.wrong} == {"W1", "b1"}
    for finding in report.wrong:
        assert finding.cause is not None
        assert finding.cause.code == "activation"
        assert finding.cause.text.endswith(f"so its derivative is {right}; the gradient uses (1 - h)^2")
        assert finding.relative_error is not None
        assert finding.relative_error > 0.3


def test_the_derivative_of_a_logistic_output_is_missed() -> None:
    net = MLP((D, K), loss_name="square of logistic")
    params = away_from_zero(net.initial(np.random.default_rng(2)))

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        dZ = LOSSES["square"].gradient(LOSSES["logistic"].outputs(net.scores(p, x)), y)
        return {"W1": x.T @ dZ, "b1": dZ.sum(0)}

    report = gradcheck(net.loss, gradient, params, X, Y)
    for finding in report.findings:
        assert finding.cause is not None
        assert finding.cause.code == "output"
        assert "q (1 - q), the derivative of the logistic output, is missing" in finding.cause.text


def test_the_derivative_of_a_softmax_output_is_missed() -> None:
    net = MLP((D, 6, K), "tanh", "square of softmax")
    params = away_from_zero(net.initial(np.random.default_rng(2)))

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        return backward(
            p, x, y, net=net,
            at_output=lambda D, Z: LOSSES["square"].gradient(LOSSES["softmax"].outputs(Z), y),
        )  # fmt: skip

    report = gradcheck(net.loss, gradient, params, X, Y)
    assert report["b2"].cause is not None
    assert "derivative of the softmax output is missing" in report["b2"].cause.text
    assert report["W1"].cause is not None
    assert report["W1"].cause.code == "follows"


def test_the_number_of_samples_is_told_from_the_number_of_classes() -> None:
    """As many samples as classes: only fewer samples show which of the two the factor is."""
    model = Softmax(4)
    x, y = X[:4], np.arange(4)
    params = {"W": RNG.standard_normal((D, 4)), "b": np.zeros(4)}
    for divide, said in ((lambda x: len(x), "4 samples"), (lambda x: 4, "4 classes")):
        report = gradcheck(
            model.loss,
            lambda p, x, y, divide=divide: {n: g / divide(x) for n, g in model.gradient(p, x, y).items()},
            params, x, y,
        )  # fmt: skip
        assert {f.cause.code for f in report.wrong if f.cause} == {"factor"}
        assert all(said in f.text and "or:" not in f.text for f in report.findings), str(report)


def test_a_mistake_in_the_fourth_digit_is_found() -> None:
    report = gradcheck(NET.loss, changed("W2", lambda g, w, x: 1.0002 * g), PARAMS, X, Y)
    assert [finding.name for finding in report.wrong] == ["W2"]


def test_a_scalar_that_is_any_number_off_is_no_factor() -> None:
    model = Logistic()
    params = {"w": RNG.standard_normal(D), "b": np.array(0.3)}

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        return {**model.gradient(p, x, y), "b": np.array(0.0123)}

    report = gradcheck(model.loss, gradient, params, X, Y % 2)
    assert report["b"].cause is not None
    assert report["b"].cause.code == "unrelated"


def test_a_wrong_entry_of_a_large_parameter_is_found() -> None:
    model = LinearRegression()
    x = RNG.standard_normal((20, 5000))
    params = {"w": RNG.standard_normal(5000) / 70, "b": np.zeros(())}
    right = model.gradient(params, x, np.zeros(20))

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        wrong = right["w"].copy()
        wrong[3217] = 0
        return {**right, "w": wrong}

    report = gradcheck(model.loss, gradient, params, x, np.zeros(20))
    assert report["b"].right
    assert report["w"].compared < 200
    assert "[3217]" in report["w"].text


def test_large_parameters_that_are_swapped() -> None:
    net = MLP((30, 30, 30, 3), "tanh")
    x, y = RNG.standard_normal((6, 30)), RNG.integers(0, 3, 6)

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        right = net.gradient(p, x, y)
        return {**right, "W1": right["W2"]}

    report = gradcheck(net.loss, gradient, net.initial(RNG), x, y)
    assert "it is the gradient of W2" in report["W1"].text


@pytest.mark.parametrize("seed", range(3))
def test_a_row_left_out_of_a_large_matrix_is_found(seed: int) -> None:
    model = Softmax(10)
    x, y = RNG.standard_normal((12, 200)), RNG.integers(0, 10, 12)
    params = {"W": 0.1 * RNG.standard_normal((200, 10)), "b": np.zeros(10)}

    def gradient(p: Any, x: Any, y: Any) -> dict[str, Any]:
        right = model.gradient(p, x, y)
        return {**right, "W": right["W"] * (np.arange(200) != 123)[:, None]}

    report = gradcheck(model.loss, gradient, params, x, y, seed=seed)
    assert "row 123 is left out" in report["W"].text
