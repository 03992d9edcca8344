"""One battery for every operation: forward and gradient as PyTorch's, and gradients by finite differences.

A case is one function that is called with either engine: `m` is the package (nablab.autograd or torch), `F`
its `nn.functional`. That the same code runs on both is part of the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.autograd.graph import OPS
from nablab.autograd.nn import functional as ours_F  # noqa: N812

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Case:
    """A name, the function, the shapes of its inputs, and how their values are drawn."""

    name: str
    function: Callable[..., Any]
    shapes: Shapes
    draw: str = "normal"
    targets: tuple[Any, ...] = ()  # inputs without a gradient
    differences: bool = True

    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(abs(hash(self.shapes)) % 1000)
        return [DRAWS[self.draw](rng, shape) for shape in self.shapes]


DRAWS: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda rng, s: rng.normal(size=s),
    "positive": lambda rng, s: rng.uniform(0.3, 2.0, s),
    "unit": lambda rng, s: rng.uniform(0.05, 0.95, s),
    "large": lambda rng, s: 30 * rng.normal(size=s),
    "apart": lambda rng, s: rng.permutation(int(np.prod(s))).reshape(s) / 3 - 1.1,
    "ties": lambda rng, s: rng.integers(-1, 2, s).astype(float),
}

BROADCAST: list[Shapes] = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 1, 3), (4, 1)),
    ((), (3,)),
    ((2,), ()),
]
A33 = ((3, 4),)
IMAGE = ((2, 3, 7, 6),)
K = np.array([1, 0, 3, 2, 3])


def _binary(name: str, function: Callable[..., Any], draw: str = "normal", **kwargs: Any) -> list[Case]:
    return [Case(name, function, shapes, draw, **kwargs) for shapes in BROADCAST]


def _unary(name: str, *draws: str, **kwargs: Any) -> list[Case]:
    draws = draws or ("normal",)
    return [
        Case(name, lambda m, F, x: getattr(m, name)(x), s, d, **kwargs) for d in draws for s in (A33, ((),))
    ]


def _many(name: str, shapes: Shapes, *functions: Callable[..., Any], **kwargs: Any) -> list[Case]:
    return [Case(name, function, shapes, **kwargs) for function in functions]


CASES: list[Case] = [
    # arithmetic
    *_binary("add", lambda m, F, a, b: a + b),
    *_binary("sub", lambda m, F, a, b: a - b),
    *_binary("mul", lambda m, F, a, b: a * b),
    *_binary("div", lambda m, F, a, b: a / b, "positive"),
    *_binary("pow", lambda m, F, a, b: a**b, "positive"),
    *_binary("maximum", lambda m, F, a, b: m.maximum(a, b)),
    *_binary("minimum", lambda m, F, a, b: m.minimum(a, b)),
    *_binary(
        "maximum of ties", lambda m, F, a, b: m.maximum(a, b) * m.minimum(b, a), "ties", differences=False
    ),
    *_binary("where", lambda m, F, a, b: m.where(a > b, a * 2, b)),
    *_many(
        "with numbers",
        A33,
        lambda m, F, x: 2 + x,
        lambda m, F, x: x - 2,
        lambda m, F, x: 2 - x,
        lambda m, F, x: 0.5 * x,
        lambda m, F, x: x / 3,
        lambda m, F, x: x**2,
        lambda m, F, x: x**3,
        lambda m, F, x: x**0,
        lambda m, F, x: 2**x,
        lambda m, F, x: (-x).abs(),
        lambda m, F, x: x.square(),
    ),  # fmt: skip
    *_many("with numbers", A33, lambda m, F, x: 1 / x, lambda m, F, x: x**-1.5, draw="positive"),
    Case("pow at zero", lambda m, F, x: x**0 + x**1 + x**2, A33, "ties"),
    *_unary("neg"),
    *_unary("abs", "normal"),
    *_unary("exp"),
    *_unary("sin"),
    *_unary("cos"),
    *_unary("square"),
    *_unary("log", "positive"),
    *_unary("log1p", "positive"),
    *_unary("sqrt", "positive"),
    *_unary("reciprocal", "positive"),
    *_unary("tanh", "normal", "large"),
    *_unary("sigmoid", "normal", "large"),
    *_unary("clone"),
    *_many(
        "clamp",
        A33,
        lambda m, F, x: m.clamp(x, -0.5, 0.5),
        lambda m, F, x: x.clamp(min=0.1),
        lambda m, F, x: x.clamp(max=0),
    ),
    Case("clamp at its bounds", lambda m, F, x: x.clamp(-1, 1), A33, "ties", differences=False),
    Case("to_copy", lambda m, F, x: x.float().double() * 2, A33, differences=False),
    # activations
    *_many(
        "activations",
        A33,
        lambda m, F, x: F.relu(x),
        lambda m, F, x: F.leaky_relu(x),
        lambda m, F, x: F.leaky_relu(x, 0.2),
        lambda m, F, x: F.elu(x),
        lambda m, F, x: F.elu(x, alpha=0.7),
        lambda m, F, x: F.gelu(x),
        lambda m, F, x: F.gelu(x, approximate="tanh"),
        lambda m, F, x: F.silu(x),
        lambda m, F, x: F.softplus(x),
        lambda m, F, x: F.softplus(x, beta=2.0),
        lambda m, F, x: F.logsigmoid(x),
        lambda m, F, x: m.softmax(x, 1),
        lambda m, F, x: F.softmax(x, dim=0),
        lambda m, F, x: F.log_softmax(x, dim=-1),
        lambda m, F, x: x.softmax(-1),
    ),  # fmt: skip
    *_many(
        "activations far out",
        A33,
        lambda m, F, x: F.gelu(x),
        lambda m, F, x: F.silu(x),
        lambda m, F, x: F.softplus(x),
        lambda m, F, x: F.elu(x),
        lambda m, F, x: F.logsigmoid(x),
        lambda m, F, x: F.softmax(x, dim=1),
        lambda m, F, x: F.log_softmax(x, dim=1),
        draw="large",
    ),  # fmt: skip
    Case(
        "relu at its kink",
        lambda m, F, x: F.relu(x) + F.leaky_relu(x) + F.elu(x),
        A33,
        "ties",
        differences=False,
    ),
    Case("prelu", lambda m, F, x, w: F.prelu(x, w), ((2, 3, 4), (1,))),
    Case("prelu", lambda m, F, x, w: F.prelu(x, w), ((2, 3, 4), (3,))),
    # reductions
    *_many(
        "reductions",
        ((2, 3, 4),),
        lambda m, F, x: x.sum(),
        lambda m, F, x: x.sum(1),
        lambda m, F, x: m.sum(x, (0, 2)),
        lambda m, F, x: x.sum(-1, keepdim=True),
        lambda m, F, x: x.mean(),
        lambda m, F, x: x.mean((1, 2)),
        lambda m, F, x: m.mean(x, dim=0, keepdim=True),
        lambda m, F, x: x.var(),
        lambda m, F, x: x.var(1),
        lambda m, F, x: x.var((0, 1), correction=0, keepdim=True),
        lambda m, F, x: x.std(),
        lambda m, F, x: x.std(2),
        lambda m, F, x: x.std(0, correction=0),
        lambda m, F, x: m.logsumexp(x, 1),
        lambda m, F, x: x.logsumexp((0, 2), keepdim=True),
        lambda m, F, x: x.prod(),
        lambda m, F, x: x.prod(1),
        lambda m, F, x: m.prod(x, 2, keepdim=True),
        lambda m, F, x: m.norm(x),
        lambda m, F, x: x.norm(dim=1),
        lambda m, F, x: F.normalize(x, dim=2),
        lambda m, F, x: x.max(),
        lambda m, F, x: x.min(),
        lambda m, F, x: x.amax((0, 1)),
        lambda m, F, x: x.amin(2, keepdim=True),
        lambda m, F, x: x.max(1)[0],
        lambda m, F, x: m.max(x, 2, keepdim=True).values,
        lambda m, F, x: x.min(0).values,
    ),  # fmt: skip
    *_many(
        "reductions of ties",
        ((3, 5),),
        lambda m, F, x: x.amax(1),
        lambda m, F, x: x.amin(),
        lambda m, F, x: x.max(),
        lambda m, F, x: x.max(1).values,
        draw="ties",
        differences=False,
    ),  # fmt: skip
    Case("prod with zeros", lambda m, F, x: x.prod(1) + x.prod(), ((3, 5),), "ties"),
    Case("logsumexp far out", lambda m, F, x: x.logsumexp(1), A33, "large"),
    # linear algebra
    *[
        Case("matmul", lambda m, F, a, b: a @ b, shapes)
        for shapes in (
            ((3, 4), (4, 2)),
            ((4,), (4,)),
            ((3, 4), (4,)),
            ((4,), (4, 2)),
            ((5, 3, 4), (5, 4, 2)),
            ((5, 3, 4), (4, 2)),
            ((3, 4), (5, 4, 2)),
            ((2, 1, 3, 4), (5, 4, 2)),
            ((5, 3, 4), (4,)),
            ((4,), (5, 4, 2)),
        )
    ],  # fmt: skip
    Case("dot, outer", lambda m, F, a, b: m.dot(a, b) + m.outer(a, b), ((4,), (4,))),
    Case("linear", lambda m, F, x, w, b: F.linear(x, w, b), ((5, 4), (3, 4), (3,))),
    Case("linear", lambda m, F, x, w, b: F.linear(x, w, bias=b), ((2, 5, 4), (3, 4), (3,))),
    Case("linear", lambda m, F, x, w: F.linear(x, w), ((4,), (3, 4))),
    # shapes
    *_many(
        "shapes",
        ((2, 3, 4),),
        lambda m, F, x: x.reshape(6, 4) * 2,
        lambda m, F, x: x.view(-1),
        lambda m, F, x: m.reshape(x, (4, -1)),
        lambda m, F, x: x.flatten(),
        lambda m, F, x: m.flatten(x, 1),
        lambda m, F, x: x.flatten(0, 1),
        lambda m, F, x: x.transpose(0, 2),
        lambda m, F, x: m.transpose(x, -1, 1),
        lambda m, F, x: x.permute(2, 0, 1),
        lambda m, F, x: m.permute(x, (1, 2, 0)),
        lambda m, F, x: x.mT,
        lambda m, F, x: x[0].T,
        lambda m, F, x: x[1].t(),
        lambda m, F, x: x.unsqueeze(1),
        lambda m, F, x: x.unsqueeze(-1).squeeze(-1),
        lambda m, F, x: x[:1].squeeze(),
        lambda m, F, x: x.squeeze(0),
        lambda m, F, x: x[:, :1].expand(2, 5, 4),
        lambda m, F, x: x[:, :1].expand(-1, 3, -1),
        lambda m, F, x: x.unsqueeze(0).expand(3, -1, -1, -1),
        lambda m, F, x: m.flip(x, [0, 2]),
        lambda m, F, x: x[0],
        lambda m, F, x: x[..., 1:3],
        lambda m, F, x: x[:, ::2],
        lambda m, F, x: x[1, None, 2],
        lambda m, F, x: x[[0, 1, 0]],
        lambda m, F, x: x[:, m.tensor([2, 2, 0])],
        lambda m, F, x: x[x > 0],
        lambda m, F, x: m.cat([x, x * 2], 1),
        lambda m, F, x: m.cat([x[0], x[1, :2]]),
        lambda m, F, x: m.stack([x, x]),
        lambda m, F, x: m.stack([x, x.exp()], dim=-1),
        lambda m, F, x: sum(row.sum() ** 2 for row in x),
        lambda m, F, x: F.pad(x, (1, 2)),
        lambda m, F, x: F.pad(x, (0, 1, 2, 0), value=3.0),
        lambda m, F, x: x.gather(1, m.tensor([[[0, 1], [2, 2]]])),
        lambda m, F, x: m.gather(x, 2, m.tensor([[[0], [1], [3]]])),
        lambda m, F, x: x.contiguous().transpose(0, 1).contiguous(),
    ),  # fmt: skip
    # convolution and pooling
    *[
        Case("conv2d", lambda m, F, x, w, b, o=options: F.conv2d(x, w, b, **o), ((2, 4, 7, 6), weight, (4,)))
        for weight, options in (
            ((4, 4, 3, 3), {}),
            ((4, 4, 3, 2), {"stride": 2}),
            ((4, 4, 3, 3), {"padding": 1}),
            ((4, 4, 1, 1), {}),
            ((4, 4, 3, 3), {"stride": (2, 1), "padding": (0, 2)}),
            ((4, 4, 3, 3), {"dilation": 2}),
            ((4, 2, 3, 3), {"groups": 2, "padding": 1}),
            ((4, 1, 3, 3), {"groups": 4, "stride": 2, "padding": 1}),
            ((4, 4, 3, 3), {"padding": "same"}),
            ((4, 4, 5, 5), {"padding": "valid"}),
            ((4, 4, 7, 6), {}),
            ((4, 4, 2, 2), {"stride": 3}),
            ((4, 1, 5, 3), {"groups": 4, "dilation": (1, 2), "padding": 2}),
        )
    ],  # fmt: skip
    Case("conv2d without bias", lambda m, F, x, w: F.conv2d(x, w), ((2, 3, 5, 5), (2, 3, 3, 3))),
    *_many(
        "pooling",
        IMAGE,
        lambda m, F, x: F.max_pool2d(x, 2),
        lambda m, F, x: F.max_pool2d(x, 3, 2),
        lambda m, F, x: F.max_pool2d(x, 3, 1, 1),
        lambda m, F, x: F.max_pool2d(x, (2, 3), (3, 1)),
        lambda m, F, x: F.avg_pool2d(x, 2),
        lambda m, F, x: F.avg_pool2d(x, 3, 2, 1),
        lambda m, F, x: F.avg_pool2d(x, 3, padding=1, count_include_pad=False),
        lambda m, F, x: F.avg_pool2d(x, (7, 6)),
        lambda m, F, x: F.adaptive_avg_pool2d(x, 1),
        lambda m, F, x: F.adaptive_avg_pool2d(x, (3, 4)),
        lambda m, F, x: F.adaptive_max_pool2d(x, 1),
        lambda m, F, x: F.adaptive_max_pool2d(x, (3, 4)),
        draw="apart",
    ),  # fmt: skip
    *_many(
        "pooling of ties",
        IMAGE,
        lambda m, F, x: F.max_pool2d(x, 2),
        lambda m, F, x: F.max_pool2d(x, 3, 1, 1),
        lambda m, F, x: F.adaptive_max_pool2d(x, 2),
        draw="ties",
        differences=False,
    ),  # fmt: skip
    # normalisation
    *[
        Case(
            "batch_norm",
            lambda m, F, x, w, b: F.batch_norm(x, None, None, w, b, training=True),
            (shape, (3,), (3,)),
        )
        for shape in ((5, 3), (4, 3, 2), (2, 3, 4, 5))
    ],
    Case("layer_norm", lambda m, F, x, w, b: F.layer_norm(x, (4,), w, b), ((2, 3, 4), (4,), (4,))),
    Case(
        "layer_norm",
        lambda m, F, x, w, b: F.layer_norm(x, (3, 4), w, b, eps=1e-3),
        ((2, 3, 4), (3, 4), (3, 4)),
    ),
    Case("layer_norm", lambda m, F, x: F.layer_norm(x, [4]), ((2, 3, 4),)),
    Case("group_norm", lambda m, F, x, w, b: F.group_norm(x, 2, w, b), ((2, 4, 3, 3), (4,), (4,))),
    Case("instance_norm", lambda m, F, x: F.instance_norm(x), ((2, 3, 4, 5),)),
    # losses
    *[
        Case(
            "cross_entropy", lambda m, F, x, t, o=options: F.cross_entropy(x, t, **o), ((5, 4),), targets=(K,)
        )
        for options in (
            {},
            {"reduction": "sum"},
            {"reduction": "none"},
            {"label_smoothing": 0.1},
            {"ignore_index": 3},
            {"ignore_index": 3, "label_smoothing": 0.2},
            {"ignore_index": 0, "reduction": "none", "label_smoothing": 0.2},
        )
    ],  # fmt: skip
    *[
        Case(
            "cross_entropy with weights",
            lambda m, F, x, t, w, o=options: F.cross_entropy(x, t, w, **o),
            ((5, 4),),
            targets=(K, np.array([0.5, 1.0, 2.0, 0.1])),
        )
        for options in (
            {},
            {"reduction": "sum"},
            {"label_smoothing": 0.1},
            {"reduction": "none", "ignore_index": 1},
            {"label_smoothing": 0.1, "ignore_index": 3},
        )
    ],  # fmt: skip
    *[
        Case(
            "cross_entropy of probabilities",
            lambda m, F, x, t, o=options: F.cross_entropy(x, F.softmax(t, dim=1), **o),
            ((5, 4),),
            targets=(np.random.default_rng(1).normal(size=(5, 4)),),
        )
        for options in ({}, {"reduction": "none"}, {"label_smoothing": 0.1})
    ],  # fmt: skip
    Case(
        "cross_entropy of an image",
        lambda m, F, x, t: F.cross_entropy(x, t),
        ((2, 3, 2, 2),),
        targets=(np.array([[[0, 1], [2, 2]], [[1, 0], [0, 2]]]),),
    ),  # fmt: skip
    Case("cross_entropy of one", lambda m, F, x, t: F.cross_entropy(x, t), ((4,),), targets=(np.array(2),)),
    Case("cross_entropy far out", lambda m, F, x, t: F.cross_entropy(x, t), ((5, 4),), "large", targets=(K,)),
    *[
        Case(
            "nll_loss",
            lambda m, F, x, t, o=options: F.nll_loss(F.log_softmax(x, dim=1), t, **o),
            ((5, 4),),
            targets=(K,),
        )
        for options in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"ignore_index": 3})
    ],
    Case(
        "nll_loss with weights",
        lambda m, F, x, t, w: F.nll_loss(x, t, w),
        ((5, 4),),
        targets=(K, np.array([0.5, 1.0, 2.0, 0.1])),
    ),
    *[
        Case(name, lambda m, F, x, t, n=name, r=reduction: getattr(F, n)(x, t, reduction=r), ((3, 4), (3, 4)))
        for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
        for reduction in ("mean", "sum", "none")
    ],  # fmt: skip
    Case("huber_loss", lambda m, F, x, t: F.huber_loss(x, t, delta=0.3), ((3, 4), (3, 4))),
    Case("smooth_l1_loss", lambda m, F, x, t: F.smooth_l1_loss(x, t, beta=0.3), ((3, 4), (3, 4))),
    *[
        Case(
            "binary_cross_entropy",
            lambda m, F, x, t, r=reduction: F.binary_cross_entropy(x, t, reduction=r),
            ((4,),),
            "unit",
            targets=(np.array([0.0, 1.0, 0.3, 1.0]),),
        )
        for reduction in ("mean", "sum", "none")
    ],  # fmt: skip
    Case(
        "binary_cross_entropy with weights",
        lambda m, F, x, t, w: F.binary_cross_entropy(x, t, w),
        ((4,),),
        "unit",
        targets=(np.array([0.0, 1.0, 0.3, 1.0]), np.array([1.0, 0.5, 2.0, 0.0])),
    ),  # fmt: skip
    *[
        Case(
            "with logits",
            lambda m, F, x, t, r=reduction: F.binary_cross_entropy_with_logits(x, t, reduction=r),
            ((4,), (4,)),
            draw,
        )
        for reduction in ("mean", "sum", "none")
        for draw in ("normal", "large")
    ],  # fmt: skip
    Case(
        "with logits and weights",
        lambda m, F, x, t, w, p: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=p),
        ((3, 2),),
        targets=(np.array([[0.0, 1.0], [1.0, 1.0], [0.2, 0.0]]), np.array([1.0, 0.5]), np.array([2.0, 3.0])),
    ),  # fmt: skip
    # in place, through the graph
    *_many(
        "in place",
        ((3, 4),),
        lambda m, F, x: (x * 1).add_(2),
        lambda m, F, x: (x * 1).mul_(x),
        lambda m, F, x: (x + 0).exp_(),
        lambda m, F, x: (x + 0).sub_(1).div_(3).tanh_(),
        lambda m, F, x: (x * 1).sigmoid_(),
        lambda m, F, x: (x * 1).zero_() + x,
        lambda m, F, x: (x * 1).neg_().relu_(),
        lambda m, F, x: _assigned(x * 1, x),
        lambda m, F, x: _views_changed(x * 1, x),
        lambda m, F, x: (x * 1).clamp_(-0.4, 0.6),
        lambda m, F, x: (x * 1).copy_(x * 3),
        lambda m, F, x: _collected(m, x),
        lambda m, F, x: (x * 1).fill_(2.0) * x,
        lambda m, F, x: (x * 1).pow_(3),
    ),  # fmt: skip
    *_many(
        "in place",
        ((3, 4),),
        lambda m, F, x: (x * 1).sqrt_(),
        lambda m, F, x: (x * 1).log_(),
        draw="positive",
    ),
]


def _assigned(y: Any, x: Any) -> Any:
    y[0] = x[1] * 2
    y[:, 1] += 5
    y[1:, 2:] *= x[:2, :2]
    y[y > 1] = 0.5
    return y * y


def _views_changed(y: Any, x: Any) -> Any:
    row = y[1]
    row.mul_(x[0])
    column = y.T[2]
    column.add_(3)
    return y * row + column.sum()


def _collected(m: Any, x: Any) -> Any:
    rows = m.zeros(3, 4, dtype=x.dtype)
    for i in range(3):
        rows[i] = x[i] * i
    return rows**2


IDS = [f"{i}-{case.name}" for i, case in enumerate(CASES)]


def run(case: Case, dtype: str, engine: str) -> tuple[Any, list[Any], Any]:
    """(result, inputs after backward, the gradient that was given)."""
    if engine == "torch":
        m, F = torch, torch.nn.functional
        inputs = [torch.tensor(x.astype(dtype), requires_grad=True) for x in case.inputs()]
    else:
        m, F = autograd, ours_F
        inputs = [autograd.tensor(x.astype(dtype), requires_grad=True) for x in case.inputs()]
    targets = [m.tensor(t if t.dtype.kind == "i" else t.astype(dtype)) for t in case.targets]
    out = case.function(m, F, *inputs, *targets)
    given = np.random.default_rng(7).normal(size=tuple(out.shape)).astype(str(out.dtype).rpartition(".")[2])
    out.backward(m.tensor(given))
    return out, inputs, given


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_as_torch(case: Case, dtype: str, tolerance: float) -> None:
    ours, our_inputs, _ = run(case, dtype, "ours")
    theirs, their_inputs, _ = run(case, dtype, "torch")
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    for mine, reference in zip(our_inputs, their_inputs, strict=True):
        assert mine.grad.dtype == dtype
        assert mine.grad.shape == mine.shape
        largest = max(1.0, float(reference.grad.abs().max()))
        np.testing.assert_allclose(
            mine.grad.numpy(), reference.grad.numpy(), rtol=tolerance, atol=tolerance * largest
        )


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.differences],
    ids=[i for i, c in zip(IDS, CASES, strict=True) if c.differences],
)
def test_finite_differences(case: Case) -> None:
    inputs = [autograd.tensor(x, requires_grad=True) for x in case.inputs()]
    targets = [autograd.tensor(t) for t in case.targets]
    assert autograd.gradcheck(
        lambda *x: case.function(autograd, ours_F, *x[: len(inputs)], *targets), inputs, atol=1e-6, rtol=1e-5
    )


def test_no_operation_is_left_out() -> None:
    """A new operation is tested by being in the table: every one must appear as a node of some case."""
    seen: set[str] = set()
    for case in CASES:
        seen |= operations(run_forward(case).grad_fn)
    assert seen - {"copy_slices", "as_strided"} == set(OPS)


def run_forward(case: Case) -> Any:
    inputs = [autograd.tensor(x, requires_grad=True) for x in case.inputs()]
    return case.function(autograd, ours_F, *inputs, *[autograd.tensor(t) for t in case.targets])


def operations(node: Any) -> set[str]:
    found, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "operation"):
            found.add(node.operation)
            waiting += [parent for parent, _ in node.next_functions]
    return found
