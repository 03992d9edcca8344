"""Lab e: its checks take answers that PyTorch gives; its criteria tell the ailments that it draws apart."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from nablab import lessons
from nablab.lessons.exercises.e import _AILMENTS
from nablab.lessons.notebook import source
from nablab.lessons.solutions import e as solutions

Array = Any


def gradients(loss: Callable[..., torch.Tensor], *arrays: Array) -> list[Array]:
    """What PyTorch's tape says: an answer that nobody derived."""
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    loss(*leaves).backward()
    return [leaf.grad.numpy() for leaf in leaves]


def test_the_chain_rules_check_takes_pytorchs_gradient() -> None:
    def by_w(W: Array, x: Array) -> Array:
        return gradients(lambda W: ((W @ torch.tensor(x) ** 2) ** 2).sum(), W)[0]

    assert lessons.check("e1b", by_w)


def tanh_network(params: dict[str, Array], X: Array, t: Array) -> dict[str, Array]:
    def loss(*leaves: torch.Tensor) -> torch.Tensor:
        p = dict(zip(params, leaves, strict=True))
        hidden = torch.tanh(torch.tensor(X) @ p["W1"] + p["b1"])
        return functional.cross_entropy(hidden @ p["W2"] + p["b2"], torch.tensor(t))

    return dict(zip(params, gradients(loss, *params.values()), strict=True))


def test_the_networks_check_takes_pytorchs_gradient() -> None:
    assert lessons.check("e1", tanh_network)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_the_networks_check_names_the_parameter_that_is_wrong(name: str) -> None:
    def planted(params: dict[str, Array], X: Array, t: Array) -> dict[str, Array]:
        right = tanh_network(params, X, t)
        return right | {name: right[name] + 0.01}

    assert f"gradient of {name}" in lessons.check("e1", planted).problem


def test_the_check_of_time_takes_pytorchs_gradient() -> None:
    def through_time(W: Array, U: Array, xs: Array) -> list[Array]:
        def loss(W: torch.Tensor, U: torch.Tensor) -> torch.Tensor:
            h = torch.zeros(len(U), dtype=torch.float64)
            for x in torch.tensor(xs):
                h = torch.tanh(W @ x + U @ h)
            return h.sum()

        return gradients(loss, W, U)

    assert lessons.check("e7", through_time)


def test_the_two_losses_are_pytorchs() -> None:
    """A function that compares with PyTorch's own losses tells them apart, whatever the factor."""

    def which(loss: Callable[[Array, Array], float]) -> str:
        points = [(np.array([[a, 1.0, -2.0]]), np.array([0])) for a in (0.0, 3.0)]

        def softmax(Z: Array, t: Array) -> float:
            return functional.cross_entropy(torch.tensor(Z), torch.tensor(t)).item()

        ratio = [loss(*point) / softmax(*point) for point in points]
        return "softmax" if np.isclose(*ratio) else "logistic"

    assert lessons.check("e1c", which)


def test_an_mlp_of_pytorchs_own_containers_is_taken() -> None:
    class Mine(torch.nn.Sequential):
        def __init__(self, inputs: int, hidden: list[int], outputs: int, dropout: float = 0.0) -> None:
            layers: list[torch.nn.Module] = []
            for width in hidden:
                layers += [torch.nn.LazyLinear(width), torch.nn.ELU(), torch.nn.Dropout(dropout)]
            super().__init__(*layers, torch.nn.LazyLinear(outputs))
            self.eval()(torch.zeros(1, inputs))

    assert lessons.check("e4", Mine)


@pytest.mark.parametrize("h", [1e-4, 1e-5, 1e-6])
def test_the_numerical_gradients_check_leaves_the_step_to_the_student(h: float) -> None:
    gradient = solutions.e2()
    assert lessons.check("e2", lambda f, x: gradient(f, x, h))  # type: ignore[call-arg]


@pytest.mark.parametrize("h", [1e-1, 1e-12])
def test_a_step_off_the_bottom_of_the_v_is_refused(h: float) -> None:
    gradient = solutions.e2()
    assert not lessons.check("e2", lambda f, x: gradient(f, x, h))  # type: ignore[call-arg]


def criteria(text: str) -> Callable[..., Any]:
    """The lab's own criteria, taken from its text."""
    names = ("Diagnosis", "diagnose")
    wanted = [node for node in ast.parse(text).body if getattr(node, "name", "") in names]
    assert len(wanted) == 2
    known: dict[str, Any] = {"np": np, "dataclass": dataclass}
    exec(compile(ast.Module(wanted, []), "lab e", "exec"), known)
    return known["diagnose"]


def as_answer(diagnose: Callable[..., Any]) -> Callable[..., str]:
    """The criteria as the exercise wants them: with arrays, for a name."""

    def answer(train: Array, valid: Array, reached: Array, plain: float) -> str:
        curves = SimpleNamespace(train_loss=train, valid_loss=valid, train_accuracy=reached)
        return diagnose(curves, plain).name

    return answer


def test_the_labs_criteria_pass_the_labs_own_exercise() -> None:
    assert lessons.check("e5", as_answer(criteria(source("e"))))


def test_the_labs_criteria_say_what_they_saw() -> None:
    diagnose = criteria(source("e"))
    for seed, (name, draw) in enumerate(_AILMENTS.items()):
        train, valid, reached = draw(np.random.default_rng(seed))
        curves = SimpleNamespace(train_loss=train, valid_loss=valid, train_accuracy=reached)
        said = diagnose(curves, 0.8)
        assert said.name == name
        assert any(character.isdigit() for character in said.evidence)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> 0.2", "> 5"),
        ("> 0.1 and", "> 9 and"),
        ("late > 0.05", "late > 0.9"),
        ("reached < plain", "reached < 0"),
    ],
)
def test_each_criterion_is_needed(old: str, new: str) -> None:
    text = source("e")
    assert text.count(old) == 1
    assert not lessons.check("e5", as_answer(criteria(text.replace(old, new))))
