"""Every model's gradient against finite differences, and the models against PyTorch and scikit-learn."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier

from nablab.byhand import LOSSES, MLP, LinearRegression, Logistic, Softmax, TwoLayer, descend, final
from nablab.errors import UserError

N, D, H, K = 12, 5, 6, 3
RNG = np.random.default_rng(11)
X = RNG.standard_normal((N, D))
LABELS = RNG.integers(0, K, N)
TARGETS = RNG.standard_normal(N)

MODELS: dict[str, tuple[Any, Any]] = {
    "logistic": (Logistic(l2=0.1), LABELS % 2),
    "softmax": (Softmax(K, l2=0.1), LABELS),
    "linear regression": (LinearRegression(l2=0.1), TARGETS),
    "tanh, softmax": (TwoLayer(H, K, l2=0.1), LABELS),
    "relu, softmax": (TwoLayer(H, K, activation="relu"), LABELS),
    "tanh, logistic": (TwoLayer(H, 2, output="logistic"), LABELS % 2),
    "relu, logistic": (TwoLayer(H, 2, activation="relu", output="logistic", l2=0.1), LABELS % 2),
    "four layers": (MLP((D, 6, 5, 4, K), "tanh", l2=0.01), LABELS),
    "regression": (MLP((D, H, 1), "half tanh", "square"), TARGETS),
    **{f"{name} loss": (MLP((D, H, K), "softplus", name), LABELS) for name in LOSSES},
}


def start(model: Any) -> dict[str, Any]:
    """Parameters away from zero, where nothing cancels."""
    rng = np.random.default_rng(5)
    initial = model.initial(rng) if isinstance(model, MLP) else model.initial(rng, D)
    return {name: value + 0.3 * rng.standard_normal(value.shape) for name, value in initial.items()}


def central_differences(
    loss: Callable[..., float], params: Mapping[str, Any], step: float = 1e-6
) -> dict[str, Any]:
    numeric = {name: np.zeros(value.shape) for name, value in params.items()}
    for name, value in params.items():
        for place in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = np.array(value)
                moved[place] += sign * step
                ends.append(loss({**params, name: moved}))
            numeric[name][place] = (ends[0] - ends[1]) / (2 * step)
    return numeric


@pytest.mark.parametrize("name", MODELS)
def test_gradient_is_the_difference_of_losses(name: str) -> None:
    model, y = MODELS[name]
    params = start(model)
    gradient = model.gradient(params, X, y)
    numeric = central_differences(lambda p: model.loss(p, X, y), params)
    assert gradient.keys() == params.keys()
    for key in params:
        assert np.shape(gradient[key]) == params[key].shape
        error = np.linalg.norm(gradient[key] - numeric[key]) / np.linalg.norm(numeric[key])
        assert error < 1e-7, key


def torch_net(activation: type[torch.nn.Module], params: Mapping[str, Any]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for layer in range(1, len(params) // 2 + 1):
        W, b = params[f"W{layer}"], params[f"b{layer}"]
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(W.T), torch.tensor(b)
        layers += [linear, activation()]
    return torch.nn.Sequential(*layers[:-1])


def torch_gradient(net: torch.nn.Sequential) -> dict[str, Any]:
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    weights = {f"W{i}": layer.weight.grad.numpy().T for i, layer in enumerate(linear, 1)}
    return weights | {f"b{i}": layer.bias.grad.numpy() for i, layer in enumerate(linear, 1)}


@pytest.mark.parametrize(
    ("model", "twin"),
    [
        (MLP((D, 6, 5, 4, K), "tanh"), torch.nn.Tanh),
        (MLP((D, 8, 4, K), "relu"), torch.nn.ReLU),
        (MLP((D, 8, K), "logistic"), torch.nn.Sigmoid),
        (TwoLayer(H, K), torch.nn.Tanh),
        (TwoLayer(H, K, activation="relu"), torch.nn.ReLU),
    ],
)
def test_networks_are_those_of_pytorch(model: Any, twin: type[torch.nn.Module]) -> None:
    params = start(model)
    net = torch_net(twin, params)
    loss = torch.nn.functional.cross_entropy(net(torch.tensor(X)), torch.tensor(LABELS))
    loss.backward()
    assert model.loss(params, X, LABELS) == pytest.approx(loss.item(), rel=1e-12)
    expected = torch_gradient(net)
    for name, gradient in model.gradient(params, X, LABELS).items():
        np.testing.assert_allclose(gradient, expected[name], atol=1e-12)


def test_weight_decay_of_an_optimiser_is_the_penalty_with_the_half() -> None:
    model = MLP((D, K), l2=0.3)
    params = start(model)
    net = torch_net(torch.nn.Tanh, params)
    sgd = torch.optim.SGD([net[0].weight], lr=0.1, weight_decay=0.3)
    torch.nn.functional.cross_entropy(net(torch.tensor(X)), torch.tensor(LABELS)).backward()
    sgd.step()
    stepped = params["W1"] - 0.1 * model.gradient(params, X, LABELS)["W1"]
    np.testing.assert_allclose(stepped, net[0].weight.detach().numpy().T, atol=1e-12)


def test_the_two_layers_are_an_mlp_of_two_layers() -> None:
    two = TwoLayer(H, K, l2=0.2)
    params = start(two)
    many = MLP((D, H, K), "tanh", l2=0.2)
    assert two.loss(params, X, LABELS) == pytest.approx(many.loss(params, X, LABELS))
    for name, gradient in many.gradient(params, X, LABELS).items():
        np.testing.assert_allclose(gradient, two.gradient(params, X, LABELS)[name], atol=1e-15)


def test_one_input_alone_and_in_a_batch() -> None:
    net = MLP((D, 8, 4, K), "relu")
    params = start(net)
    np.testing.assert_allclose(net.scores(params, X[3]), net.scores(params, X)[3])
    assert [shape for _, _, shape in net.shapes(params, X)] == [(N, 8), (N, 4), (N, K)]


def test_independent_outputs_are_one_versus_rest_classifiers() -> None:
    net = MLP((D, K), loss_name="logistic")
    params = start(net)
    gradient = net.gradient(params, X, LABELS)
    for k in range(K):
        own = {"w": params["W1"][:, k], "b": params["b1"][k]}
        alone = Logistic().gradient(own, X, np.equal(LABELS, k).astype(int))
        np.testing.assert_allclose(gradient["W1"][:, k], alone["w"], atol=1e-15)


def test_logistic_descent_ends_where_scikit_learn_does() -> None:
    y, l2 = LABELS % 2, 0.1
    reference = LogisticRegression(C=1 / (l2 * N), tol=1e-10).fit(X, y)
    model = Logistic(l2)
    params = final(
        descend(model.gradient, model.initial(np.random.default_rng(0), D), X, y, lr=1.0, epochs=500)
    )
    np.testing.assert_allclose(params["w"], reference.coef_[0], atol=1e-5)


def test_softmax_descent_ends_where_scikit_learn_does() -> None:
    reference = LogisticRegression(C=1 / (0.1 * N), tol=1e-10).fit(X, LABELS)
    model = Softmax(K, l2=0.1)
    params = final(
        descend(model.gradient, model.initial(np.random.default_rng(0), D), X, LABELS, lr=0.5, epochs=800)
    )
    np.testing.assert_allclose(params["W"].T, reference.coef_, atol=1e-5)


def test_linear_descent_ends_where_ridge_does() -> None:
    model = LinearRegression(l2=0.2)
    params = final(
        descend(model.gradient, model.initial(np.random.default_rng(0), D), X, TARGETS, lr=0.2, epochs=800)
    )
    reference = Ridge(alpha=0.2 * N / 2, tol=1e-12).fit(X, TARGETS)  # it minimises the sum, not half the mean
    np.testing.assert_allclose(params["w"], reference.coef_, atol=1e-6)


def test_an_mlp_scores_as_that_of_scikit_learn() -> None:
    theirs = MLPClassifier((7,), "tanh", solver="lbfgs", max_iter=50, tol=1e-2, random_state=0).fit(X, LABELS)
    params = {
        "W1": theirs.coefs_[0],
        "b1": theirs.intercepts_[0],
        "W2": theirs.coefs_[1],
        "b2": theirs.intercepts_[1],
    }
    net = MLP((D, 7, K), "tanh")
    np.testing.assert_allclose(
        LOSSES["softmax"].outputs(net.scores(params, X)), theirs.predict_proba(X), atol=1e-12
    )


def test_float32_stays_float32() -> None:
    net = MLP((D, 8, K), "relu", l2=0.1)
    params = {name: value.astype(np.float32) for name, value in start(net).items()}
    gradient = net.gradient(params, X.astype(np.float32), LABELS)
    assert {g.dtype for g in gradient.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (((5,),), "at least"),
        (((5, 3), "rleu"), "did you mean relu"),
        (((5, 3), "relu", "sofmax"), "did you mean softmax"),
    ],
)
def test_a_wrong_mlp_is_refused(arguments: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        MLP(*arguments)


OF_CLASSES = (Softmax(3), MLP((4, 3)), TwoLayer(5, 3))


def started(model: Any) -> Any:
    rng = np.random.default_rng(0)
    return model.initial(rng) if isinstance(model, MLP) else model.initial(rng, 4)


@pytest.mark.parametrize("model", [*OF_CLASSES, Logistic(), LinearRegression()])
@pytest.mark.parametrize("shape", [(6, 5), (6, 2, 2), (5,)])
def test_inputs_of_another_shape_are_refused(model: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=re.escape(f"x has the shape {shape}, and these weights take (N, 4)")):
        model.loss(started(model), np.ones(shape), np.zeros(6, int))


@pytest.mark.parametrize("model", OF_CLASSES)
@pytest.mark.parametrize("y", [np.zeros(4, int), np.zeros((6, 2), int)])
def test_labels_of_another_number_are_refused(model: Any, y: Any) -> None:
    for function in (model.loss, model.gradient):
        with pytest.raises(UserError, match=f"6 samples need 6 labels; .*{re.escape(str(y.shape))}"):
            function(started(model), np.ones((6, 4)), y)


@pytest.mark.parametrize("model", OF_CLASSES)
def test_lists_do_as_arrays(model: Any) -> None:
    x, y = np.arange(24.0).reshape(6, 4) / 24, np.arange(6) % 3
    given, listed = (model.gradient(started(model), *data) for data in ((x, y), (x.tolist(), y.tolist())))
    assert all(np.array_equal(given[name], listed[name]) for name in given)


@pytest.mark.parametrize("wrong", [{"activation": "sigmoid"}, {"output": "sigmoid"}])
def test_two_layers_of_an_unknown_kind_are_refused(wrong: dict[str, Any]) -> None:
    """They were taken for ReLU and for the logistic output."""
    with pytest.raises(UserError, match="'sigmoid' is not known; known: "):
        TwoLayer(5, 3, **wrong)
