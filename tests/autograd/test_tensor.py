"""What a tensor is and may not do: leaves, memory, gradients that accumulate, and errors, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nablab import autograd
from nablab.autograd import AutogradError

ENGINES = pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])


# The figures of the courses.


@ENGINES
def test_walk_through(m: ModuleType) -> None:
    x = m.ones(2, 2, requires_grad=True)
    y = x + 2
    z = 3 * y * y
    out = z.mean()
    assert [t.grad_fn.name().rstrip("0") for t in (y, z, out)] == [
        "AddBackward",
        "MulBackward",
        "MeanBackward",
    ]
    out.backward()
    assert (z == 27).all()
    assert (x.grad == 4.5).all()
    assert x.is_leaf
    assert not z.is_leaf


@ENGINES
def test_product_of_which_one_requires_a_gradient(m: ModuleType) -> None:
    a, b = m.tensor(2.0, requires_grad=True), m.tensor(3.0)
    c = a * b
    c.backward()
    assert (c.item(), a.grad.item(), b.grad) == (6.0, 3.0, None)


@ENGINES
def test_logarithms_accumulate_when_run_twice(m: ModuleType) -> None:
    x = m.tensor([1.0, 2.0, 4.0], requires_grad=True)
    (3 * x.log()).sum().backward()
    assert x.grad.tolist() == [3.0, 1.5, 0.75]
    (3 * m.log(x)).sum().backward()
    assert x.grad.tolist() == [6.0, 3.0, 1.5]
    x.grad.zero_()
    (3 * x.log()).sum().backward()
    assert x.grad.tolist() == [3.0, 1.5, 0.75]


@ENGINES
def test_graph_built_on_the_fly(m: ModuleType) -> None:
    x = m.arange(1.0, 6.0).requires_grad_()
    value = m.dot(x, x)
    value.backward()
    assert value.item() == 55
    assert x.grad.tolist() == [2, 4, 6, 8, 10]


@ENGINES
def test_recurrent_cell(m: ModuleType) -> None:
    x, h = m.ones(1, 4), m.zeros(1, 3)
    w_x = m.full((4, 3), 0.5).requires_grad_()
    w_h = m.full((3, 3), 0.25).requires_grad_()
    for _ in range(3):
        h = (x @ w_x + h @ w_h).tanh()
    h.sum().backward()
    assert h[0, 0].item() == pytest.approx(np.tanh(2 + 0.75 * np.tanh(2 + 0.75 * np.tanh(2))), rel=1e-6)
    slope = 0.0  # of h by one entry of w_x: three steps, each (1 - h^2) (x + 0.75 slope)
    state = 0.0
    for _ in range(3):
        state = np.tanh(2 + 0.75 * state)
        slope = (1 - state**2) * (1 + 0.75 * slope)
    assert w_x.grad.sum().item() == pytest.approx(12 * slope, rel=1e-5)


@pytest.mark.parametrize(
    ("lr", "losses"), [(0.1, [0.0, 0.0, 0.0]), (0.2, [1.0, 1.0, 1.0]), (0.25, [2.25, 5.0625])]
)
def test_rates_of_descent(lr: float, losses: list[float]) -> None:
    x, w = autograd.ones(5, dtype="float64"), autograd.zeros(5, dtype="float64", requires_grad=True)
    for expected in losses:
        loss = (1 - x @ w) ** 2
        loss.backward()
        with autograd.no_grad():
            w -= lr * w.grad
            w.grad.zero_()
            assert ((1 - x @ w) ** 2).item() == pytest.approx(expected, abs=1e-12)
        if lr == 0.1:
            np.testing.assert_allclose(w.detach().numpy(), 0.2)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_chain_rule_worked_through(p: int, q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(p, q)), rng.normal(size=q)
    t = autograd.tensor(x, requires_grad=True)
    ((autograd.tensor(w) @ t**2) ** 2).sum().backward()
    expected = [
        4 * x[k] * sum(w[j, k] * sum(w[j, i] * x[i] ** 2 for i in range(q)) for j in range(p))
        for k in range(q)
    ]
    np.testing.assert_allclose(t.grad.numpy(), expected, rtol=1e-10, atol=1e-12)


# Shapes, by hypothesis.


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_broadcasting_of_any_shapes(data: st.DataObject) -> None:
    full = data.draw(st.lists(st.integers(1, 4), max_size=4))

    def part() -> tuple[int, ...]:
        kept = full[data.draw(st.integers(0, len(full))) :]
        return tuple(data.draw(st.sampled_from([1, n])) for n in kept)

    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=part())) for _ in range(3)]
    results = []
    for m in (autograd, torch):
        a, b, c = (m.tensor(x, requires_grad=True) for x in arrays)
        out = (a * b + c - b / (1 + a * a)).sum()
        out.backward()
        results.append([out.item(), *(t.grad.numpy() for t in (a, b, c))])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3),
    st.integers(1, 3), st.integers(0, 2), st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_convolutions_of_any_shape(
    n: int, c: int, o: int, kh: int, kw: int, stride: int, padding: int, more_h: int, more_w: int
) -> None:  # fmt: skip
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, c, kh + more_h, kw + more_w))
    w, b = rng.normal(size=(o, c, kh, kw)), rng.normal(size=o)
    results = []
    for m in (autograd, torch):
        functional = m.nn.functional
        tensors = [m.tensor(array, requires_grad=True) for array in (x, w, b)]
        out = functional.conv2d(*tensors, stride=stride, padding=padding)
        pooled = functional.max_pool2d(out, min(2, *out.shape[2:]))
        (pooled * pooled).sum().backward()
        results.append([pooled.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


# Errors, where PyTorch has them.


def _freed(m: Any) -> Any:
    x = m.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    return y.backward


def _changed(m: Any) -> Any:
    x = m.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    y.add_(1)
    return z.sum().backward


def _changed_result(m: Any) -> Any:
    x = m.ones(2, requires_grad=True)
    y = x.tanh()
    y.detach().zero_()
    return y.sum().backward


MISUSES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an integer requires gradients": (lambda m: m.tensor([1, 2], requires_grad=True), "floating"),
    "the flag set on an integer": (lambda m: m.tensor(1).requires_grad_(), "floating"),
    "backward twice": (lambda m: _freed(m)(), "second time"),
    "in place on a needed value": (lambda m: _changed(m)(), "in-?place"),
    "in place on a needed result": (lambda m: _changed_result(m)(), "in-?place"),
    "in place on a leaf": (lambda m: m.ones(2, requires_grad=True).add_(1), "leaf"),
    "in place on a view of a leaf": (lambda m: m.ones(2, requires_grad=True)[0].add_(1), "view of a leaf"),
    "assignment into a leaf": (lambda m: m.ones(2, requires_grad=True).__setitem__(0, 3.0), "leaf"),
    "no scalar": (lambda m: (m.ones(2, requires_grad=True) * 2).backward(), "scalar"),
    "no gradient required": (lambda m: m.ones(2).sum().backward(), "require"),
    "backward after no_grad": (lambda m: _silent(m).backward(), "require"),
    "a gradient of another shape": (lambda m: (m.ones(2, requires_grad=True) * 2).backward(m.ones(3)), "shape"),
    "numpy() with gradients": (lambda m: m.ones(2, requires_grad=True).numpy(), "detach"),
    "the flag of a result": (lambda m: setattr(m.ones(2, requires_grad=True) * 2, "requires_grad", False), "leaf"),
    "shapes that do not broadcast": (lambda m: m.ones(3, 2) + m.ones(4), r"shape|size"),
    "matmul": (lambda m: m.ones(64, 784) @ m.ones(100, 10), "784"),
    "linear": (lambda m: m.nn.functional.linear(m.ones(2, 5), m.ones(3, 4)), "5|4"),
    "conv2d": (lambda m: m.nn.functional.conv2d(m.ones(1, 3, 8, 8), m.ones(4, 2, 3, 3)), "channels"),
    "a window too large": (lambda m: m.nn.functional.max_pool2d(m.ones(1, 1, 2, 2), 3), "size|fit|small"),
    "a kernel too large": (lambda m: m.nn.functional.conv2d(m.ones(1, 1, 2, 2), m.ones(1, 1, 3, 3)), "size|fit"),
    "reshape": (lambda m: m.ones(6).reshape(4, 2), "shape"),
    "stored in an integer": (lambda m: m.ones(2).long().add_(0.5), "int64|Long"),
    "in place with a larger result": (lambda m: m.ones(2).add_(m.ones(3, 2)), "shape"),
    "mean of integers": (lambda m: m.ones(2).long().mean(), "float"),
    "retain_grad": (lambda m: m.ones(2).retain_grad(), "require"),
    "grad of something unused": (lambda m: _grad(m)(_two(m)[0].sum(), _two(m)[1]), "used|depend"),
    "item of many": (lambda m: m.ones(2).item(), "element|scalar"),
    "truth of many": (lambda m: bool(m.ones(2)), "ambiguous|neither"),
    "batch norm of one": (lambda m: m.nn.functional.batch_norm(m.ones(1, 3), None, None, training=True), "more than"),
    "a parameter of another shape": (lambda m: m.nn.Linear(2, 3).load_state_dict({"weight": m.ones(2, 2), "bias": m.ones(3)}), "weight"),
    "a parameter missing": (lambda m: m.nn.Linear(2, 3).load_state_dict({"weight": m.ones(3, 2)}), "bias"),
}  # fmt: skip


def _silent(m: Any) -> Any:
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        return x.sum()


def _two(m: Any) -> Any:
    return m.ones(2, requires_grad=True), m.ones(2, requires_grad=True)


def _grad(m: Any) -> Any:
    return m.grad if m is autograd else m.autograd.grad


@ENGINES
@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_refused(m: ModuleType, name: str) -> None:
    misuse, word = MISUSES[name]
    with pytest.raises((RuntimeError, ValueError) if m is torch else AutogradError, match=f"(?i){word}"):
        misuse(m)


@pytest.mark.parametrize("name", MISUSES)
def test_errors_are_one_line(name: str) -> None:
    with pytest.raises(AutogradError) as caught:
        MISUSES[name][0](autograd)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda F: F.cross_entropy(autograd.ones(2, 3), autograd.tensor([0, 3])), "class 3"),
        (lambda F: F.cross_entropy(autograd.ones(2, 3), autograd.tensor([0.0, 1.0])), "float32"),
        (lambda F: F.cross_entropy(autograd.ones(2, 3), autograd.tensor([0, 1, 2])), r"\(2,\)"),
        (lambda F: F.nll_loss(autograd.ones(2, 3), autograd.tensor([0, -1])), "class -1"),
        (lambda F: F.mse_loss(autograd.ones(2), autograd.ones(2), reduction="avg"), "'avg'"),
        (lambda F: F.cross_entropy(autograd.ones(2, 3), autograd.tensor([0, 1]), reduction="avg"), "'avg'"),
        (lambda F: F.binary_cross_entropy(autograd.tensor([2.0]), autograd.tensor([1.0])), "probabilities"),
        (lambda F: F.dropout(autograd.ones(2), 1.5), "between 0 and 1"),
        (lambda F: F.layer_norm(autograd.ones(2, 3), (4,)), r"\(4,\)"),
        (lambda F: F.group_norm(autograd.ones(2, 3, 1, 1), 2), "2 groups"),
        (lambda F: F.conv2d(autograd.ones(3, 3), autograd.ones(1, 1, 1, 1)), r"\(N, C, H, W\)"),
        (lambda F: F.conv2d(autograd.ones(1, 1, 4, 4), autograd.ones(1, 1, 2, 2), padding="same"), "'same'"),
        (lambda F: F.max_pool2d(autograd.ones(1, 1, 4, 4), 2, padding=2), "half"),
        (lambda F: F.pad(autograd.ones(2), (1, 1), mode="reflect"), "constant"),
        (lambda F: autograd.cat([]), "at least one"),
        (lambda F: autograd.stack([]), "at least one"),
        (lambda F: autograd.tensor("text"), "numbers"),
        (lambda F: autograd.tensor([[1.0], [2.0, 3.0]]), "cannot read"),
        (lambda F: autograd.from_numpy([1.0]), "list"),
        (lambda F: autograd.ones(2).to("cuda"), "CPU"),
        (lambda F: autograd.set_default_dtype("int64"), "float32 or float64"),
        (lambda F: autograd.ones(2).__setitem__(5, 1.0), "assignment"),
        (lambda F: autograd.ones(2)[5], "getitem"),
    ],
)
def test_mistakes_are_named(call: Callable[[Any], Any], word: str) -> None:
    with pytest.raises(AutogradError, match=word):
        call(autograd.nn.functional)


@pytest.mark.parametrize(
    "call",
    [
        lambda: autograd.softmax(autograd.ones(2)),
        lambda: autograd.exp(),
        lambda: autograd.exp(autograd.ones(1), 2),
        lambda: autograd.sum(autograd.ones(1), axis=0),
        lambda: len(autograd.tensor(1.0)),
        lambda: list(autograd.tensor(1.0)),
        lambda: [1][autograd.tensor(0.0)],
    ],
)
def test_wrong_calls_are_type_errors(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        call()


# Memory, flags and gradients.


@ENGINES
def test_numpy_shares_memory(m: ModuleType) -> None:
    a = np.zeros(3)
    t = m.from_numpy(a)
    t.add_(1)
    a[0] = 5
    assert t.tolist() == [5, 1, 1]
    assert t.numpy() is a or np.shares_memory(t.numpy(), a)
    u = m.tensor(a)
    u.zero_()
    assert a.tolist() == [5, 1, 1]
    assert t.dtype == (np.float64 if m is autograd else torch.float64)


@ENGINES
def test_detach_shares_memory_and_forgets(m: ModuleType) -> None:
    x = m.ones(3, requires_grad=True)
    d = x.detach()
    assert not d.requires_grad
    d[0] = 7
    assert x[0].item() == 7
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [7, 1, 1]


@ENGINES
def test_switches(m: ModuleType) -> None:
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        assert not (x * 2).requires_grad
        with m.enable_grad():
            assert (x * 2).requires_grad
        assert not m.is_grad_enabled()
    assert m.is_grad_enabled()
    m.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    m.set_grad_enabled(True)

    @m.no_grad()
    def silent() -> bool:
        return bool((x * 2).requires_grad)

    assert not silent()


@ENGINES
def test_retained_gradients(m: ModuleType) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.retain_grad()
    z = y * 3
    z.sum().backward()
    assert y.grad.tolist() == [3, 3]
    assert x.grad.tolist() == [6, 12]
    assert y.retains_grad


@ENGINES
def test_retained_graph(m: ModuleType) -> None:
    x = m.tensor(3.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12


@ENGINES
def test_sums_can_be_gone_through_twice(m: ModuleType) -> None:
    x = m.ones(2, requires_grad=True)
    y = (x + 2).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2, 2]


@ENGINES
def test_gradients_of_two_leaves_do_not_share_memory(m: ModuleType) -> None:
    a, b = m.zeros(2, requires_grad=True), m.zeros(2, requires_grad=True)
    (a + b).backward(m.ones(2))
    a.grad.add_(5)
    assert b.grad.tolist() == [1, 1]


@ENGINES
def test_backward_from_a_leaf(m: ModuleType) -> None:
    x = m.tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1


@ENGINES
def test_grad_of_results_and_leaves(m: ModuleType) -> None:
    grad = _grad(m)
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    g_x, g_y = grad((y * 3).sum(), [x, y])
    assert g_x.tolist() == [6, 12]
    assert g_y.tolist() == [3, 3]
    assert x.grad is None
    unused = m.ones(1, requires_grad=True)
    assert grad((x * 1).sum(), [unused], allow_unused=True) == (None,)


@ENGINES
def test_diamond(m: ModuleType) -> None:
    x = m.tensor(2.0, requires_grad=True)
    a = x * 3
    b = a * a + a
    c = b * a + b
    c.backward()
    assert x.grad.item() == 3 * (3 * 36 + 4 * 6 + 1)


@ENGINES
def test_a_view_sees_a_later_recorded_change(m: ModuleType) -> None:
    w = m.tensor(2.0, requires_grad=True)
    rows = m.zeros(2, 2)
    first = rows[0]
    rows.mul_(0).add_(w)
    (first * 3).sum().backward()
    assert w.grad.item() == 6


@ENGINES
def test_leaf_changed_without_recording(m: ModuleType) -> None:
    w = m.ones(2, requires_grad=True)
    (w * 3).sum().backward()
    with m.no_grad():
        w -= w.grad
    assert w.is_leaf
    assert w.requires_grad
    assert w.tolist() == [-2, -2]


def test_long_chains() -> None:
    x = autograd.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(30_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y


# Types and printing.


TYPES: list[Callable[[Any], Any]] = [
    lambda m: m.tensor(1), lambda m: m.tensor(1.0), lambda m: m.tensor(True), lambda m: m.tensor([1, 2.5]),
    lambda m: m.tensor(np.ones(2)), lambda m: m.tensor([1, 2]) + 1, lambda m: m.tensor([1, 2]) * 1.5,
    lambda m: m.tensor([1, 2]) / 2, lambda m: m.tensor([1, 2]) / m.tensor([2, 3]), lambda m: m.tensor([1, 2]).exp(),
    lambda m: m.tensor([1, 2]) * m.ones(2), lambda m: m.ones(2).double() * m.ones(2), lambda m: m.ones(2) * m.tensor(2.0).double(),
    lambda m: m.tensor(2).double() * m.tensor([1, 2]), lambda m: m.ones(2) > 0, lambda m: (m.ones(2) > 0) * 2,
    lambda m: (m.ones(2) > 0) * m.ones(2), lambda m: m.ones(2).sum(), lambda m: m.tensor([True, False]).sum(),
    lambda m: m.tensor([1, 2]).sum(), lambda m: m.ones(3).argmax(), lambda m: m.arange(3), lambda m: m.arange(3.0),
    lambda m: m.zeros(2).long() + m.ones(2).int(), lambda m: 2 * m.ones(2).double(), lambda m: m.tensor([1, 2]) ** 2,
    lambda m: m.linspace(0, 1, 3), lambda m: m.eye(2), lambda m: m.tensor([1, 2]).float(),
    lambda m: m.full((2,), 1.0), lambda m: m.full((2,), 1), lambda m: m.tensor([m.tensor(1.0), m.tensor(2.0)]),
    lambda m: m.maximum(m.ones(2), m.ones(2).double()), lambda m: m.tensor([1, 2]).abs(), lambda m: m.ones_like(m.tensor([1])),
]  # fmt: skip


@pytest.mark.parametrize("make", TYPES)
def test_type_of_the_result(make: Callable[[Any], Any]) -> None:
    ours, theirs = make(autograd), make(torch)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.shape == tuple(theirs.shape)
    assert ours.tolist() == theirs.tolist()


REPRS: list[Callable[[Any], Any]] = [
    lambda m: m.tensor([1.0, 2.0]), lambda m: m.tensor([1.5, -2.25]), lambda m: m.ones(2, 2, requires_grad=True),
    lambda m: m.tensor(3), lambda m: m.tensor([True, False]), lambda m: m.tensor(2.5), lambda m: m.tensor([[1, 20], [300, 4]]),
    lambda m: m.ones(2).double(), lambda m: m.tensor([0.00001, 1.0]), lambda m: m.tensor([float("nan"), 1.0, float("inf")]),
    lambda m: m.zeros(2, 1, 2), lambda m: m.tensor([]), lambda m: m.tensor([1e9, 1.0]), lambda m: m.tensor([-1.0, 10.0]),
]  # fmt: skip


@pytest.mark.parametrize("make", REPRS)
def test_printed_as_torch(make: Callable[[Any], Any]) -> None:
    assert repr(make(autograd)) == repr(make(torch)).replace("torch.", "")


def test_printed_with_its_operation() -> None:
    x = autograd.ones(2, requires_grad=True)
    assert repr(x * 2) == "tensor([2., 2.], grad_fn=<MulBackward>)"
    assert f"{(x * 2).sum():.1f}" == "4.0"
    assert repr(autograd.nn.Parameter(autograd.ones(1))).splitlines()[1] == "tensor([1.], requires_grad=True)"


def test_arrays_and_tensors_mix() -> None:
    x = autograd.ones(2, dtype="float64", requires_grad=True)
    (np.array([1.0, 2.0]) * x + np.float64(3) * x).sum().backward()
    assert x.grad.tolist() == [4, 5]
    assert (np.array([3.0, 1.0]) > x).tolist() == [True, False]
    assert np.asarray(x.detach()).tolist() == [1, 1]


@ENGINES
def test_names_in_the_graph(m: ModuleType) -> None:
    a, b = m.ones(2, requires_grad=True), m.ones(2)
    node = (a.exp() * b).grad_fn
    assert [f if f is None else f.name().rstrip("0") for f, _ in node.next_functions] == ["ExpBackward", None]
    ((leaf, _),) = node.next_functions[0][0].next_functions
    assert leaf.variable is a
    assert "AccumulateGrad" in leaf.name()
