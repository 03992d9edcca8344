"""One battery for every operation: forward and gradient as PyTorch's, and gradients by finite differences.

A case is an expression, evaluated with either engine: `m` is the package (nablab.autograd or torch), `F` its
`nn.functional`, `x, w, b` are inputs that require gradients and `t, u, v` further ones that don't. That the
same text runs on both is part of the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.autograd.graph import OPS

Shapes = tuple[tuple[int, ...], ...]

DRAWS: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda rng, s: rng.normal(size=s),
    "positive": lambda rng, s: rng.uniform(0.3, 2.0, s),
    "unit": lambda rng, s: rng.uniform(0.05, 0.95, s),
    "large": lambda rng, s: 30 * rng.normal(size=s),
    "apart": lambda rng, s: rng.permutation(int(np.prod(s))).reshape(s) / 3 - 1.1,
    "ties": lambda rng, s: rng.integers(-1, 2, s).astype(float),
}


@dataclass(frozen=True)
class Case:
    """The expression, the shapes of its inputs, how their values are drawn, and inputs without gradients."""

    text: str
    code: CodeType
    shapes: Shapes
    draw: str
    constants: tuple[np.ndarray, ...]

    @property
    def smooth(self) -> bool:
        """Whether finite differences apply: not at kinks, and not in two precisions at once."""
        return self.draw != "ties" and ".float()" not in self.text

    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(sum(map(sum, self.shapes)))
        return [np.asarray(DRAWS[self.draw](rng, shape)) for shape in self.shapes]

    def run(self, engine: Any, inputs: list[Any], dtype: str) -> Any:
        constants = [engine.tensor(c if c.dtype.kind == "i" else c.astype(dtype)) for c in self.constants]
        names = dict(zip("xwb", inputs, strict=False)) | dict(zip("tuv", constants, strict=False))
        return eval(self.code, {**STEPS, "m": engine, "F": engine.nn.functional, **names})


def cases(text: str, *shapes: Shapes, draw: str = "normal", constants: tuple[Any, ...] = ()) -> list[Case]:
    """A case for each line of the text and each tuple of shapes."""
    lines = [line.strip() for line in text.strip().splitlines()]
    arrays = tuple(np.asarray(c) for c in constants)
    return [
        Case(line, compile(line, "<case>", "eval"), shape, draw, arrays) for line in lines for shape in shapes
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


#: Cases that take statements.
STEPS: dict[str, Any] = {"assigned": _assigned, "views_changed": _views_changed, "collected": _collected}

BROADCAST: tuple[Shapes, ...] = (
    ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 1, 3), (4, 1)), ((), (3,)), ((2,), ()),
)  # fmt: skip
MATRIX: Shapes = ((3, 4),)
CUBE: Shapes = ((2, 3, 4),)
IMAGE: Shapes = ((2, 3, 7, 6),)
SCORES: Shapes = ((5, 4),)
CLASSES = [1, 0, 3, 2, 3]
CLASS_WEIGHTS = [0.5, 1.0, 2.0, 0.1]

ARITHMETIC = [
    *cases("""
        x + w
        x - w
        x * w
        m.maximum(x, w)
        m.minimum(x, w)
        m.where(x > w, x * 2, w)
    """, *BROADCAST),
    *cases("""
        x / w
        x**w
    """, *BROADCAST, draw="positive"),
    *cases("m.maximum(x, w) * m.minimum(w, x)", *BROADCAST, draw="ties"),
    *cases("""
        2 + x
        x - 2
        2 - x
        0.5 * x
        x / 3
        x**2
        x**3
        x**0
        2**x
        abs(-x)
        x.square()
        x.clone() + x.abs()
        m.exp(x) + x.exp()
        m.sin(x) * x.cos()
        m.tanh(x) + x.sigmoid()
        m.clamp(x, -0.5, 0.5)
        x.clamp(min=0.1)
        x.clamp(max=0)
        x.float().double() * 2
        x.clamp_min(0.1) + x.clamp_max(-0.2) + m.clip(x, -0.5, 0.5)
        m.tan(x / 3) + x.atan()
        m.asin(x / 5) + (x / 5).acos()
        m.sinh(x) + x.cosh()
        m.expm1(x) + m.erf(x)
        x.add(x * x, alpha=0.3) - m.sub(x, 2, alpha=3)
        x.floor() + m.ceil(x) + x.trunc() + x.sign()
        m.round(x * 3) + x.round(decimals=1)
        m.div(x, 0.3, rounding_mode="floor") + x.div(0.7, rounding_mode="trunc")
        x % 0.7 + x.remainder(-0.3)
        m.fmod(x, 0.7) - m.remainder(x, -0.7)
        x.clamp(x - 1, x.abs() / 2 + 0.1) + m.clamp(x, min=x * x) + x.clamp(max=x * x)
    """, MATRIX, ((),)),
    *cases("""
        x % w
        x.fmod(-w)
        m.div(x, w, rounding_mode="floor") * x
    """, *BROADCAST, draw="positive"),
    *cases("""
        1 / x
        x**-1.5
        m.log2(x) + x.log10()
        m.rsqrt(x)
        x.log()
        m.log1p(x)
        x.sqrt()
        x.reciprocal()
    """, MATRIX, ((),), draw="positive"),
    *cases("""
        x**0 + x**1 + x**2
        x.clamp(-1, 1)
    """, MATRIX, draw="ties"),
]  # fmt: skip

ACTIVATIONS = [
    *cases("""
        F.relu(x)
        F.relu6(5 * x)
        F.leaky_relu(x)
        F.leaky_relu(x, 0.2)
        F.elu(x)
        F.elu(x, alpha=0.7)
        F.gelu(x)
        F.gelu(x, approximate="tanh")
        F.silu(x)
        F.softplus(x)
        F.softplus(x, beta=2.0)
        F.logsigmoid(x)
        m.softmax(x, 1)
        F.softmax(x, dim=0)
        F.log_softmax(x, dim=-1)
        x.softmax(-1)
        x.log_softmax(0)
        x.relu()
    """, MATRIX),
    *cases("""
        F.gelu(x)
        F.silu(x)
        F.softplus(x)
        F.elu(x)
        F.logsigmoid(x)
        F.softmax(x, dim=1)
        F.log_softmax(x, dim=1)
        x.tanh() + x.sigmoid()
        x.logsumexp(1)
    """, MATRIX, draw="large"),
    *cases("F.relu(x) + F.leaky_relu(x) + F.elu(x)", MATRIX, draw="ties"),
    *cases("F.relu6(6 * x) + F.relu6(7 * x)", MATRIX, draw="ties"),
    *cases("F.prelu(x, w)", ((2, 3, 4), (1,)), ((2, 3, 4), (3,))),
]  # fmt: skip

REDUCTIONS = [
    *cases("""
        x.sum()
        x.sum(1)
        m.sum(x, (0, 2))
        x.sum(-1, keepdim=True)
        x.mean()
        x.mean((1, 2))
        m.mean(x, dim=0, keepdim=True)
        x.var()
        x.var(1)
        x.var((0, 1), correction=0, keepdim=True)
        x.std()
        x.std(2)
        x.std(0, correction=0)
        m.logsumexp(x, 1)
        x.logsumexp((0, 2), keepdim=True)
        x.prod()
        x.prod(1)
        m.prod(x, 2, keepdim=True)
        m.norm(x)
        x.norm(dim=1)
        x.norm(2)
        x.norm(1) + x.norm(float("inf"))
        m.norm(x, 1, 2, True)
        F.normalize(x, dim=2)
        x.cumsum(axis=0) + x.max(axis=1)[0].sum() - m.min(x, axis=0).values.sum()
        x.sum(axis=1, keepdims=True) + x.mean(axis=(0, 1))
        x.var(0, False) + m.std(x, 0, unbiased=False)
        m.linalg.norm(x) + m.linalg.norm(x, dim=2).sum()
        m.cumsum(x, 1) + x.cumsum(-1)
        x.cumprod(0) * m.cumprod(x, dim=2)
        m.median(x) + x.median(1).values
        x.median(2, keepdim=True)[0]
        x.max()
        x.min()
        x.amax((0, 1))
        x.amin(2, keepdim=True)
        x.max(1)[0]
        m.max(x, 2, keepdim=True).values
        x.min(0).values
    """, CUBE),
    *cases("""
        x.amax(1)
        x.amin()
        x.max()
        x.max(1).values
        x.prod(1) + x.prod()
        x.cumprod(1) + x.cumprod(0)
    """, ((3, 5),), draw="ties"),
]  # fmt: skip

LINEAR_ALGEBRA = [
    *cases("x @ w",
        ((3, 4), (4, 2)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((5, 3, 4), (5, 4, 2)),
        ((5, 3, 4), (4, 2)), ((3, 4), (5, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((5, 3, 4), (4,)),
        ((4,), (5, 4, 2)),
    ),
    *cases("m.dot(x, w) + m.outer(x, w) + x.outer(w) * x.dot(w)", ((4,), (4,))),
    *cases("m.mm(x, w) + x.mm(w)", ((3, 4), (4, 2))),
    *cases("m.mv(x, w) + x.mv(w)", ((3, 4), (4,))),
    *cases("m.bmm(x, w) + x.bmm(w)", ((5, 3, 4), (5, 4, 2))),
    *cases("""
        m.einsum("ij,jk->ik", x, w)
        m.einsum("ij, jk -> ki", x, w)
        m.einsum("ij,jk", x, w)
        m.einsum("ij,jk->", x, w)
        m.einsum("ij,kl->ik", x, w)
        m.einsum("ij,jk,kl->il", x, w, w.T)
        m.einsum("ij,ij,jk->i", x, x, w)
        m.einsum("...j,jk->...k", x, w)
    """, ((3, 4), (4, 2))),
    *cases("""
        m.einsum("bij,bjk->bik", x, w)
        m.einsum("bij,bjk->ik", x, w)
        m.einsum("...ij,...jk", x, w)
        m.einsum("...ij->...ji", x) @ x
    """, ((5, 3, 4), (5, 4, 2))),
    *cases("m.einsum('...ij,...jk->...ik', x, w)", ((2, 1, 3, 4), (5, 4, 2)), ((3, 4), (5, 4, 2))),
    *cases("""
        m.einsum("ij->j", x)
        m.einsum("ii", x)
        m.einsum("ii->i", x)
        m.einsum("ij,ij", x, x)
        m.einsum("ii,jj->ij", x, x)
        m.linalg.inv(x + 4 * m.eye(4, dtype=x.dtype))
        m.inverse(x + 4 * m.eye(4, dtype=x.dtype))
        m.linalg.solve(x + 4 * m.eye(4, dtype=x.dtype), x[0])
        m.linalg.solve(x + 4 * m.eye(4, dtype=x.dtype), x[:, :3])
        m.trace(x) + x.trace()
    """, ((4, 4),)),
    *cases("m.linalg.solve(x @ x.mT + 9 * m.eye(3, dtype=x.dtype), w) @ m.linalg.inv(w.mT @ w)",
        ((5, 3, 4), (5, 3, 2)),
    ),
    *cases("""
        m.triu(x) + x.tril(-1)
        m.tril(x, diagonal=1) * m.triu(x, -1)
        m.diag(x, 1)
        x.diag(-1).sum() + m.diag(x)
        m.diag(x[0]) + m.diag(x[0], diagonal=0)
        m.diag(x[:, 1], -1).sum() + x
    """, ((3, 5),), ((4, 3),)),
    *cases("F.linear(x, w, b)", ((5, 4), (3, 4), (3,)), ((2, 5, 4), (3, 4), (3,))),
    *cases("F.linear(x, w)", ((4,), (3, 4))),
    *cases("F.linear(x, w, bias=b)", ((5, 4), (3, 4), (3,))),
]  # fmt: skip

SHAPES = cases("""
    x.reshape(6, 4) * 2
    x.view(-1)
    m.reshape(x, (4, -1))
    x.flatten()
    m.flatten(x, 1)
    x.flatten(0, 1)
    x.transpose(0, 2)
    m.transpose(x, -1, 1)
    x.permute(2, 0, 1)
    m.permute(x, (1, 2, 0))
    x.mT
    x[0].T
    x[1].t()
    x.unsqueeze(1)
    x.unsqueeze(-1).squeeze(-1)
    x[:1].squeeze()
    x.squeeze(0)
    x[:, :1].expand(2, 5, 4)
    x[:, :1].expand(-1, 3, -1)
    x.unsqueeze(0).expand(3, -1, -1, -1)
    m.flip(x, [0, 2])
    x[0]
    x[1, 2, 3]
    x[..., 1:3]
    x[:, ::2]
    x[1, None, 2]
    x[[0, 1, 0]]
    x[:, m.tensor([2, 2, 0])]
    x[x > 0]
    m.cat([x, x * 2], 1)
    m.cat([x[0], x[1, :2]])
    m.stack([x, x])
    m.stack([x, x.exp()], dim=-1)
    sum(row.sum() ** 2 for row in x)
    F.pad(x, (1, 2))
    F.pad(x, (0, 1, 2, 0), value=3.0)
    m.cat(x.split(2, dim=1), 1) * m.cat(m.split(x, [1, 3], dim=2), -1)
    m.stack(x.chunk(3, dim=1)[:2]) + m.chunk(x, 2)[0].sum()
    m.stack(x.unbind(1), 0) + m.unbind(x)[0].sum()
    x.repeat(2, 1, 3) + x.repeat((3, 2, 2, 1, 1))[0, 0, :, :3].repeat(1, 1, 3)
    x.repeat_interleave(2) + m.repeat_interleave(x, 2, dim=0).sum()
    x.repeat_interleave(m.tensor([2, 0, 1]), dim=1)
    x.flip(0) + x.flip([0, 1]) + x.flip(0, -1) + x.flip(dims=(1,)) + m.flip(x, dims=[2])
    m.roll(x, 1, 0) + x.roll((1, 2), (1, 2)) + x.roll(-3)
    x.view_as(x * 2) + x.reshape_as(x) + x[0].expand_as(x) + m.broadcast_to(x[0, 0], (2, 3, 4))
    x.ravel() + m.ravel(x * x)
    x.swapaxes(0, 1) + m.swapaxes(x, 0, 1)
    x.index_select(1, m.tensor([0, 2, 0])) + m.index_select(x, -2, m.tensor([1, 1, 2]))
    x.masked_select(x > 0) + m.masked_select(x * 2, x > 0)
    x.masked_fill(x > 0, -1.0) + m.masked_fill(x, x < 0, 2)
    x.masked_fill(x > 0, x[0, 0, 0]) + x.where(x > 0, x * x)
    m.hstack([x[0], x[1, :, :2]]) + m.vstack([x[0, 0], x[1, 1:]]).sum()
    m.hstack([x[0, 0], x[0, 1]]) + m.concat([x[1, 0], x[0, 1]])
    m.meshgrid(x[0, 0], x[1, :, 0], indexing="ij")[0] * m.meshgrid(x[0, 0], x[1, :, 0], indexing="ij")[1]
    m.meshgrid(x[0, 0], x[1, :, 0], indexing="xy")[0] * m.meshgrid(x[0, 0], x[1, :, 0], indexing="xy")[1]
    x.sort(1).values + m.sort(x, dim=1, descending=True)[0] * x
    m.sort(x)[0] ** 2
    x.topk(2).values + m.topk(x, 2, dim=2, largest=False)[0] ** 2
    m.max(x, x.flip(0)) + m.min(x, x * 2) + x.maximum(x * 3) + x.max(x + 1)
    x.scatter(1, m.tensor([[[0, 1], [2, 0]], [[2, 2], [0, 1]]]), x[:, :2, :2] ** 2)
    m.scatter(x, 2, m.tensor([[[1], [0], [2]]]), 3.0) * x
    x.gather(1, m.tensor([[[0, 1], [2, 2]]]))
    m.gather(x, 2, m.tensor([[[0], [1], [3]]]))
    x.contiguous().transpose(0, 1).contiguous()
""", CUBE)  # fmt: skip

IMAGES = [
    *cases("F.conv2d(x, w, b)", *[((2, 4, 7, 6), (4, 4, h, w), (4,)) for h, w in ((3, 3), (1, 1), (7, 6))]),
    *cases("""
        F.conv2d(x[:0], w, b).sum() + x.sum()
        F.conv2d(x, w, b, stride=2)
        F.conv2d(x, w, b, padding=1)
        F.conv2d(x, w, b, stride=(2, 1), padding=(0, 2))
        F.conv2d(x, w, b, dilation=2)
        F.conv2d(x, w, b, padding="same")
        F.conv2d(x, w, b, padding="valid", stride=3)
        F.conv2d(x, w)
    """, ((2, 4, 7, 6), (4, 4, 3, 3), (4,))),
    *cases("F.conv2d(x, w, b, stride=3)", ((2, 4, 7, 6), (4, 4, 2, 2), (4,))),
    *cases("F.conv2d(x, w, b, groups=2, padding=1)", ((2, 4, 7, 6), (4, 2, 3, 3), (4,))),
    *cases("""
        F.conv2d(x, w, b, groups=4, stride=2, padding=1)
        F.conv2d(x, w, b, groups=4, dilation=(1, 2), padding=2)
    """, ((2, 4, 7, 6), (4, 1, 3, 3), (4,)), ((2, 4, 7, 6), (8, 1, 3, 2), (8,))),
    *cases("""
        F.max_pool2d(x, 2)
        F.max_pool2d(x, 3, 2)
        F.max_pool2d(x, 3, 1, 1)
        F.max_pool2d(x, (2, 3), (3, 1))
        F.avg_pool2d(x, 2)
        F.avg_pool2d(x, 3, 2, 1)
        F.avg_pool2d(x, 3, padding=1, count_include_pad=False)
        F.avg_pool2d(x, (7, 6))
        F.adaptive_avg_pool2d(x, 1)
        F.adaptive_avg_pool2d(x, (3, 4))
        F.adaptive_max_pool2d(x, 1)
        F.adaptive_max_pool2d(x, (3, 4))
    """, IMAGE, draw="apart"),
    *cases("""
        F.max_pool2d(x, 2)
        F.max_pool2d(x, 3, 1, 1)
        F.adaptive_max_pool2d(x, 2)
    """, IMAGE, draw="ties"),
]  # fmt: skip

NORMALISATION = [
    *cases("F.batch_norm(x, None, None, w, b, training=True)",
        ((5, 3), (3,), (3,)), ((4, 3, 2), (3,), (3,)), ((2, 3, 4, 5), (3,), (3,)),
    ),
    *cases("F.batch_norm(x, t, u, w, b)", ((2, 3, 4, 5), (3,), (3,)),
        constants=([0.1, 0.2, -3.0], [1.0, 2.0, 0.5]),
    ),
    *cases("F.layer_norm(x, (4,), w, b)", ((2, 3, 4), (4,), (4,))),
    *cases("F.layer_norm(x, (3, 4), w, b, eps=1e-3)", ((2, 3, 4), (3, 4), (3, 4))),
    *cases("F.layer_norm(x, [4])", CUBE),
    *cases("F.group_norm(x, 2, w, b)", ((2, 4, 3, 3), (4,), (4,))),
    *cases("F.instance_norm(x)", IMAGE),
]  # fmt: skip

LOSSES = [
    *cases("""
        F.cross_entropy(x, t)
        F.cross_entropy(x, t, reduction="sum")
        F.cross_entropy(x, t, reduction="none")
        F.cross_entropy(x, t, label_smoothing=0.1)
        F.cross_entropy(x, t, ignore_index=3)
        F.cross_entropy(x, t, ignore_index=3, label_smoothing=0.2)
        F.cross_entropy(x, t, ignore_index=0, label_smoothing=0.2, reduction="none")
        F.cross_entropy(x, t, u)
        F.cross_entropy(x, t, u, reduction="sum")
        F.cross_entropy(x, t, u, label_smoothing=0.1)
        F.cross_entropy(x, t, u, ignore_index=3, label_smoothing=0.1)
        F.cross_entropy(x, t, u, ignore_index=1, reduction="none")
        F.cross_entropy(x[0], t[0])
        F.nll_loss(F.log_softmax(x, dim=1), t)
        F.nll_loss(F.log_softmax(x, dim=1), t, reduction="sum")
        F.nll_loss(x, t, reduction="none")
        F.nll_loss(x, t, ignore_index=3)
        F.nll_loss(x, t, u)
    """, SCORES, constants=(CLASSES, CLASS_WEIGHTS)),
    *cases("F.cross_entropy(x, t)", SCORES, draw="large", constants=(CLASSES,)),
    *cases("""
        F.cross_entropy(x, F.softmax(t, dim=1))
        F.cross_entropy(x, F.softmax(t, dim=1), u)
        F.cross_entropy(x, F.softmax(t, dim=1), reduction="none")
        F.cross_entropy(x, F.softmax(t, dim=1), label_smoothing=0.1)
    """, SCORES, constants=(np.random.default_rng(1).normal(size=(5, 4)), CLASS_WEIGHTS)),
    *cases("""
        F.cross_entropy(x, t)
        F.cross_entropy(x, t, reduction="none")
        F.nll_loss(x, t)
    """, ((2, 3, 2, 2),), constants=([[[0, 1], [2, 2]], [[1, 0], [0, 2]]],)),
    *cases("""
        F.mse_loss(x, w)
        F.mse_loss(x, w, reduction="sum")
        F.mse_loss(x, w, reduction="none")
        F.l1_loss(x, w)
        F.l1_loss(x, w, reduction="sum")
        F.huber_loss(x, w)
        F.huber_loss(x, w, reduction="none", delta=0.3)
        F.smooth_l1_loss(x, w)
        F.smooth_l1_loss(x, w, beta=0.3, reduction="sum")
        F.smooth_l1_loss(x, w, beta=0.0)
        F.binary_cross_entropy_with_logits(x, w)
        F.binary_cross_entropy_with_logits(x, w, reduction="none")
    """, ((3, 4), (3, 4))),
    *cases("F.binary_cross_entropy_with_logits(x, w, reduction='sum')", ((4,), (4,)), draw="large"),
    *cases("""
        F.binary_cross_entropy(x, t)
        F.binary_cross_entropy(x, t, u)
        F.binary_cross_entropy(x, t, reduction="sum")
        F.binary_cross_entropy(x, t, reduction="none")
        F.binary_cross_entropy_with_logits(x, t, u, pos_weight=v)
    """, ((2, 3),), draw="unit",
        constants=([[0.0, 1.0, 0.3], [1.0, 1.0, 0.0]], [1.0, 0.5, 2.0], [2.0, 3.0, 0.5]),
    ),
]  # fmt: skip

IN_PLACE = [
    *cases("""
        (x * 1).add_(2)
        (x * 1).mul_(x)
        (x + 0).exp_()
        (x + 0).sub_(1).div_(3).tanh_()
        (x * 1).sigmoid_()
        (x * 1).zero_() + x
        (x * 1).neg_().relu_()
        (x * 1).clamp_(-0.4, 0.6)
        (x * 1).copy_(x * 3)
        (x * 1).fill_(2.0) * x
        (x * 1).pow_(3)
        (x * 1).add_(x, alpha=3).sub_(x * x, alpha=0.5)
        (x * 1).abs_() + (x * 1).floor_().ceil_().round_()
        (x * 1).clamp_min_(0).clamp_max_(1)
        (x * 1).masked_fill_(x > 0, 3.0) * x
        (x * 1).masked_fill_(x > 0, x[0, 0])
        (x * 1).scatter_(1, m.tensor([[0], [2], [1]]), x[:, :1] ** 2) * x
        assigned(x * 1, x)
        views_changed(x * 1, x)
        collected(m, x)
    """, MATRIX),
    *cases(
        """
        (x * 1).sqrt_()
        (x * 1).mul_(2).log_()
    """,
        MATRIX,
        draw="positive",
    ),
]  # fmt: skip

CASES = [
    *ARITHMETIC, *ACTIVATIONS, *REDUCTIONS, *LINEAR_ALGEBRA, *SHAPES, *IMAGES, *NORMALISATION, *LOSSES,
    *IN_PLACE,
]  # fmt: skip
SMOOTH = [case for case in CASES if case.smooth]


def name(case: Case) -> str:
    return f"{case.text} {case.draw} {case.shapes}"


def backward(case: Case, engine: Any, dtype: str) -> tuple[Any, list[Any]]:
    """The result, and the inputs after backward from it with a fixed gradient."""
    inputs = [engine.tensor(x.astype(dtype), requires_grad=True) for x in case.inputs()]
    out = case.run(engine, inputs, dtype)
    given = np.random.default_rng(7).normal(size=tuple(out.shape))
    out.backward(engine.tensor(given.astype(str(out.dtype).rpartition(".")[2])))
    return out, inputs


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("case", CASES, ids=name)
def test_as_torch(case: Case, dtype: str, tolerance: float) -> None:
    ours, our_inputs = backward(case, autograd, dtype)
    theirs, their_inputs = backward(case, torch, dtype)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    for x, reference in zip(our_inputs, their_inputs, strict=True):
        if reference.grad is None:
            assert x.grad is None
            continue
        assert (x.grad.dtype, x.grad.shape) == (dtype, x.shape)
        scale = max(1.0, float(reference.grad.abs().max()))
        np.testing.assert_allclose(
            x.grad.numpy(), reference.grad.numpy(), rtol=tolerance, atol=tolerance * scale
        )


@pytest.mark.parametrize("case", SMOOTH, ids=name)
def test_finite_differences(case: Case) -> None:
    inputs = [autograd.tensor(x, requires_grad=True) for x in case.inputs()]
    assert autograd.gradcheck(lambda *x: case.run(autograd, list(x), "float64"), inputs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "m.relu(x).sqrt()",
        "F.relu6(x).sqrt()",
        "x.clamp(min=0).sqrt()",
        "m.maximum(x, m.zeros(2, 4)).sqrt()",
        "(4 - m.minimum(x, 4 * m.ones(2, 4))).sqrt()",
        "F.max_pool2d(x[None, None], 2).sqrt()",
        "F.max_pool2d(x[None, None], 2, 1).sqrt()",
        "x[:, 2:].std(0)",
        "x[0, 1:2].expand(3).std()",
        "x[:1, 0].var()",
        "x[2:].mean(1)",
        "x[2:].std(1)",
    ],
)
@pytest.mark.filterwarnings("ignore:.*egrees of freedom:", "ignore:invalid value:RuntimeWarning")
def test_infinite_slopes_stay_where_they_are(text: str) -> None:
    """The root has one at 0: what a ReLU has cut off, and what did not win, still gets a gradient of 0."""
    gradients = []
    for m in (autograd, torch):
        x = m.tensor([[-1.0, 0.0, 4.0, 9.0], [-2.0, -3.0, 4.0, 9.0]], requires_grad=True)
        eval(text, {"m": m, "F": m.nn.functional, "x": x}).sum().backward()
        gradients.append(x.grad.tolist())
    np.testing.assert_allclose(*gradients)


def test_no_operation_is_left_out() -> None:
    """A new operation is tested by being in the table: every one must appear as a node of some case."""
    seen: set[str] = set()
    for case in CASES:
        inputs = [autograd.tensor(x, requires_grad=True) for x in case.inputs()]
        waiting = [case.run(autograd, inputs, "float64").grad_fn]
        while waiting:
            node = waiting.pop()
            if hasattr(node, "operation"):
                seen.add(node.operation)
                waiting += [parent for parent, _ in node.next_functions]
    assert seen - {"copy_slices", "as_strided"} == set(OPS)
