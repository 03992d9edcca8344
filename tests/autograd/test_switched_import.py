"""A course's programs with the import switched: one text, with PyTorch and with this engine as `torch`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch as pytorch

from nablab import autograd
from nablab.autograd import AutogradError

#: Expressions whose value, dtype and shape must be the same.
VALUES = """
    torch.tensor([7, -7, 5]) // 2
    torch.tensor([7.5, -7.5, 5]) // 2
    7 // torch.tensor([2, 3])
    torch.tensor([1.0, -2]) // 0
    torch.tensor([7, -7, 5]) % -3
    7 % torch.tensor([2, 3])
    torch.tensor([1, 2]) // 0.5
    torch.fmod(torch.tensor([7, -7]), 3)
    torch.floor_divide(torch.tensor([7.0, -7]), 2)
    torch.div(torch.tensor([7, -7]), 2, rounding_mode="trunc")
    torch.div(torch.tensor([7, -7]), 2, rounding_mode="floor")
    torch.tensor([0.5, 1.5, 2.5, -0.5]).round()
    torch.tensor([1, -2]).sign() + torch.tensor([1, 2]).floor() + torch.tensor([1, 2]).round()
    torch.tensor([1, 2]).cumsum(0)
    torch.tensor([True, True]).cumsum(0)
    torch.tensor(2.0).cumsum(0)
    torch.tensor(np.array([200, 100], np.uint8)).cumprod(0)
    torch.where(torch.tensor([0.0, 2.0]) > 0)[0]
    torch.nonzero(torch.eye(2))
    torch.eye(2, 3).nonzero(as_tuple=True)[1]
    torch.tensor(2.0).nonzero()
    torch.tensor([2, 1, 2, 1]).sort(stable=True).indices
    torch.tensor([2, 1, 2, 1]).argsort(descending=True, stable=True)
    torch.argsort(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), dim=0)
    torch.sort(torch.tensor([1.0, float("nan"), 0.0])).indices
    torch.tensor([3, 1, 2]).topk(2).values
    torch.tensor([[4, 3], [1, 2]]).median(1).values
    torch.tensor([3, 1, 2, 4]).median()
    torch.unique(torch.tensor([3, 1, 3, 2]))
    torch.tensor([[3, 1], [3, 2]]).unique(return_counts=True)[1]
    torch.unique(torch.tensor([[3, 1], [3, 2]]), return_inverse=True)[1]
    torch.bincount(torch.tensor([1, 1, 3]), minlength=6)
    torch.count_nonzero(torch.eye(3))
    torch.eye(3).count_nonzero(0)
    torch.all(torch.tensor([[True, False], [True, True]]), dim=1)
    torch.tensor([[True, False], [True, True]]).any(0, keepdim=True)
    torch.eq(torch.tensor([1, 2]), torch.tensor([1, 3]))
    torch.tensor([1, 2]).ne(2) | torch.ge(torch.tensor([0, 3]), 1)
    torch.tensor([1.0, 2]).lt(2) ^ torch.tensor([1.0, 2]).gt(0)
    torch.tensor([1, 2]) & 1 | 4
    torch.logical_and(torch.ones(2), torch.tensor([0, 3]))
    torch.logical_not(torch.tensor([0, 3]))
    torch.logical_or(torch.zeros(2), torch.tensor([0, 3])).logical_xor(torch.ones(2))
    torch.isnan(torch.tensor([1.0, float("nan")])) | torch.isinf(torch.tensor([float("inf"), 1.0]))
    torch.isfinite(torch.tensor([1.0, float("inf")]))
    torch.isclose(torch.ones(2), torch.tensor([1.0, 1.1]))
    torch.ones(2).masked_fill(torch.tensor([True, False]), 2)
    torch.tensor([1, 2]).masked_fill(torch.tensor([True, False]), 5)
    torch.tensor([1, 2]).repeat(2, 2)
    torch.zeros(2, 3).scatter_(1, torch.tensor([[0], [2]]), 1.0)
    torch.zeros(2, 3).scatter_(1, torch.tensor([[0], [2]]), torch.tensor([[5.0], [6.0]]))
    torch.arange(7).chunk(3)[2]
    torch.ones(3).to(torch.tensor([1]))
    torch.ones(3).type_as(torch.tensor([1.0]).double())
    torch.ones(3).to(torch.device("cpu"), torch.float64)
    torch.tensor([1, 2], dtype=torch.float) + torch.zeros(2, dtype=torch.long)
    torch.tensor([1, 2], dtype=torch.bool)
    torch.tensor([1, 2], dtype=torch.int) * torch.tensor([1, 2], dtype=torch.int16)
    torch.full((2,), fill_value=7.0, device="cpu")
    torch.full([2], True)
    torch.full_like(torch.tensor([1, 2]), 3)
    torch.zeros_like(torch.ones(2), dtype=torch.long)
    torch.ones(size=(2, 1), dtype=torch.double)
    torch.eye(2, 3)
    torch.arange(start=1, end=6, step=2)
    torch.arange(end=3)
    torch.linspace(start=-1, end=1, steps=5)
    torch.linspace(0, 10, 4, dtype=torch.int64)
    torch.logspace(-2, 2, 5)
    torch.meshgrid(torch.arange(3), torch.arange(2), indexing="xy")[0]
    torch.meshgrid([torch.arange(3), torch.arange(2)], indexing="ij")[1]
    torch.bernoulli(torch.ones(3))
    torch.multinomial(torch.tensor([0.0, 1.0, 0.0]), 1)
    torch.multinomial(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), 3, replacement=True)
    torch.randperm(6).sort().values
    torch.vstack([torch.ones(2), torch.tensor([1, 2])])
    torch.tensor([1, 2]) == torch.tensor([[1.0], [2.0]])
    torch.sum(torch.ones(2, 3), axis=1)
    torch.ones(2, 3).argmax(axis=1)
    torch.tensor([[1, 2], [3, 4]]).T.diag()
    torch.einsum("ij,ij->j", torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 2], [3, 4]]))
    torch.zeros(4, 2).uniform_(2, 2.0001).round()
    torch.zeros(3).normal_(5, 0)
    torch.normal(2.0, 0.0, (2, 2))
    torch.normal(torch.tensor([1.0, 2.0]), 0.0)
    torch.randint(3, 4, (2,)) + torch.randint(1, (2,)) + torch.randint(low=0, high=1, size=(2,))
    torch.zeros(0, 2).split(3)[0]
    torch.zeros(0).chunk(2)[0]
    torch.zeros(0, 3).sort(0).values
    torch.zeros(2, 3).repeat(2, 0)
    torch.zeros(0, 3).nonzero()
    torch.einsum("ij->", torch.zeros(0, 3))
    torch.tensor([torch.ones(2)[0], 3])
    torch.tensor([np.float64(1.5), 2.0])
    torch.tensor([np.float32(1.5), 2.0])
    torch.tensor([np.int32(1), 2.5])
    torch.tensor([-5.0]) % float("inf")
    torch.tensor([-7, 7]) % torch.tensor([3.0, -3.0])
    torch.tensor([1234.5678]).round(decimals=-2)
    torch.tensor([float("nan"), 1.0, 2.0]).sort(descending=True).indices
    torch.tensor([5.0, 7.0]).sub_(torch.ones(2), alpha=2)
""".strip().splitlines()


@pytest.mark.parametrize("text", [line.strip() for line in VALUES])
def test_same_value(text: str) -> None:
    ours, theirs = (eval(text, {"torch": m, "np": np}) for m in (autograd, pytorch))
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


# Programs. Each takes the engine and returns what it would print or plot.


def derivatives_by_hand(torch: ModuleType) -> list[Any]:
    """The sheet of exercises: by hand, by autograd, by differences."""
    x = torch.linspace(-2, 2, steps=9, dtype=torch.float64, requires_grad=True)
    seen = []
    for f, by_hand in [
        (lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2),
        (lambda x: torch.sin(x) * torch.exp(-x), lambda x: (torch.cos(x) - torch.sin(x)) * torch.exp(-x)),
        (lambda x: 1 / (1 + torch.exp(-x)), lambda x: torch.sigmoid(x) * (1 - torch.sigmoid(x))),
        (lambda x: torch.log(1 + x**2), lambda x: 2 * x / (1 + x**2)),
        (lambda x: torch.where(x > 0, x, 0.1 * x), lambda x: torch.where(x > 0, 1.0, 0.1)),
        (lambda x: torch.abs(x) + x.pow(2).sqrt(), lambda x: 2 * torch.sign(x)),
    ]:
        if x.grad is not None:
            x.grad.zero_()
        y = f(x)
        y.backward(gradient=torch.ones_like(y))
        with torch.no_grad():
            h = 1e-6
            slope = (f(x + h) - f(x - h)) / (2 * h)
            seen += [
                x.grad.clone(),
                by_hand(x),
                slope.round(decimals=4),
                torch.allclose(slope, x.grad, atol=1e-5),
            ]
    return seen


def expressions_as_in_micrograd(torch: ModuleType) -> list[Any]:
    x = torch.Tensor([-4.0]).double()
    x.requires_grad = True
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    a, b = torch.tensor(-4.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g = g + 10.0 / f
    g.backward()
    return [y.item(), x.grad.item(), g.data.item(), a.grad, b.grad.item(), f"{g.item():.4f}", f"{a.grad:.4f}"]


def linear_regression(torch: ModuleType) -> list[Any]:
    """By the normal equations, and by minibatches with a loop of one's own."""
    rng = np.random.default_rng(0)
    features = torch.tensor(rng.normal(size=(200, 2)), dtype=torch.float32)
    noise = torch.from_numpy(rng.normal(size=200) * 0.01).float()
    labels = (features @ torch.tensor([2.0, -3.4]) + 4.2 + noise).reshape((-1, 1))
    design = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    exact = torch.linalg.inv(design.T @ design) @ design.T @ labels
    solved = torch.linalg.solve(design.T.mm(design), design.T.mm(labels))

    def batches(size: int) -> Any:
        indices = list(range(len(features)))
        for i in range(0, len(features), size):
            chosen = torch.tensor(indices[i : min(i + size, len(features))])
            yield features[chosen], labels[chosen]

    w = torch.normal(0, 0.0, size=(2, 1), requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    losses = []
    for _ in range(3):
        for x, y in batches(10):
            loss = (torch.matmul(x, w) + b - y.reshape(-1, 1)) ** 2 / 2
            loss.sum().backward()
            with torch.no_grad():
                for p in [w, b]:
                    p -= 0.03 * p.grad / len(x)
                    p.grad.zero_()
        with torch.no_grad():
            losses.append(float(((features @ w + b - labels) ** 2).mean()))
    return [exact, solved, w, b, torch.tensor(losses), torch.norm(w.detach() - exact[:2]) < 1e-2]


def logistic_regression(torch: ModuleType) -> list[Any]:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(100, 2)))
    y = ((x[:, 0] + x[:, 1]) > 0).double().view(-1, 1)
    w = torch.zeros((2, 1), dtype=torch.double, requires_grad=True)
    b = torch.zeros(1, dtype=torch.double).requires_grad_(True)
    history = []
    for epoch in range(50):
        p = 1 / (1 + torch.exp(-(x.mm(w) + b)))
        loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        loss.backward()
        w.data -= 0.5 * w.grad.data
        b.data.sub_(0.5 * b.grad.data)
        w.grad.data.zero_()
        b.grad = None
        if epoch % 10 == 0:
            accuracy = ((p > 0.5) == y.bool()).float().mean()
            history.append((loss.item(), accuracy.item()))
    by_hand = x.t() @ (torch.sigmoid(x @ w + b) - y) / len(x)
    torch.nn.functional.binary_cross_entropy(torch.sigmoid(x @ w + b), y).backward()
    return [w, b, torch.tensor(history), by_hand, w.grad]


def softmax_regression(torch: ModuleType) -> list[Any]:
    """From scratch, as textbooks have it: softmax, cross entropy by indexing, accuracy, manual SGD."""
    rng = np.random.default_rng(2)
    x, y = torch.tensor(rng.random((60, 8)), dtype=torch.float), torch.tensor(rng.integers(0, 3, 60))
    w = torch.tensor(rng.normal(size=(8, 3)) * 0.01).float().requires_grad_()
    b = torch.zeros(3, requires_grad=True)

    def softmax(scores: Any) -> Any:
        e = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
        return e / e.sum(1, keepdim=True)

    def accuracy(p: Any) -> float:
        if len(p.shape) > 1 and p.shape[1] > 1:
            p = p.argmax(axis=1)
        cmp = p.type(y.dtype) == y
        return float(cmp.type(y.dtype).sum()) / len(y)

    seen = []
    for _ in range(20):
        p = softmax(x.reshape((-1, w.shape[0])) @ w + b)
        loss = -torch.log(p[range(len(p)), y]).mean()
        assert torch.allclose(loss, torch.nn.functional.cross_entropy(x @ w + b, y), atol=1e-6)
        loss.backward()
        with torch.no_grad():
            for parameter in (w, b):
                parameter.add_(parameter.grad, alpha=-0.5)
                parameter.grad.zero_()
        seen.append([loss.item(), accuracy(p)])
    one_hot = torch.zeros(len(y), 3).scatter_(1, y.unsqueeze(1), 1)
    gathered = softmax(x @ w + b).gather(1, y.view(-1, 1)).squeeze()
    best, classes = torch.topk(x @ w + b, k=2, dim=1)
    wrong = (torch.argmax(x @ w, dim=1) != y).nonzero().flatten()
    confusion = torch.bincount(y * 3 + (x @ w + b).argmax(1), minlength=9).view(3, 3)
    return [torch.tensor(seen), w, one_hot, one_hot.sum(0), gathered, best, classes, wrong, confusion]


def two_layers_by_raw_tensors(torch: ModuleType) -> list[Any]:
    """Gradients written out beside autograd's, accumulated over two halves of the batch."""
    rng = np.random.default_rng(3)
    x, y = (torch.from_numpy(rng.normal(size=s)).double() for s in ((16, 5), (16, 2)))
    w1, w2 = (torch.from_numpy(rng.normal(size=s)).requires_grad_(True) for s in ((5, 7), (7, 2)))
    seen = []
    for _ in range(3):
        h = x.mm(w1)
        h_relu = h.clamp(min=0)
        loss = (h_relu.mm(w2) - y).pow(2).sum()
        seen.append(loss.item())
        g_out = 2.0 * (h_relu.mm(w2) - y)
        g_w2 = h_relu.t().mm(g_out)
        g_h = g_out.mm(w2.t()).clone()
        g_h[h < 0] = 0
        g_w1 = x.t().mm(g_h)
        for half in torch.split(torch.arange(16), 8):
            (torch.clamp_min(x[half] @ w1, 0.0) @ w2 - y[half]).pow(2).sum().backward()
        seen += [torch.allclose(w1.grad, g_w1), (w2.grad - g_w2).abs().max().item() < 1e-10]
        with torch.no_grad():
            w1 -= 1e-3 * w1.grad
            w2.sub_(w2.grad, alpha=1e-3)
        w1.grad = w2.grad = None
    return [*seen, w1, w2, torch.max(w1, torch.zeros_like(w1)), h.std(), h.mean(0, keepdim=True), h.var(1)]


def spiral(torch: ModuleType) -> list[Any]:
    """The spiral: data by index arithmetic, an MLP, the decision on a meshgrid."""
    n, k = 50, 3
    x, y = torch.zeros(n * k, 2), torch.zeros(n * k, dtype=torch.long)
    for c in range(k):
        radius = torch.linspace(0.0, 1, n)
        angle = torch.linspace(c * 2 * torch.pi / k, (c + 2) * 2 * torch.pi / k, n)
        rows = slice(n * c, n * (c + 1))
        x[rows] = torch.stack((radius * torch.sin(angle), radius * torch.cos(angle)), dim=1)
        y[rows] = c
    order = torch.tensor(np.random.default_rng(4).permutation(n * k))
    x, y = x[order], y[order]
    rng = np.random.default_rng(5)
    sizes = [2, 16, k]
    parameters = []
    for a, b in pairwise(sizes):
        parameters.append(
            torch.tensor(rng.normal(size=(a, b)) / a**0.5, dtype=torch.float32, requires_grad=True)
        )
        parameters.append(torch.zeros(b, requires_grad=True))
    w1, b1, w2, b2 = parameters
    optimizer = torch.optim.SGD(parameters, lr=0.5, momentum=0.9)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(torch.tanh(x @ w1 + b1) @ w2 + b2, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    first, second = torch.meshgrid(torch.arange(-1, 1.01, 0.25), torch.arange(-1, 1.01, 0.5), indexing="xy")
    grid = torch.stack((first.flatten(), second.ravel()), 1)
    with torch.no_grad():
        scores = torch.tanh(grid @ w1 + b1) @ w2 + b2
        regions = torch.softmax(scores, dim=1).max(1).indices.view(first.shape)
        predicted = (torch.tanh(x @ w1 + b1) @ w2 + b2).argmax(dim=-1)
    correct = (predicted == y).sum().item()
    each = [(predicted[y == c] == c).float().mean().item() for c in y.unique().tolist()]
    return [loss.item(), regions.float().mean(), correct / len(y), torch.tensor(each), torch.unique(y), first]


def convolutional_network(torch: ModuleType) -> list[Any]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    f = torch.nn.functional
    rng = np.random.default_rng(6)
    images = torch.tensor(rng.integers(0, 256, (4, 12, 12), np.uint8)).to(device)
    x = (images.float() / 255.0).unsqueeze(1)
    x = (x - x.mean(dim=(0, 2, 3), keepdim=True)) / x.std(dim=(0, 2, 3), keepdim=True)
    y = torch.tensor([0, 1, 1, 0], device=device)
    kernel = torch.tensor(rng.normal(size=(3, 1, 3, 3)) * 0.3, dtype=torch.float32, device=device)
    kernel.requires_grad_()
    w = torch.tensor(rng.normal(size=(3 * 5 * 5, 2)) * 0.1).float().requires_grad_()
    losses = []
    for step in range(8):
        h = f.max_pool2d(f.relu(f.conv2d(x, kernel, stride=1)), 2)
        loss = f.cross_entropy(h.view(h.size(0), -1) @ w, y)
        for p in (kernel, w):
            p.grad = None
        loss.backward()
        for p in (kernel, w):
            p.data += -0.1 * (0.99**step) * p.grad
        losses.append(loss.detach().cpu())
    with torch.no_grad():  # the convolution by hand, at each place
        k = kernel[0, 0]
        by_hand = torch.zeros(10, 10)
        for i in range(by_hand.shape[0]):
            for j in range(by_hand.shape[1]):
                by_hand[i, j] = (x[0, 0, i : i + 3, j : j + 3] * k).sum()
        assert torch.allclose(by_hand, f.conv2d(x, kernel)[0, 0], atol=1e-4)
    edges = f.conv2d(images[None, :1].float(), torch.tensor([[1.0, -1.0]]).reshape((1, 1, 1, 2)))
    return [torch.stack(losses), kernel, by_hand, edges, h.shape[1:], h.numel(), tuple(h.size()), h.dim()]


def jacobians(torch: ModuleType) -> list[Any]:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def f(x: Any) -> Any:
        return torch.stack([x[0] * x[1], x[2].exp(), (x**2).sum(), x.prod()])

    y = f(x)
    rows = []
    for i in range(len(y)):
        chosen = torch.zeros_like(y)
        chosen[i] = 1.0
        rows.append(torch.autograd.grad(y, x, grad_outputs=chosen, retain_graph=True)[0])
    by_backward = []
    for entry in y:
        x.grad = None
        entry.backward(retain_graph=True)
        by_backward.append(x.grad.clone())
    w = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]])
    both = torch.autograd.functional.jacobian(lambda w, x: torch.softmax(w @ x, 0), (w, x.detach()))
    s = torch.softmax(w @ x.detach(), 0)
    return [
        torch.stack(rows), torch.stack(by_backward), torch.autograd.functional.jacobian(f, x.detach()),
        *both, (torch.diag(s) - torch.outer(s, s)) @ w,
        torch.autograd.grad(outputs=y.sum(), inputs=[x], retain_graph=True)[0],
    ]  # fmt: skip


def masks_and_memory(torch: ModuleType) -> list[Any]:
    """Indexing by masks, changes in place, shared memory, conversions."""
    x = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    x[1, 2] = 17
    x[0:2, :] = x[0:2, :] * 2
    x[x > 20] = -1
    x[:, 1] += 5
    x[[0, 2], [1, 3]] = torch.tensor([100.0, 200.0])
    x[x.isnan()] = 0
    rows = x[(x > 5).any(dim=1)]
    y = x[torch.tensor([True, False, True])]
    z = torch.zeros_like(x)
    z[:] = x + 1
    z //= 2
    z %= 7
    a = x.numpy()
    a[0, 0] = 42
    parity = x.long() % 2 == 0
    counts = torch.zeros((4, 4), dtype=torch.int32)
    for i, j in [(0, 1), (0, 1), (2, 3)]:
        counts[i, j] += 1
    p = (counts + 1).float()
    p /= p.sum(1, keepdim=True)
    causal = torch.tril(torch.ones(3, 3))
    scores = torch.zeros(3, 3).masked_fill(causal == 0, float("-inf")).softmax(dim=-1)
    w = torch.ones(3, requires_grad=True)
    v = w * 2
    v[0] = 7
    v[1:] *= w[1:]
    v.sum().backward()
    return [
        x, rows, y, z, parity, p, scores, w.grad, x.T.contiguous().view(-1), type(a).__name__,
        x.double().type(torch.float32).dtype == torch.float32, x[..., None].shape, x[None, 0].shape,
        x.repeat(2, 1).shape, x.expand(2, 3, 4).sum(0), x.cumsum(dim=1), torch.sort(x, dim=1)[1],
        torch.cat((x, y), dim=0).size(0), x[-1].tolist(), (x - x.mean(0)) / (x.std(0) + 1e-5),
        torch.cat(torch.unbind(x, 1), 0), x.nelement(), [float(row.max()) for row in x], 17 in x, len(x),
    ]  # fmt: skip


PROGRAMS = [
    derivatives_by_hand, expressions_as_in_micrograd, linear_regression, logistic_regression,
    softmax_regression, two_layers_by_raw_tensors, spiral, convolutional_network, jacobians, masks_and_memory,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_same_results(program: Callable[[ModuleType], list[Any]]) -> None:
    for ours, theirs in zip(program(autograd), program(pytorch), strict=True):
        if not isinstance(theirs, pytorch.Tensor):
            assert ours == (pytest.approx(theirs, rel=1e-5) if isinstance(theirs, float) else theirs)
            continue
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        np.testing.assert_allclose(ours.tolist(), theirs.tolist(), rtol=1e-4, atol=1e-5)


#: What PyTorch refuses, and a word of our message.
REFUSED = {
    "x.mm(x)": "2 and 2 dimensions",
    "torch.ones(2, 3).mm(torch.ones(3))": "mm takes",
    "x.dot(x[None])": "1 and 1 dimensions",
    "torch.bmm(x, x)": "bmm takes",
    "torch.mv(x, x)": "mv takes",
    "x.topk(5)": "no 5",
    "x.sort(5)": "dimension 5",
    "x.median(3)": "dimension 3",
    "x.unbind(-2)": "dimension -2",
    "x.argmax(7)": "argmax",
    "torch.split(x, [1, 5])": "in all 6",
    "x.split(0)": "of 0",
    "x.chunk(0)": "not 0",
    "torch.ones(2, 2).repeat(2)": "too few",
    "torch.einsum('ij,jk->ik', x, x)": "'ij' names an operand of 1",
    "torch.einsum('i->j', x)": "no operand has j",
    "torch.einsum('ij,jk->ik', torch.ones(2, 3), torch.ones(2, 3))": "label 'j'",
    "torch.einsum('i,i->', x)": "names 2 operands",
    "torch.einsum('i,i->', x, x.double())": "float64",
    "torch.cumsum(x, 3)": "axis 3",
    "torch.multinomial(torch.tensor([0.0, -1.0]), 1)": "from 0 on",
    "torch.multinomial(torch.ones(2), 3)": "replacement",
    "torch.tensor([1]) // 0": "divided by 0",
    "torch.tensor([1]) % 0": "divided by 0",
    "torch.div(x, 2, rounding_mode='up')": "'up'",
    "x.masked_fill(x, 1)": "bools",
    "torch.where(x, 1, 2)": "bools",
    "torch.device('gpu')": "no device gpu",
    "torch.zeros(2, device='cuda')": "no device cuda",
    "torch.randn(2, device='cuda')": "no device cuda",
    "torch.Generator('cuda')": "no device cuda",
    "x.to('cuda')": "no device cuda",
    "x.cuda()": "no device cuda",
    "x.index_select(0, torch.tensor([5]))": "5 is out of bounds",
    "torch.linalg.inv(torch.zeros(2, 2))": "singular",
    "torch.linalg.inv(torch.zeros(2, 3))": "square",
    "torch.linalg.solve(torch.zeros(2, 2), x)": "singular",
    "torch.linalg.solve(torch.ones(2, 2), torch.ones(3))": r"\(2, 2\) and \(3,\)",
    "torch.zeros(3, 4).scatter_(1, torch.tensor([[7], [1], [2]]), 1.0)": "index 7",
    "torch.zeros(3, 4).gather(1, torch.tensor([[-1]]))": "index -1",
    "torch.zeros(3, 4).gather(1, torch.tensor([0, 1, 2]))": "unsqueeze",
    "torch.triu(x)": "matrix",
    "torch.diag(torch.ones(2, 2, 2))": "diag",
    "torch.bincount(torch.tensor([-1]))": "from 0 on",
    "torch.bincount(x)": "float32",
    "torch.randint(5, 2, (3,))": "5 is not below 2",
    "torch.randint(5)": "a shape",
    "torch.zeros(-1)": "whole numbers",
    "torch.ones(2.5)": "whole numbers",
    "torch.rand('a')": "whole numbers",
    "torch.normal(0.0, -1.0, (2,))": "-1.0",
    "torch.meshgrid(x, x, indexing='ab')": "'ab'",
    "torch.tensor([1, 2]).var()": "int64",
    "torch.softmax(torch.tensor([1, 2]), 0)": "int64",
    "x & 1": "brackets|write",
    "~x": "float32",
    "torch.Tensor('a')": "cannot read",
    "torch.load('nowhere')": "no file nowhere",
    "torch.autograd.functional.jacobian(lambda x: [x], x)": "one tensor",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_a_reason(text: str) -> None:
    with pytest.raises(
        (RuntimeError, ValueError, IndexError, TypeError, AssertionError, OSError, NotImplementedError)
    ):
        eval(text, {"torch": pytorch, "x": pytorch.ones(2)})
    with pytest.raises(AutogradError, match=REFUSED[text]) as caught:
        eval(text, {"torch": autograd, "x": autograd.ones(2)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torch.sum([1.0, 2.0])", "sum takes tensors, arrays and numbers, not list"),
        ("torch.ones(2) + 'a'", "not str"),
        ("torch.ones(2) * None", "mul takes .* not NoneType"),
        ("torch.nn.functional.linear(torch.ones(2), 'w')", "not str|'str'"),
        ("torch.ones(2) < 'a'", "not supported between"),
    ],
)
def test_what_is_no_tensor_is_named(text: str, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        eval(text, {"torch": autograd})


@pytest.mark.parametrize(
    "call", ["(w * w).sum().backward(create_graph=True)", "grad((w * w).sum(), w, create_graph=True)"]
)
def test_second_derivatives_are_refused_by_name(call: str) -> None:
    with pytest.raises(AutogradError, match=r"create_graph=True: .* first derivatives only"):
        eval(call, {"w": autograd.ones(2, requires_grad=True), "grad": autograd.grad})


def test_gradients_of_several_outputs_are_those_of_their_sum() -> None:
    x = autograd.ones(2, requires_grad=True)
    assert autograd.grad([x.sum()], [x])[0].tolist() == [1, 1]
    with pytest.raises(AutogradError, match="add them up"):
        autograd.grad([x.sum(), x.sum()], x)


def test_jacobian_of_what_does_not_depend() -> None:
    x, w = autograd.ones(2), autograd.ones(3)
    by_x, by_w = autograd.autograd.functional.jacobian(lambda x, w: x * 2, (x, w))
    assert by_x.tolist() == [[2, 0], [0, 2]]
    assert by_w.tolist() == [[0] * 3] * 2
    assert autograd.autograd.functional.jacobian(lambda x: autograd.ones(2), x).tolist() == [[0, 0], [0, 0]]


# Random numbers: reproducible, of the right distribution.


def test_generators_start_anew() -> None:
    m, ones = autograd, autograd.ones(9)
    draws = []
    for _ in range(2):
        g = m.Generator().manual_seed(2147483647)
        m.manual_seed(-1)
        drawn = [m.rand(2, generator=g), m.randn((2, 2), generator=g), m.randperm(9, generator=g)]
        drawn += [m.randint(0, 99, (3,), generator=g), m.normal(0, 1, (2,), generator=g)]
        drawn += [m.multinomial(ones, 3, generator=g), m.bernoulli(ones / 2, generator=g)]
        drawn += [m.zeros(2).normal_(generator=g), m.zeros(2).uniform_(generator=g)]
        draws.append([*drawn, m.rand(3), m.randn_like(ones), m.rand_like(ones.double())])
    assert all(a.equal(b) for a, b in zip(*draws, strict=True))
    assert draws[0][-1].dtype == autograd.float64


def test_draws_follow_their_weights() -> None:
    autograd.manual_seed(0)
    weights = autograd.tensor([[1.0, 0.0, 3.0], [0.0, 5.0, 5.0]])
    drawn = autograd.multinomial(weights, 20_000, replacement=True)
    shares = [row.bincount(minlength=3) / 20_000 for row in drawn]
    assert autograd.allclose(
        autograd.stack(shares), autograd.tensor([[0.25, 0, 0.75], [0, 0.5, 0.5]]), atol=0.02
    )
    assert sorted(autograd.multinomial(autograd.tensor([1.0, 2.0, 0.0, 3.0]), 3).tolist()) == [0, 1, 3]
    p = autograd.bernoulli(autograd.full((20_000,), 0.3))
    assert (p.mean().item(), p.dtype) == (pytest.approx(0.3, abs=0.02), autograd.float32)
    x = autograd.normal(autograd.tensor([0.0, 10.0]).expand(20_000, 2), autograd.tensor([1.0, 2.0]))
    assert autograd.allclose(x.mean(0), autograd.tensor([0.0, 10.0]), atol=0.1)
    assert autograd.allclose(x.std(0), autograd.tensor([1.0, 2.0]), atol=0.1)


# Files.


def test_saved_and_loaded(tmp_path: Path) -> None:
    net = autograd.nn.Linear(2, 3)
    optimizer = autograd.optim.Adam(net.parameters(), lr=0.1)
    net(autograd.ones(4, 2)).sum().backward()
    optimizer.step()
    w = autograd.ones(2, requires_grad=True)
    content = {
        "model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "loss": float("nan"),
        "list": [w, (np.arange(3, dtype=np.uint8), None, True, "text"), np.float32(0.5), {}],
        7: autograd.tensor(5),
    }  # fmt: skip
    autograd.save(content, tmp_path / "all.npz")
    back = autograd.load(str(tmp_path / "all.npz"))
    assert list(back) == list(content)
    net.load_state_dict(back["model"])
    optimizer.load_state_dict(back["optimizer"])
    assert back["list"][0].requires_grad
    assert back["list"][1][0].dtype == np.uint8
    assert back["list"][1][1:] == (None, True, "text")
    assert (back["list"][2:], back["epoch"], back[7].item()) == ([0.5, {}], 3, 5)
    assert np.isnan(back["loss"])
    autograd.save(w, tmp_path / "w.npz")
    assert autograd.load(tmp_path / "w.npz", map_location="cpu", weights_only=True).equal(w)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AutogradError, match="state_dict"):
        autograd.save(autograd.nn.Linear(2, 3), tmp_path / "net.npz")
    assert not list(tmp_path.iterdir())
    pytorch.save({"w": pytorch.ones(2)}, tmp_path / "torch.pt")
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    (tmp_path / "text").write_text("no archive")
    autograd.save([autograd.ones(1000)], tmp_path / "whole.npz")
    (tmp_path / "half").write_bytes((tmp_path / "whole.npz").read_bytes()[:2000])
    for name in ("torch.pt", "other.npz", "text", "half"):
        with pytest.raises(AutogradError, match="no file that save"):
            autograd.load(tmp_path / name)


# Operations as classes.


def a_function_of_ones_own(torch: ModuleType) -> list[Any]:
    """A polynomial fitted with an operation written as a class, and one of several inputs."""
    calls = []

    class Legendre(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            calls.append(torch.is_grad_enabled())
            return 0.5 * (5 * x**3 - 3 * x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 1.5 * (5 * x**2 - 1)

    class Scaled(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any, power: int) -> Any:
            ctx.power = power
            ctx.save_for_backward(x, w)
            return x * w**power

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            calls.append(ctx.needs_input_grad)
            by_x = g * w**ctx.power if ctx.needs_input_grad[0] else None
            by_w = (g * x * ctx.power * w ** (ctx.power - 1)).sum() if ctx.needs_input_grad[1] else None
            return by_x, by_w, None

    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    y = torch.sin(x)
    a, b, c, d = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
    for _ in range(20):
        loss = (a + b * Legendre.apply(c + d * x) - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= 5e-4 * p.grad
                p.grad = None
    z = Scaled.apply(x[:3], d, 2)
    z.sum().backward()
    with torch.no_grad():
        silent = Scaled.apply(x, d, 1).requires_grad
    passed = torch.autograd.gradcheck(Legendre.apply, [x[:4].clone().requires_grad_()])
    return [loss.item(), a, b, c, d, z, d.grad, calls[0], silent, passed]


def test_function_same_results() -> None:
    test_same_results(a_function_of_ones_own)


def test_function_says_what_is_missing() -> None:
    class Odd(autograd.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            return x + w

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    class Number(autograd.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 3.0

    x = autograd.ones(2, requires_grad=True)
    with pytest.raises(AutogradError, match="1 gradients for 2 inputs"):
        Odd.apply(x, x).sum().backward()
    with pytest.raises(AutogradError, match=r"Number.forward returned no tensor, but a float"):
        Number.apply(x)
    with pytest.raises(NotImplementedError, match="backward"):
        autograd.autograd.Function.backward(None, x)
    kept = x.detach() + 0

    class Same(autograd.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return kept

    Same.apply(x).sum().backward()
    Same.apply(x).sum().backward()
    assert (x.grad.tolist(), kept.tolist()) == ([2, 2], [1, 1])
