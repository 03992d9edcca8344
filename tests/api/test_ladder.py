"""`nablab.ladder`: rungs that agree, and mistakes that are named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax, one_hot

import nablab
from nablab.cli import main
from nablab.errors import UserError

WRITTEN_OUT = ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "Tanh", "Sigmoid")
STANDARD = ("our engine", "torch, updates by hand", "torch.optim", "nablab train")

#: In float32 two right ways are far apart after a step or two.
DEEP = "16x(50-BatchNorm-ReLU)-K"


def averaged_over_classes_too(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mistake of a course: 10 times smaller than the cross entropy."""
    return -(one_hot(y, 10) * log_softmax(logits, dim=1)).mean()


@pytest.mark.parametrize("text", ["K", *(f"12-{name}-9-{name}-K" for name in WRITTEN_OUT)])
def test_networks_written_out_agree_with_all_others(text: str) -> None:
    ladder = nablab.ladder(text, "digits", steps=4)
    assert ladder.climb.rungs == ("by hand", *STANDARD)
    assert ladder.agrees
    assert len(ladder.climb.differences) == 4 * 5
    assert max(d.gradients for d in ladder.climb.differences) < 1e-4
    assert ladder.climb.differences[-1].value < ladder.climb.differences[0].value  # it learns


@pytest.mark.parametrize(
    "text", ["4C3-ReLU-MaxPool2-K", "4C3-BatchNorm-Tanh-K", "8-ReLU-8-Tanh-K", "8-8-K", "8-LeakyReLU0.2-K"]
)
def test_other_networks_begin_with_our_engine(text: str) -> None:
    ladder = nablab.ladder(text, "digits", steps=3)
    assert ladder.climb.rungs == STANDARD
    assert ladder.agrees


def test_the_first_loss_is_pytorchs() -> None:
    """The rungs agree with each other; this holds one of them against a number from outside."""
    from nablab.data.split import split
    from nablab.models.initial import initial_weights
    from nablab.models.language import parse
    from nablab.training.feed import batches, prepare
    from nablab.training.ladder import plain

    dataset, recipe = nablab.load("digits"), plain(0.1, 64, 0)
    data = prepare(dataset, split(dataset, validation=0.0), recipe)
    batch = next(batches(data, recipe, 0))
    weights = initial_weights(parse("K"), (1, 8, 8), 10, 0)
    logits = batch.x.reshape(64, 64) @ weights["0.weight"].T + weights["0.bias"]
    expected = cross_entropy(torch.from_numpy(logits), torch.from_numpy(batch.y)).item()
    first = nablab.ladder("K", "digits", steps=1).climb.differences[0]
    assert first.value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        (averaged_over_classes_too, "0.1 times .*averaged over the 10 classes too; lr 1 would hide it"),
        (lambda z, y: cross_entropy(z, y, reduction="sum"), "64 times .*summed over the 64 samples"),
        (lambda z, y: cross_entropy(z, y) / len(y), "divided by the 64 samples once too often"),
        (lambda z, y: 2 * cross_entropy(z, y), "2 times .*a factor 2 too many; lr 0.05 would hide it"),
        (lambda z, y: -cross_entropy(z, y), "-1 times .*its sign is wrong"),
        (
            lambda z, y: 0.3 * cross_entropy(z, y),
            "0.3 times that of the first rung; lr 0.3333 would hide it$",
        ),
        (lambda z, y: 0 * cross_entropy(z, y), "its gradient is zero$"),
    ],
)
def test_a_constant_factor_is_named(loss: object, cause: str) -> None:
    ladder = nablab.ladder("12-ReLU-K", "digits", steps=2, rungs={"mine": loss})
    assert not ladder.agrees
    assert ladder.climb.causes.keys() == {"mine"}
    assert re.search(cause, ladder.climb.causes["mine"]), ladder.climb.causes["mine"]
    assert "mine differs from by hand" in repr(ladder)
    assert ladder.climb.causes["mine"] in ladder._repr_html_().replace("&#x27;", "'")


def test_another_loss_differs_without_a_factor() -> None:
    def square(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((logits.softmax(1) - one_hot(y, 10)) ** 2).sum(1).mean()

    ladder = nablab.ladder("12-ReLU-K", "digits", steps=1, rungs={"square": square})
    assert not ladder.agrees
    assert ladder.climb.causes == {}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (DEEP, {"steps": 3, "rungs": {"mine": cross_entropy}}),
        (f"numpy:{DEEP}", {"steps": 2}),
        ("6x(30-Tanh)-K", {"steps": 40, "lr": 2.0}),  # by hand first; the rate is large
    ],
)
def test_rounding_that_grows_accuses_nobody(text: str, options: dict[str, object]) -> None:
    ladder = nablab.ladder(text, "digits", **options)
    apart_in_single = {d.rung for d in ladder.climb.differences if d.largest > 1e-3}
    assert apart_in_single
    assert ladder.climb.in_double.keys() == apart_in_single
    assert max(ladder.climb.in_double.values()) < 1e-6
    assert ladder.climb.in_double["torch.optim"] < 1e-12  # PyTorch and ours, both in float64
    assert ladder.agrees
    assert f"all {len(ladder.climb.rungs)} rungs agree" in repr(ladder)
    assert re.search(r"torch\.optim: agrees: the difference is rounding, \S+e-1\d in double", repr(ladder))


def test_a_mistake_in_a_deep_network_is_no_rounding() -> None:
    def smoothed(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross_entropy(logits, y, label_smoothing=0.01)

    planted = {"classes": averaged_over_classes_too, "smoothed": smoothed}
    ladder = nablab.ladder(DEEP, "digits", steps=2, rungs=planted)
    assert ladder.summary == "classes and smoothed differ from our engine"
    assert ladder.climb.causes.keys() == {"classes"}
    assert "averaged over the 10 classes too; lr 1 would hide it" in ladder.climb.causes["classes"]
    assert re.search(r"smoothed: differs, and not by rounding: \S+e-0[23] in double precision", repr(ladder))
    assert ladder.document()["in_double"]["torch.optim"] < 1e-12


def test_a_loss_that_takes_float32_only_is_given_that() -> None:
    weighted = torch.nn.CrossEntropyLoss(weight=torch.ones(10))
    assert nablab.ladder(DEEP, "digits", steps=2, rungs={"mine": weighted}).agrees


def test_your_own_right_loss_agrees() -> None:
    assert nablab.ladder("K", "digits", steps=2, rungs={"mine": cross_entropy}).agrees


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("8-Dropout0.5-K", {}, "has dropout"),
        ("svc", {}, "^svc: the ladder takes networks of the layer language"),
        ("K", {"steps": 0}, "steps must be a whole number from 1, not 0"),
        ("K", {"rungs": {"torch.optim": cross_entropy}}, "there is a rung 'torch.optim' already"),
        ("K", {"rungs": {"mine": lambda z, y: z}}, "must return one number, as a tensor"),
        ("K", {"rungs": {"mine": lambda z, y: z.nothing}}, "'Tensor' object has no attribute 'nothing'"),
        ("K", {"rungs": {"mine": "my_loss"}}, "'my_loss' is no loss"),
        ("K", {"rungs": {"mine": "my_loss.py:loss"}}, r"my_loss\.py: no such file"),
    ],
)
def test_what_cannot_be_compared(model: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        nablab.ladder(model, "digits", **options)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    guide = Path(__file__).parents[2] / "docs" / "guide" / "ladder.md"
    code = guide.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    Path("my_loss.py").write_text(code)
    base = ["ladder", "12-ReLU-K", "--data", "digits", "--steps", "2"]
    assert main(base) == 0
    assert "all 5 rungs agree" in capsys.readouterr().out
    assert main([*base, "--against", "my_loss.py:loss"]) == 1
    assert "averaged over the 10 classes too; lr 1 would hide it" in capsys.readouterr().out
    assert main([*base, "--against", "my_loss.py:nothing"]) == 2
    assert "my_loss.py has no function nothing" in capsys.readouterr().err
    assert main([*base, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["agrees"] is True
    assert [step["rung"] for step in document["steps"]] == ["by hand", *STANDARD] * 2


def test_a_loss_that_is_not_finite_is_no_agreement() -> None:
    ladder = nablab.ladder("K", "digits", steps=1, rungs={"mine": lambda z, y: cross_entropy(z, y) * np.nan})
    assert not ladder.agrees
    assert ladder.document()["steps"][-1]["loss"] is None
    json.dumps(ladder.document(), allow_nan=False)


def test_a_rate_too_small_to_see_accuses_nobody() -> None:
    with pytest.raises(UserError, match="float32 loses"):
        nablab.ladder("20-Tanh-K", "digits", steps=1, lr=1e-6)
