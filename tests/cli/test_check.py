"""`nablab check` and `nablab.gradcheck`: files, networks, modules, and what cannot be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import nablab
from nablab import autograd
from nablab.byhand import MLP
from nablab.cli import main
from nablab.errors import UserError

RIGHT = """
import numpy as np

def problem(rng):
    return {"w": rng.standard_normal(3)}, rng.standard_normal((20, 3)), rng.standard_normal(20)

def loss(params, x, y):
    return np.mean((x @ params["w"] - y) ** 2)

def gradient(params, x, y):
    return {"w": 2 * x.T @ (x @ params["w"] - y) / len(x)}
"""

HAND_OUT = """
import numpy as np

def logistic(o):
    return 1 / (1 + np.exp(-o))

def forward(W1, b1, w2, b2, x):
    h = 2 * logistic(x @ W1 + b1) - 1
    return logistic(h @ w2 + b2), h

def backward(y, q, h, x, w2):
    dz = (q - y) / len(y)
    do = np.outer(dz, w2) * (1 - h) ** 2
    return x.T @ do, do.sum(0), h.T @ dz, dz.sum()
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["check", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def written(folder: Path, text: str) -> str:
    path = folder / "work.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = check(capsys, "--help")
    assert code == 0
    assert "nablab check my_gradient.py" in out


def test_a_right_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = check(capsys, written(tmp_path, RIGHT))
    assert (code, err) == (0, "")
    assert "work.py: the gradient is right" in out


def test_a_batch_that_does_not_fit_is_told_in_one_line() -> None:
    x = np.ones((3, 5))
    for y, word in ((None, "x and y, or neither"), ([0, 1, 0], "cannot be multiplied")):
        with pytest.raises(UserError, match=word):
            nablab.gradcheck(nn.Linear(4, 2), x=x, y=y)
    with pytest.raises(UserError, match="x and y, or neither"):
        nablab.gradcheck("3-Tanh-K", x=x)
    assert nablab.gradcheck("3-Tanh-K", x=x.tolist(), y=[0, 1, 0]).right


def test_a_wrong_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = check(capsys, written(tmp_path, RIGHT.replace(" / len(x)", "")))
    assert (code, err) == (1, "")
    assert "w: it is summed over the 20 samples where the loss is averaged" in out


def test_the_mistake_of_the_hand_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = check(capsys, written(tmp_path, HAND_OUT))
    said = " ".join(out.split())
    assert code == 1
    assert "W1, b1: the derivative of the activation after W1 is wrong" in said
    assert "its derivative is (1 - h^2)/2; the gradient uses (1 - h)^2" in said
    code, _, _ = check(capsys, written(tmp_path, HAND_OUT.replace("(1 - h) ** 2", "(1 - h**2) / 2")))
    assert code == 0


def test_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = check(capsys, written(tmp_path, RIGHT.replace("2 * x.T", "-x.T")), "--json", "--seed", "3")
    document = json.loads(out)
    assert code == 1
    assert document["checked"] == "work.py"
    assert document["right"] is False
    (parameter,) = document["parameters"]
    assert parameter["cause"] == {
        "code": "factor",
        "text": "its sign is wrong, as by (y - a) in place of (a - y); it lacks a factor 2 (times -0.5)",
        "factor": pytest.approx(-0.5),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "must define problem(rng)"),
        ("def problem(rng): pass", "it has only problem"),
        (RIGHT.replace("def problem(rng):", "def problem(rng):\n    return 1"), "must return params, x, y"),
        (RIGHT.replace('{"w": rng.standard_normal(3)}', "undefined"), "work.py:5: NameError"),
        (RIGHT.replace("np.mean((", "np.mean(params['v'] + ("), "loss fails: KeyError: 'v' (work.py:8)"),
        (RIGHT.replace("np.mean((", "np.log(0 * ("), "loss must return a number"),
        (RIGHT + "\n1 / 0", "ZeroDivisionError"),
        ("def loss(:", "SyntaxError"),
        (HAND_OUT.replace("return x.T @ do, do.sum(0),", "return"), "must return q"),
    ],
)
def test_a_file_that_cannot_be_judged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    code, out, err = check(capsys, written(tmp_path, text))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("subject", "said"), [("lenet6", "did you mean"), ("knn", "no gradient"), ("no.py", "no such file")]
)
def test_a_name_that_cannot_be_judged(capsys: pytest.CaptureFixture[str], subject: str, said: str) -> None:
    code, _, err = check(capsys, subject)
    assert code == 2
    assert said in err


def test_a_network_of_the_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = check(capsys, "mlp", "--data", "digits")
    assert code == 0
    assert "mlp: the gradient is right for all 4 parameters" in out
    assert "100 x 64" in out


@pytest.mark.parametrize(
    "layers", ["4C3-BatchNorm-ReLU-MaxPool2-Dropout0.5-K", "4C3-GELU-Res(4C3-LayerNorm-SiLU)-GlobalAvgPool-K"]
)
def test_networks_of_layers_are_right(layers: str) -> None:
    state = torch.get_rng_state()
    assert nablab.gradcheck(layers, data="digits").right
    assert torch.equal(torch.get_rng_state(), state)


class WrongTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, o: Any) -> Any:
        h = o.tanh()
        ctx.save_for_backward(h)
        return h

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (h,) = ctx.saved_tensors
        return g * (1 - h) ** 2


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        return self.last(WrongTanh.apply(self.first(x)))


RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((9, 6)), RNG.integers(0, 3, 9)


def test_a_wrong_function_inside_a_torch_module_is_named() -> None:
    torch.manual_seed(0)
    module = Wrong()
    before = {name: p.clone() for name, p in module.state_dict().items()}
    checked = nablab.gradcheck(module, x=X, y=Y)
    assert {f.name for f in checked.report.wrong} == {"first.weight", "first.bias"}
    for finding in checked.report.wrong:
        assert finding.cause is not None
        assert finding.cause.text == (
            "the derivative of the activation after first.weight is wrong: h = tanh(o), "
            "so its derivative is 1 - h^2; the gradient uses (1 - h)^2"
        )
    assert all(torch.equal(p, before[name]) for name, p in module.state_dict().items())


def test_another_loss_for_a_torch_module() -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    target = RNG.standard_normal((9, 1))
    assert nablab.gradcheck(module, x=X, y=target, loss=nn.functional.mse_loss).right


def test_numpy_functions_and_how_they_show() -> None:
    net = MLP((6, 4, 3), "relu")
    params = net.initial(np.random.default_rng(1))
    checked = nablab.gradcheck(net.loss, net.gradient, params, X, Y)
    assert checked.right
    assert checked["W1"].right
    assert "right for all 4 parameters" in repr(checked)
    assert "<table>" in checked._repr_html_()


def test_functions_of_our_engine() -> None:
    from nablab import autograd

    a, b = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))
    assert nablab.gradcheck(autograd.matmul, params=[a, b]).right

    def loss(params: Any, x: Any, y: Any) -> Any:
        return ((autograd.tensor(x) @ params["w"] - autograd.tensor(y)) ** 2).mean()

    assert nablab.gradcheck(loss, params={"w": np.ones(6)}, x=X, y=X[:, 0]).right


def test_a_wrong_rule_of_our_engine_is_found() -> None:
    from nablab import autograd

    @autograd.op
    def cube(x: Any) -> Any:
        return x**3

    @autograd.vjp(cube)
    def _(g: Any, x: Any) -> Any:
        return g * x**2

    checked = nablab.gradcheck(cube, params=[RNG.standard_normal(5)])
    assert checked.report["input 0"].cause is not None
    assert "0.3333 times" in checked["input 0"].text


def test_a_module_of_our_engine() -> None:
    from nablab.autograd import nn as ours

    module = ours.Sequential(ours.Linear(6, 5), ours.Tanh(), ours.Linear(5, 3))
    assert nablab.gradcheck(module, x=X, y=Y).right
    with pytest.raises(nablab.UserError, match="give the module a batch"):
        nablab.gradcheck(module)


def test_a_function_of_something_else_is_refused() -> None:
    with pytest.raises(nablab.UserError, match="must return a tensor"):
        nablab.gradcheck(lambda a: 3, params=[np.ones(2)])


@pytest.mark.parametrize("engine", [torch.nn, autograd.nn])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_whole_numbers_stay_whole_for_an_embedding(engine: Any, share: float) -> None:
    class Words(engine.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.scores = engine.Embedding(5, 3), engine.Linear(6, 4)

        def forward(self, x: Any) -> Any:
            seen = self.words(x).flatten(1)
            return self.scores((1 - share) * seen + share * seen.detach())

    x, y = np.array([[0, 1], [2, 3], [4, 4]], np.int32), np.array([0, 1, 3])
    verdict = nablab.gradcheck(Words(), x=x, y=y)
    assert verdict["scores.weight"].right
    assert verdict["words.weight"].right == (share == 0)
