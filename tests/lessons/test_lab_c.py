"""Lab c: what its checks say of the usual mistakes, and what its text builds against what nablab builds."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nablab
from nablab import lessons
from nablab.lessons.notebook import source
from nablab.lessons.solutions import c as solutions

SAID = [
    ("c1", 0, "the sign is wrong"),
    ("c1", 1, "half of it"),
    ("c1", 2, "the same, though x has different ones"),
    ("c1b", 0, "diverges"),
    ("c1b", 1, "never ends"),
    ("c1b", 3, "not gone"),
    ("c1c", 1, "still falls"),
    ("c1c", 2, "grows already"),
    ("c1d", 1, "another rate does better"),
    ("c1d", 2, "diverges"),
    ("c2", 0, "W1 is wrong: its sign is wrong"),
    ("c2", 1, "summed over the 12 samples"),
    ("c2", 2, "look at what cancels at the output"),
    ("c2", 3, "W1 does not agree with finite differences: look at the derivative"),
    ("c2", 4, "look at the derivative of the activation"),
    ("c2", 5, "shape"),
    ("c3", 0, "share 0.2: of class"),
    ("c3", 1, "give it its own"),
    ("c3", 2, "different rows"),
    ("c3", 3, "both trained on and validated with"),
    ("c4", 0, "with the penalty 0.3, the gradient of W"),
    ("c4", 1, "look at the penalty's part"),
    ("c4", 2, "gradient of b"),
    ("c4", 4, "its sign is wrong"),
    ("c4b", 0, "multiplies w by 0.995"),
    ("c4c", 0, "did not move"),
    ("c4c", 1, "the loss went from"),
    ("c5", 0, "another scale"),
    ("c5", 2, "a share of"),
    ("c5", 3, "each for itself"),
    ("c5", 4, "twice in a row"),
    ("c5b", 0, "the variance"),
    ("c5b", 1, "1/(1 - p)"),
    ("c6", 0, "8C5p0"),
    ("c6b", 0, "layer 1, 32C3p0"),
    ("c6b", 1, "layer 2, ReLU"),
    ("c6b", 3, "more layers"),
    ("c6b", 5, "no such layer"),
]


@pytest.mark.parametrize(("name", "number", "said"), SAID)
def test_a_usual_mistake_is_called_by_its_name(name: str, number: int, said: str) -> None:
    verdict = lessons.check(name, solutions.wrong[name][number])
    assert said in verdict.problem


net = nn.Linear(6, 3)


def trains_the_net_outside(model: nn.Module, x: Any, y: Any, lr: float, epochs: int) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for _ in range(epochs):
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()


def only_reads_the_net_outside(model: nn.Module, x: Any, y: Any, lr: float, epochs: int) -> None:
    net(x)
    solutions.c4c()(model, x, y, lr, epochs)


def test_training_a_network_from_outside_is_found_and_undone() -> None:
    before = net.weight.detach().clone()
    assert "trained net, which it was not given" in lessons.check("c4c", trains_the_net_outside).problem
    assert torch.equal(net.weight, before)
    assert "it reads net from outside" in lessons.check("c4c", only_reads_the_net_outside).problem


def test_a_name_that_is_only_an_attribute_is_not_taken_for_a_network_outside() -> None:
    class Holder:
        net = "an attribute"

    def train(model: nn.Module, x: Any, y: Any, lr: float, epochs: int) -> None:
        assert Holder.net
        solutions.c4c()(model, x, y, lr, epochs)

    assert lessons.check("c4c", train)


@pytest.mark.parametrize("name", ["c3", "c4c", "c5"])
def test_checks_leave_the_random_numbers_of_everyone_else_alone(name: str) -> None:
    torch.manual_seed(3)
    np.random.seed(3)
    wanted = torch.rand(1).item(), np.random.random()
    torch.manual_seed(3)
    np.random.seed(3)
    lessons.check(name, getattr(solutions, name)())
    assert (torch.rand(1).item(), np.random.random()) == wanted


def cell_with(text: str) -> str:
    """The one code cell of the lab in which a text stands."""
    cells = [cell for cell in re.split(r"^# %%.*$", source("c"), flags=re.MULTILINE) if text in cell]
    assert len(cells) == 1
    return cells[0]


def test_the_builder_that_the_lab_teaches_builds_what_nablab_builds() -> None:
    names: dict[str, Any] = {"nn": nn, "re": re}
    exec(cell_with("def places(").split("lab.figure")[0], names)
    exec(cell_with("def build(").split("built = ")[0], names)
    for model in (
        "net_linear",
        "mlp",
        "lenet5",
        "lenet_tiny",
        "lenet",
        "fashion_cnn",
        "network",
        "conv_net4",
    ):
        record = nablab.inspect(model, latency=False).record
        built, macs = names["build"](record.spec)
        assert sum(p.numel() for p in built.parameters()) == record.parameters
        assert macs == record.macs
        assert built.eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_descent_of_the_lab_against_its_closed_form() -> None:
    names: dict[str, Any] = {"np": np, "table": lambda *a: None}
    exec(cell_with("def descend(x, lr"), names)
    x = np.random.default_rng(0).standard_normal(4)
    for lr in (0.02, 0.1, 0.4):
        losses, w = names["descend"](x, lr, 12)
        factor = 1 - 2 * lr * float(x @ x)
        assert losses == pytest.approx([factor ** (2 * step) for step in range(12)], rel=1e-9)
        assert math.isclose(1 - x @ w, factor**12, rel_tol=1e-9)
