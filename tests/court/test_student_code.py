"""Loss and gradient as students write them, with the mistakes that hand-ins have."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nablab.court import gradcheck
from nablab.errors import UserError

N, D, H, K = 20, 5, 6, 4
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N, D))
Y = np.append(np.arange(K), RNG.integers(0, K, N - K))
SHAPES = {"W1": (D, H), "b1": (H,), "W2": (H, H), "b2": (H,), "W3": (H, K), "b3": (K,)}
PARAMS = {name: 0.6 * RNG.standard_normal(shape) for name, shape in SHAPES.items()}
LAMBDA = 0.01


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def forward(p: Any, x: Any) -> Any:
    z1 = x @ p["W1"] + p["b1"]
    h1 = np.maximum(z1, 0)
    z2 = h1 @ p["W2"] + p["b2"]
    h2 = np.maximum(z2, 0)
    return z1, h1, z2, h2, h2 @ p["W3"] + p["b3"]


def loss(p: Any, x: Any, y: Any) -> Any:
    q = softmax(forward(p, x)[-1])
    return -np.mean(np.log(q[np.arange(len(y)), y])) + LAMBDA * sum(
        np.sum(p[w] ** 2) for w in ("W1", "W2", "W3")
    )


def gradient(p: Any, x: Any, y: Any, mistake: str = "", penalty: float = 2 * LAMBDA) -> dict[str, Any]:
    z1, h1, z2, h2, z3 = forward(p, x)
    d3 = softmax(z3)
    if mistake == "labels not subtracted":
        pass
    elif mistake == "labels as numbers":
        d3 -= y[:, None]
    elif mistake == "all rows of each label":
        d3[:, y] -= 1
    elif mistake == "answer":
        d3 = np.eye(K)[z3.argmax(1)] - np.eye(K)[y]
    elif mistake == "logistic":
        d3 = 1 / (1 + np.exp(-z3)) - np.eye(K)[y]
    elif mistake == "scores":
        d3 = z3 - np.eye(K)[y]
    else:
        d3[np.arange(len(y)), y] -= 1
    d3 = d3 / len(y)
    g = {"W3": h2.T @ d3, "b3": d3.sum(0)}
    if mistake == "before the activation":
        g["W3"] = z2.T @ d3
    d2 = (d3 @ p["W3"].T) * ((z1 if mistake == "mask of layer 1" else z2) > 0)
    g["W2"], g["b2"] = (h2 if mistake == "wrong input" else h1).T @ d2, d2.sum(0)
    W2 = p["W2"] - 0.1 * g["W2"] if mistake == "after the step" else p["W2"]
    back = d2 @ W2.T
    if mistake == "past a layer":
        back = d3 @ p["W3"].T
    if mistake == "not carried":
        back = d2
    mask = {"no mask": np.ones_like(z1), "mask of the error": back > 0, "mask of layer 2": z2 > 0}
    d1 = back * mask.get(mistake, z1 > 0)
    g["W1"], g["b1"] = x.T @ d1, d1.sum(0)
    return {name: g[name] + (penalty * p[name] if name in ("W1", "W2", "W3") else 0) for name in p}


def test_the_right_one_is_that_of_pytorch() -> None:
    p = {name: torch.tensor(value, requires_grad=True) for name, value in PARAMS.items()}
    h = torch.relu(torch.tensor(X) @ p["W1"] + p["b1"])
    z = torch.relu(h @ p["W2"] + p["b2"]) @ p["W3"] + p["b3"]
    penalty = LAMBDA * sum((p[w] ** 2).sum() for w in ("W1", "W2", "W3"))
    (torch.nn.functional.cross_entropy(z, torch.tensor(Y)) + penalty).backward()
    ours = gradient(PARAMS, X, Y)
    assert all(np.allclose(ours[name], p[name].grad, rtol=1e-10, atol=1e-14) for name in ours)
    assert gradcheck(loss, gradient, PARAMS, X, Y).right


@pytest.mark.parametrize(
    ("mistake", "where", "code", "said"),
    [
        ("labels not subtracted", "b3", "output", "begins as p: the labels are not subtracted"),
        ("labels as numbers", "b3", "output", "with the number of the class as y, where y has to be one-hot"),
        (
            "logistic",
            "b3",
            "output",
            "begins as q - y, that of the logistic cross entropy, which the loss is not",
        ),
        ("scores", "b3", "output", "z - y, of scores that are not yet probabilities"),
        ("answer", "b3", "output", "answer - y, with the answer"),
        ("all rows of each label", "b3", "mixed", "for each sample alone it is right"),
        ("before the activation", "W3", "incoming", "times what W2 gives, before its activation"),
        ("wrong input", "W2", "incoming", "times what comes into W3, not times what comes into W2"),
        ("no mask", "b1", "activation", "activation after W1 is left out"),
        ("mask of the error", "b1", "carried back", "the mask (g > 0) in place of (o > 0)"),
        ("mask of layer 1", "b2", "carried back", "activation after W2 is taken at what W1 gives"),
        ("mask of layer 2", "b1", "carried back", "activation after W1 is taken at what W2 gives"),
        ("after the step", "b1", "carried back", "by W2 after its step of rate 0.1"),
        ("past a layer", "b1", "carried back", "from W3, past W2"),
        ("not carried", "b1", "carried back", "not carried back by W2"),
    ],
)
def test_the_mistake_is_named(mistake: str, where: str, code: str, said: str) -> None:
    report = gradcheck(loss, lambda p, x, y: gradient(p, x, y, mistake), PARAMS, X, Y)
    cause = report[where].cause
    assert cause is not None
    assert cause.code == code, str(report)
    assert said in cause.text


def test_what_follows_from_a_mistake_says_so() -> None:
    report = gradcheck(loss, lambda p, x, y: gradient(p, x, y, "mask of layer 1"), PARAMS, X, Y)
    assert {f.name for f in report.wrong} == {"W1", "b1", "W2", "b2"}
    assert "follows from the mistake at W2 and b2" in report["W1"].text


@pytest.mark.parametrize(
    ("penalty", "said"),
    [
        (0.0, "it lacks 0.02 w: the L2 penalty's gradient is missing"),
        (LAMBDA, "it lacks 0.01 w: the L2 penalty's gradient is there by half: the derivative of w^2 is 2 w"),
        (4 * LAMBDA, "it has 0.02 w too much: the L2 penalty's gradient is there twice"),
        (3 * LAMBDA, "it has 0.01 w too much: the loss has no such L2 penalty, or less"),
    ],
)
def test_how_much_of_a_penalty_is_there(penalty: float, said: str) -> None:
    report = gradcheck(loss, lambda p, x, y: gradient(p, x, y, penalty=penalty), PARAMS, X, Y)
    assert all(report[name].text.startswith(f"wrong: {said}") for name in ("W1", "W2", "W3")), str(report)


def test_a_penalty_that_the_loss_has_not() -> None:
    without = lambda p, x, y: loss(p, x, y) - LAMBDA * sum(np.sum(p[w] ** 2) for w in ("W1", "W2", "W3"))  # noqa: E731
    report = gradcheck(without, gradient, PARAMS, X, Y)
    assert report["W1"].text == "wrong: it has 0.02 w too much: the loss has no L2 penalty on it"


def test_a_reshaped_transpose() -> None:
    def logits(p: Any, x: Any, y: Any) -> Any:
        q = softmax(x @ p["W"])
        return -np.mean(np.log(q[np.arange(len(y)), y]))

    def pressed(p: Any, x: Any, y: Any) -> Any:
        return {"W": ((softmax(x @ p["W"]) - np.eye(K)[y]).T @ x / len(x)).reshape(D, K)}

    report = gradcheck(logits, pressed, {"W": RNG.standard_normal((D, K))}, X, Y)
    assert report["W"].text == "wrong: it is the transpose, reshaped where it must be transposed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: {f"d{n}": v for n, v in g.items()}, "nothing for it; if dW1 is meant for it, call it W1"),
        (lambda g: {n.lower(): v for n, v in g.items()}, "if w1 is meant for it, call it W1"),
        (lambda g: {**g, "W1": g["b1"].sum()}, r"its shape is (), the parameter's is (5, 6)"),
        (lambda g: {**g, "W1": np.ones((N, D, H))}, "and it is not summed over the samples"),
    ],
)
def test_names_and_shapes(change: Callable[[Any], Any], said: str) -> None:
    report = gradcheck(loss, lambda p, x, y: change(gradient(p, x, y)), PARAMS, X, Y)
    assert said in report["W1"].text


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (lambda d: d, "it is not summed over the samples: its shape is (20, 6)"),
        (lambda d: d.sum(), "its shape is (), the parameter's is (6,): it is summed over the units, too"),
        (lambda d: d.sum(1), "its shape is (20,), the parameter's is (6,): it is summed over the units, not"),
        (
            lambda d: N * d,
            "summed over the 20 samples where the loss is averaged (times 20); and it is not summed",
        ),
    ],
)
def test_a_bias_summed_otherwise(bias: Callable[[Any], Any], said: str) -> None:
    def with_bias(p: Any, x: Any, y: Any) -> Any:
        *_, z2, _, z3 = forward(p, x)
        d2 = ((softmax(z3) - np.eye(K)[y]) / len(y)) @ p["W3"].T * (z2 > 0)
        return {**gradient(p, x, y), "b2": bias(d2)}

    assert said in gradcheck(loss, with_bias, PARAMS, X, Y)["b2"].text


LINE = {"w": np.ones((D, 1)), "b": np.zeros(1)}


def distances(p: Any, x: Any, y: Any) -> Any:
    return x @ p["w"] + p["b"] - y


def test_a_column_held_against_a_vector_is_noted() -> None:
    def mean(p: Any, x: Any, y: Any) -> Any:
        return np.mean(distances(p, x, y) ** 2)

    def meant(p: Any, x: Any, y: Any) -> Any:
        return {
            "w": 2 * x.T @ distances(p, x, y) / len(x),
            "b": 2 * distances(p, x, y).mean(keepdims=True)[0],
        }

    targets = X @ np.arange(D)
    report = gradcheck(mean, meant, LINE, X, targets)
    assert "(N, 1) and (N,) of the 20 samples were broadcast to (N, N)" in report["w"].text
    assert any("whichever label goes with which sample" in note for note in report.notes)
    assert not gradcheck(mean, meant, LINE, X, targets[:, None]).notes


def test_a_network_that_says_the_same_to_all_is_no_broadcast() -> None:
    """All units dead: the loss depends on how many of each class there are, rightly."""
    dead = {**PARAMS, "b2": np.full(H, -99.0)}
    assert not gradcheck(loss, gradient, dead, X, Y).notes


def changes(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def changed(p: Any, x: Any, y: Any) -> Any:
        {"x": x, "y": y, **p}[name][...] += 1
        return function(p, x, y)

    return changed


@pytest.mark.parametrize("name", ["x", "y", "W2"])
@pytest.mark.parametrize("which", ["loss", "gradient"])
def test_what_is_given_must_be_left_as_it_is(which: str, name: str) -> None:
    functions = {"loss": loss, "gradient": gradient}
    functions[which] = changes(name, functions[which])
    x, y = X.copy(), np.minimum(Y, K - 2)
    with pytest.raises(UserError, match=f"{which} changes {name} in place"):
        gradcheck(functions["loss"], functions["gradient"], PARAMS, x, y)
    assert np.array_equal(x, X)


def test_a_gradient_of_a_minibatch_is_refused() -> None:
    stream = np.random.default_rng(0)

    def some(p: Any, x: Any, y: Any) -> Any:
        rows = stream.integers(0, len(y), 8)
        return gradient(p, x[rows], y[rows])

    with pytest.raises(
        UserError, match=r"gradient of W1, b1, .* changes from call to call: it must be that of all"
    ):
        gradcheck(loss, some, PARAMS, X, Y)


def overflowing(p: Any, x: Any, y: Any) -> Any:
    e = np.exp(1000 * forward(p, x)[-1])
    return e / e.sum(1, keepdims=True)


def test_an_overflow_is_found_in_its_line() -> None:
    cure = r"overflow encountered in exp \(test_student_code.py:\d+\); .*subtract the largest score"
    with pytest.raises(UserError, match=f"the loss is nan at these parameters.*{cure}"):
        gradcheck(lambda p, x, y: -np.mean(np.log(overflowing(p, x, y))), gradient, PARAMS, X, Y)
    with np.errstate(all="ignore"):
        report = gradcheck(
            loss, lambda p, x, y: {**gradient(p, x, y), "b3": overflowing(p, x, y).sum(0)}, PARAMS, X, Y
        )
    assert "not finite numbers: overflow encountered in exp (test_student_code.py:" in report["b3"].text


def test_a_function_with_other_arguments_is_told_how_it_is_called() -> None:
    with pytest.raises(UserError, match=r"loss fails: TypeError: .*called as loss\(params, x, y\)"):
        gradcheck(lambda params, x: 0.0, gradient, PARAMS, X, Y)


def test_tensors_that_require_a_gradient_are_taken() -> None:
    def on_tensors(p: Any, x: Any, y: Any) -> Any:
        p = {name: torch.tensor(value, requires_grad=True) for name, value in p.items()}
        return torch.nn.functional.cross_entropy(torch.tensor(x) @ p["W"] + p["b"], torch.tensor(y)), p

    def theirs(p: Any, x: Any, y: Any) -> Any:
        value, p = on_tensors(p, x, y)
        return dict(zip(p, torch.autograd.grad(value, list(p.values()), create_graph=True), strict=True))

    params = {"W": torch.ones(D, K, requires_grad=True), "b": torch.zeros(K)}
    report = gradcheck(lambda p, x, y: on_tensors(p, x, y)[0], theirs, params, X, Y)
    assert report.right, str(report)


def test_a_complex_number_is_no_loss() -> None:
    with pytest.raises(UserError, match="loss must return a number"):
        gradcheck(lambda p, x, y: p["b1"].sum() * 1j, gradient, PARAMS, X, Y)


def single(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda p, x, y: function(
        {n: np.asarray(v, np.float32) for n, v in p.items()}, x.astype(np.float32), y
    )


@pytest.mark.parametrize("seed", range(4))
def test_kinks_in_single_precision_accuse_nobody(seed: int) -> None:
    """Whole numbers everywhere: many units of many samples stand on their kinks at once."""
    rng = np.random.default_rng(seed)
    whole = {name: np.round(rng.standard_normal(shape)) for name, shape in SHAPES.items()}
    x = np.round(rng.standard_normal((60, D)))
    report = gradcheck(single(loss), single(gradient), whole, x, rng.integers(0, K, 60))
    assert report.right, str(report)


@pytest.mark.parametrize("seed", [0, 8])
def test_kinks_close_by_in_single_precision_accuse_nobody(seed: int) -> None:
    """Inputs so small that each long step of single precision goes over many kinks."""
    rng = np.random.default_rng(seed)
    params = {name: (name[0] == "W") * rng.standard_normal(shape) for name, shape in SHAPES.items()}
    x, y = 0.01 * rng.standard_normal((60, D)), rng.integers(0, K, 60)
    report = gradcheck(single(loss), single(gradient), params, x, y)
    assert report.right, str(report)


def test_a_loss_too_coarse_to_show_a_gradient_accuses_nobody() -> None:
    """In single precision 10,000 + L moves in steps of 0.001."""
    coarse = single(lambda p, x, y: np.float32(loss(p, x, y)) + np.float32(1e4))
    small = {name: 0.1 * value for name, value in PARAMS.items()}
    report = gradcheck(coarse, single(gradient), small, X, Y)
    assert report.right, str(report)
    assert report.single
    wrong = gradcheck(coarse, single(lambda p, x, y: {n: 1e4 + 0 * v for n, v in p.items()}), small, X, Y)
    assert len(wrong.wrong) == len(PARAMS)


def test_what_the_functions_print_is_shown_once_and_not_as_a_result(capsys: Any) -> None:
    def said(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def saying(p: Any, x: Any, y: Any) -> Any:
            print(name)
            return function(p, x, y)

        return saying

    assert gradcheck(said("loss", loss), said("gradient", gradient), PARAMS, X, Y).right
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "loss\ngradient\n"


COLUMNS = {name: (value.T if value.ndim > 1 else value[:, None]).copy() for name, value in PARAMS.items()}


def in_columns(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same network with samples as columns: x (D, N), one-hot labels (K, N), biases (H, 1)."""

    def computed(p: Any, x: Any, y: Any) -> Any:
        rows = {name: value.T if name[0] == "W" else value[:, 0] for name, value in p.items()}
        result = function(rows, x.T, y.argmax(0))
        if not isinstance(result, dict):
            return result
        return {name: g.T if name[0] == "W" else g[:, None] for name, g in result.items()}

    return computed


@pytest.mark.parametrize(
    ("mistake", "where", "said"),
    [
        ("labels not subtracted", "b3", "begins as p: the labels are not subtracted"),
        ("before the activation", "W3", "times what W2 gives, before its activation"),
        ("no mask", "W1", "activation after W1 is left out"),
        ("all rows of each label", "b3", "for each sample alone it is right"),
    ],
)
def test_samples_as_columns(mistake: str, where: str, said: str) -> None:
    x, y = X.T.copy(), np.eye(K)[Y].T.copy()
    assert gradcheck(in_columns(loss), in_columns(gradient), COLUMNS, x, y).right
    wrong = in_columns(lambda p, x, y: gradient(p, x, y, mistake))
    report = gradcheck(in_columns(loss), wrong, COLUMNS, x, y)
    assert said in report[where].text, str(report)


def test_a_bias_of_columns_that_is_not_summed() -> None:
    x, y = X.T.copy(), np.eye(K)[Y].T.copy()
    right = in_columns(gradient)(COLUMNS, x, y)["b2"]
    for bias, said in (
        (np.tile(right / N, (1, N)), "it is not summed over the samples: its shape is (6, 20)"),
        (np.zeros((1, N)), "summed over the units, not over the samples; those are axis 1"),
        (right.sum(), "sum over the samples only, with axis=1"),
    ):
        given = {**in_columns(gradient)(COLUMNS, x, y), "b2": bias}
        report = gradcheck(in_columns(loss), lambda p, x, y, given=given: given, COLUMNS, x, y)
        assert said in report["b2"].text


def test_biases_as_rows_are_biases() -> None:
    def as_rows(p: Any, x: Any, y: Any) -> Any:
        g = gradient({n: v.reshape(SHAPES[n]) for n, v in p.items()}, x, y, "mask of the error")
        return {name: g[name].reshape(p[name].shape) for name in p}

    def of_rows(p: Any, x: Any, y: Any) -> Any:
        return loss({n: v.reshape(SHAPES[n]) for n, v in p.items()}, x, y)

    rows = {name: np.atleast_2d(value) for name, value in PARAMS.items()}
    assert "the mask (g > 0)" in gradcheck(of_rows, as_rows, rows, X, Y)["b1"].text


def test_kinks_that_cancel_accuse_nobody() -> None:
    """With f(o) = max(o, o/4), f(-f(o)) has the slope -1/4 on both sides of 0; the chain rule says -1/16."""

    def f(o: Any) -> Any:
        return np.where(o > 0, o, o / 4)

    def slope(o: Any) -> Any:
        return np.where(o > 0, 1.0, 0.25)

    def twice(p: Any, x: Any, y: Any) -> Any:
        return np.sum(y * f(-f(p["b"]))) + np.sum(f(p["c"]))

    def by_formula(p: Any, x: Any, y: Any) -> Any:
        return {"b": -y * slope(-f(p["b"])) * slope(p["b"]), "c": slope(p["c"])}

    params, y = {"b": np.zeros(3), "c": np.zeros(3)}, np.array([1.0, 2.0, 3.0])
    report = gradcheck(twice, by_formula, params, None, y)
    assert report.right, str(report)
    assert "compared at a point nearby" in report["b"].remark
    wrong = gradcheck(twice, lambda p, x, y: {**by_formula(p, x, y), "b": p["b"]}, params, None, y)
    assert not wrong["b"].right


@pytest.mark.parametrize("seed", range(3))
def test_single_precision_shows_where_labels_make_the_loss_double(seed: int) -> None:
    """Scores in float32, saturated, less labels in int64: the values are double, their steps are not."""
    rng = np.random.default_rng(seed)
    x, y = 30 * rng.standard_normal((20, 3)), rng.integers(0, 2, (20, 4))
    params = {"W": rng.standard_normal((3, 4)), "b": np.zeros(4)}

    def outputs(p: Any, x: Any) -> Any:
        z = x.astype(np.float32) @ p["W"].astype(np.float32) + p["b"].astype(np.float32)
        return np.float32(1) / (1 + np.exp(-z))

    def squares(p: Any, x: Any, y: Any) -> Any:
        return np.sum((outputs(p, x) - y) ** 2) / len(x)

    def theirs(p: Any, x: Any, y: Any) -> Any:
        q = outputs(p, x)
        d = 2 * (q - y) * q * (1 - q) / len(x)
        return {"W": x.T @ d, "b": d.sum(0)}

    report = gradcheck(squares, theirs, params, x, y)
    assert report.single
    assert report.right, str(report)


def test_a_slow_loss_is_measured_at_fewer_entries() -> None:
    def slow(p: Any, x: Any, y: Any) -> Any:
        time.sleep(0.02)
        return np.sum(p["w"] ** 2)

    report = gradcheck(slow, lambda p, x, y: {"w": 2 * p["w"]}, {"w": RNG.standard_normal((20, 20))})
    assert report.right
    assert 8 <= report["w"].compared < 110


def test_a_number_that_stands_for_that_of_the_samples() -> None:
    """A batch size of elsewhere: right for 64 samples, and for no others."""
    report = gradcheck(
        loss, lambda p, x, y: {n: len(y) / 64 * g for n, g in gradient(p, x, y).items()}, PARAMS, X, Y
    )
    said = "it is 0.3125 times the right gradient: the sum over the samples is divided by 64, whatever"
    assert said in report["b3"].text
    other = gradcheck(
        loss, lambda p, x, y: {n: 0.625 * g for n, g in gradient(p, x, y).items()}, PARAMS, X, Y
    )
    assert other["b3"].text == "wrong: it is 0.625 times the right gradient"


@pytest.mark.parametrize(
    ("mistake", "where", "said"),
    [
        ("labels not subtracted", "b3", "begins as p: the labels are not subtracted"),
        ("wrong input", "W2", "times what comes into W3"),
        ("mask of the error", "b1", "the mask (g > 0)"),
    ],
)
def test_samples_that_the_network_is_sure_of_hide_no_mistake(mistake: str, where: str, said: str) -> None:
    """Of some of them nothing comes back that could be measured."""
    rng = np.random.default_rng(0)
    x, y = 5 * rng.standard_normal((N, D)), rng.integers(0, K, N)
    params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    y[[0, -1]] = forward(params, x)[-1][[0, -1]].argmax(1)
    report = gradcheck(loss, lambda p, x, y: gradient(p, x, y, mistake), params, x, y)
    assert said in report[where].text, str(report)
