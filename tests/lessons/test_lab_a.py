"""What lab a writes out by hand, beside PyTorch and scikit-learn; and what it quotes, beside its source."""

from __future__ import annotations

import ast
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

import nablab
from nablab.analysis.published import BENCHMARK, BOARD, FASHION_MNIST, HANDOUT
from nablab.lessons.notebook import source
from nablab.runs.events import RunEpoch


@cache
def lab() -> dict[str, Any]:
    """The functions, classes and tables of the lab by name; none of its trainings runs."""
    kept: list[ast.stmt] = []
    for node in ast.parse(source("a")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("HANDOUT", "CLASSICAL", "DEEP", "WAYS", "SEVEN")
        ):
            kept.append(node)
    names: dict[str, Any] = {"math": math, "np": np}
    exec(compile(ast.Module(kept, type_ignores=[]), "lab a", "exec"), names)
    return names


def test_the_session_s_table_is_quoted_as_it_was_published() -> None:
    rows = {row.name: row for row in FASHION_MNIST if row.source == HANDOUT}
    assert lab()["HANDOUT"] == {
        name: {f.fraction: (pytest.approx(100 * f.accuracy), f.seconds) for f in row.figures}
        for name, row in rows.items()
    }


def test_the_classical_board_is_quoted_as_it_was_published() -> None:
    rows = {row.name: row.figures[0] for row in FASHION_MNIST if row.source == BENCHMARK}
    quoted = {name: (accuracy, seconds) for name, (_, accuracy, seconds) in lab()["CLASSICAL"].items()}
    assert quoted == {name: (pytest.approx(100 * f.accuracy), f.seconds) for name, f in rows.items()}


def test_the_deep_board_is_quoted_as_it_was_published() -> None:
    rows = [row for row in FASHION_MNIST if row.source == BOARD]
    quoted = list(lab()["DEEP"].values())
    assert quoted == [(pytest.approx(100 * r.figures[0].accuracy), r.reference or None) for r in rows]


def test_the_seven_are_the_default_comparison() -> None:
    from nablab.models.catalog import DEFAULT_COMPARISON

    assert tuple(lab()["SEVEN"]) == DEFAULT_COMPARISON


@pytest.mark.parametrize("seed", range(5))
def test_the_thirty_line_engine_has_pytorch_s_gradients(seed: int) -> None:
    start = np.random.default_rng(seed).uniform(-1.5, 1.5, 4)

    def shared(a: Any, b: Any, c: Any, d: Any) -> Any:  # every node is used several times
        e = a * b + c
        f = (e * e + d).tanh()
        return (f * a + e * f).exp() + f

    ours = [lab()["Value"](float(v)) for v in start]
    theirs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in start]
    shared(*ours).backward()
    shared(*theirs).backward()
    assert [v.grad for v in ours] == pytest.approx([float(t.grad) for t in theirs], rel=1e-12)


def test_convolution_and_pooling_by_hand_are_pytorch_s() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((3, 12, 10)), rng.standard_normal((4, 3, 5, 5)), rng.standard_normal(4)
    found = lab()["pool"](lab()["convolve"](x, w, b))
    right = torch.max_pool2d(torch.conv2d(*map(torch.from_numpy, (x[None], w, b))), 2)[0]
    np.testing.assert_allclose(found, right.numpy(), rtol=1e-12, atol=1e-12)


def test_the_hinge_by_hand_is_pytorch_s() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((30, 6)), rng.integers(0, 10, 30)
    params = {"W": rng.standard_normal((6, 10)), "b": rng.standard_normal(10)}
    W, b = (torch.tensor(params[name], requires_grad=True) for name in ("W", "b"))
    t = 2 * torch.nn.functional.one_hot(torch.from_numpy(y), 10) - 1
    loss = torch.relu(1 - t * (torch.from_numpy(x) @ W + b)).sum(dim=1).mean() + 0.05 * (W**2).sum()
    loss.backward()
    model = lab()["Hinge"](l2=0.1)
    assert model.loss(params, x, y) == pytest.approx(loss.item(), rel=1e-12)
    found = model.gradient(params, x, y)
    np.testing.assert_allclose(found["W"], W.grad.numpy(), rtol=1e-10)
    np.testing.assert_allclose(found["b"], b.grad.numpy(), rtol=1e-10)


def test_nearest_neighbours_by_hand_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(2)
    x_train, x = rng.standard_normal((60, 8)), rng.standard_normal((20, 8))
    right = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(x_train).kneighbors(x)[1]
    np.testing.assert_array_equal(lab()["nearest"](x_train, x, 5), right)


def test_the_drawing_of_normalisations_shares_what_their_axes_share() -> None:
    """Two maps have one key just where moving one of them moves the normalised values of the other."""
    batch, channels, groups = 4, 6, 2
    layers = {
        "batch": torch.nn.BatchNorm2d(channels),
        "layer": torch.nn.LayerNorm((channels, 3, 3)),
        "instance": torch.nn.InstanceNorm2d(channels),
        "group (2)": torch.nn.GroupNorm(groups, channels),
    }
    kinds = drawn_kinds(batch, channels, groups)
    assert list(kinds) == list(layers)
    x = torch.randn(batch, channels, 3, 3, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[0, 0, 0, 0] += 5
    for kind, layer in layers.items():
        changed = (layer(moved) - layer(x)).abs().amax(dim=(2, 3)) > 1e-6
        key = kinds[kind]
        shared = [[key(n, c) == key(0, 0) for c in range(channels)] for n in range(batch)]
        assert changed.tolist() == shared, kind


def drawn_kinds(batch: int, channels: int, groups: int) -> dict[str, Any]:
    """The lab's `KINDS`, for a batch of this shape."""
    node = next(
        node
        for node in ast.parse(source("a")).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "KINDS"
    )
    return dict(
        eval(
            compile(ast.Expression(node.value), "lab a", "eval"),
            {"N": batch, "C": channels, "GROUPS": groups},
        )
    )


def test_a_training_that_was_interrupted_is_finished_before_it_is_read(tmp_path, monkeypatch) -> None:
    def interrupted(plan, events, show):
        if any(isinstance(event, RunEpoch) for event in events):
            raise KeyboardInterrupt

    for name, value in {"nablab": nablab, "data": nablab.load("digits"), "RESULTS": tmp_path}.items():
        monkeypatch.setitem(lab(), name, value)
    trained_with = lab()["trained_with"]
    with monkeypatch.context() as stopped:
        stopped.setattr("nablab.api.progress.watch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained_with("none", "K", fraction=0.5, epochs=3)
    run = trained_with("none", "K", fraction=0.5, epochs=3)
    assert run.record.status == "done"
    assert [m.epoch for m in run.metrics] == [1, 2, 3]
