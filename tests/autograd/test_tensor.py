"""What a tensor is and may not do: leaves, memory, accumulated gradients, errors; beside PyTorch's."""

from __future__ import annotations

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


def _twice(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def _changed_input(m: Any) -> None:
    y = m.ones(2, requires_grad=True) * 2
    z = y * y
    y.add_(1)
    z.sum().backward()


def _changed_result(m: Any) -> None:
    y = m.ones(2, requires_grad=True).tanh()
    y.detach().zero_()
    y.sum().backward()


def _silent(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        y = x.sum()
    y.backward()


def _unused(m: Any) -> None:
    x, y = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True)
    _grad(m)(x.sum(), y)


def _grad(m: Any) -> Any:
    return m.grad if m is autograd else m.autograd.grad


STEPS: dict[str, Any] = {
    "twice": _twice, "changed_input": _changed_input, "changed_result": _changed_result, "silent": _silent,
    "unused": _unused, "needs": lambda m: m.ones(2, requires_grad=True),
}  # fmt: skip

#: What is done wrong (`m` is the engine, `needs(m)` a leaf that requires gradients): a word of the message.
MISUSES = {
    "m.tensor([1, 2], requires_grad=True)": "floating",
    "m.tensor(1).requires_grad_()": "floating",
    "twice(m)": "second time",
    "changed_input(m)": "in-?place",
    "changed_result(m)": "in-?place",
    "needs(m).add_(1)": "leaf",
    "needs(m)[0].add_(1)": "view of a leaf",
    "needs(m).__setitem__(0, 3.0)": "leaf",
    "(needs(m) * 2).backward()": "scalar",
    "m.ones(2).sum().backward()": "require",
    "silent(m)": "require",
    "unused(m)": "used|depend",
    "(needs(m) * 2).backward(m.ones(3))": "shape",
    "needs(m).numpy()": "detach",
    "setattr(needs(m) * 2, 'requires_grad', False)": "leaf",
    "m.ones(2).retain_grad()": "require",
    "m.ones(3, 2) + m.ones(4)": "shape|size",
    "m.ones(64, 784) @ m.ones(100, 10)": "784",
    "m.nn.functional.linear(m.ones(2, 5), m.ones(3, 4))": "5|4",
    "m.nn.functional.conv2d(m.ones(1, 3, 8, 8), m.ones(4, 2, 3, 3))": "channels",
    "m.nn.functional.conv2d(m.ones(1, 1, 2, 2), m.ones(1, 1, 3, 3))": "size|fit",
    "m.nn.functional.max_pool2d(m.ones(1, 1, 2, 2), 3)": "size|fit|small",
    "m.nn.functional.batch_norm(m.ones(1, 3), None, None, training=True)": "more than",
    "m.ones(6).reshape(4, 2)": "shape",
    "m.ones(2).long().add_(0.5)": "int64|Long",
    "m.ones(2).add_(m.ones(3, 2))": "shape",
    "m.ones(3).expand(-1, 3)": "-1",
    "m.ones(1).expand(3).add_(1)": "clone",
    "m.tensor([True]).add_(1)": "bool",
    "m.nn.functional.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), stride=0)": "stride",
    "m.nn.functional.max_pool2d(m.ones(1, 1, 4, 4), 2, stride=0)": "stride",
    "m.nn.functional.one_hot(m.tensor([0, 5]), 3)": "class",
    "m.nn.functional.binary_cross_entropy(m.ones(3, 1), m.ones(3))": "size|shape",
    "m.nn.functional.binary_cross_entropy_with_logits(m.ones(3, 1), m.ones(3))": "size|shape",
    "m.nn.init.xavier_uniform_(m.ones(3))": "dimensions",
    "m.ones(2).long().mean()": "float",
    "m.ones(2, 2) @ m.ones(2, 2).double()": "dtype|convert",
    "m.nn.functional.linear(m.ones(2, 4).double(), m.ones(3, 4))": "dtype|convert",
    "m.nn.functional.conv2d(m.ones(1, 1, 4, 4).long(), m.ones(1, 1, 2, 2))": "type|convert",
    "m.ones(2).item()": "element|scalar",
    "bool(m.ones(2))": "ambiguous|neither",
    "m.nn.Linear(2, 3).load_state_dict({'weight': m.ones(2, 2), 'bias': m.ones(3)})": "weight",
    "m.nn.Linear(2, 3).load_state_dict({'weight': m.ones(3, 2)})": "bias",
}


@ENGINES
@pytest.mark.parametrize("text", MISUSES)
def test_misuse_is_refused(m: ModuleType, text: str) -> None:
    refused = (RuntimeError, ValueError) if m is torch else AutogradError
    with pytest.raises(refused, match=f"(?i){MISUSES[text]}"):
        eval(text, {**STEPS, "m": m})


@pytest.mark.parametrize("text", MISUSES)
def test_errors_are_one_line(text: str) -> None:
    with pytest.raises(AutogradError) as caught:
        eval(text, {**STEPS, "m": autograd})
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


#: Mistakes that only our messages name exactly.
MISTAKES = {
    "F.cross_entropy(m.ones(2, 3), m.tensor([0, 3]))": "class 3",
    "F.cross_entropy(m.ones(2, 3), m.tensor([0.0, 1.0]))": "float32",
    "F.cross_entropy(m.ones(2, 3), m.tensor([0, 1, 2]))": r"\(2,\)",
    "F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), reduction='avg')": "'avg'",
    "F.nll_loss(m.ones(2, 3), m.tensor([0, -1]))": "class -1",
    "F.nll_loss(m.ones(2, 3), m.ones(2, 3))": "integers",
    "F.mse_loss(m.ones(2), m.ones(2), reduction='avg')": "'avg'",
    "F.binary_cross_entropy(m.tensor([2.0]), m.tensor([1.0]))": "probabilities",
    "F.dropout(m.ones(2), 1.5)": "between 0 and 1",
    "F.layer_norm(m.ones(2, 3), (4,))": r"\(4,\)",
    "F.group_norm(m.ones(2, 3, 1, 1), 2)": "2 groups",
    "F.conv2d(m.ones(3, 3), m.ones(1, 1, 1, 1))": r"\(N, C, H, W\)",
    "F.conv2d(m.ones(1, 3, 4, 4), m.ones(4, 1, 1, 1), groups=2)": "in 2 groups",
    "F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), padding='same')": "'same'",
    "F.max_pool2d(m.ones(1, 1, 4, 4), 2, padding=2)": "half",
    "F.pad(m.ones(2), (1, 1), mode='reflect')": "constant",
    "m.nn.BatchNorm2d(2)(m.ones(3, 2))": "dimensions",
    "m.cat([])": "at least one",
    "m.stack([])": "at least one",
    "m.tensor('text')": "numbers",
    "m.tensor([[1.0], [2.0, 3.0]])": "cannot read",
    "m.from_numpy([1.0])": "list",
    "m.ones(2).to('cuda')": "CPU",
    "m.set_default_dtype('int64')": "float32 or float64",
    "m.ones(2).__setitem__(5, 1.0)": "assignment",
    "m.ones(2)[5]": "getitem",
    "m.tensor(np.ones(2, np.uint8)) + 300": "300",
    "m.ones(2, 3).norm(3)": "norm",
    "F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), groups=0)": "groups",
    "m.numerical_gradient(lambda: 0.0, np.array([1, 2]))": "float64",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text: str) -> None:
    with pytest.raises(AutogradError, match=MISTAKES[text]):
        eval(text, {"m": autograd, "F": autograd.nn.functional, "np": np})


@pytest.mark.parametrize(
    "text",
    [
        "m.softmax(m.ones(2))",
        "m.exp()",
        "m.exp(m.ones(1), 2)",
        "m.sum(m.ones(1), axes=0)",
        "len(m.tensor(1.0))",
        "list(m.tensor(1.0))",
        "[1][m.tensor(0.0)]",
    ],
)
def test_wrong_calls_are_type_errors(text: str) -> None:
    with pytest.raises(TypeError):
        eval(text, {"m": autograd})


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

    @m.no_grad
    def silent_too() -> bool:
        return bool((x * 2).requires_grad)

    @m.set_grad_enabled(False)
    def set_to_silent() -> bool:
        return bool((x * 2).requires_grad)

    @m.no_grad()
    def steps() -> Any:
        while True:
            yield (x * 2).requires_grad

    assert m.is_grad_enabled()
    assert not silent_too()
    assert not set_to_silent()
    silently = steps()
    assert not next(silently)
    assert m.is_grad_enabled()
    assert not silently.send(None)
    assert silent_too.__name__ == "silent_too"


def test_a_generator_under_a_switch_ends_and_is_sent_to() -> None:
    @autograd.no_grad()
    def steps() -> Any:
        sent = yield autograd.is_grad_enabled()
        return sent

    running = steps()
    assert next(running) is False
    with pytest.raises(StopIteration) as end:
        running.send("word")
    assert end.value.value == "word"


@ENGINES
def test_no_number_is_just_unequal(m: ModuleType) -> None:
    assert (m.ones(2) == None) is False  # noqa: E711
    assert (m.ones(2) != "text") is True


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


@ENGINES
def test_what_shows_the_same_memory_knows_it(m: ModuleType) -> None:
    w = m.ones(2, 3, requires_grad=True)
    x = w * 2
    x.squeeze(0).mul_(3.0)  # nothing to squeeze: still a view
    (x * x).sum().backward()
    assert w.grad.tolist() == [[72] * 3] * 2
    y = m.arange(3.0)
    m.flip(y, (0,)).zero_()  # no view
    assert y.tolist() == [0, 1, 2]


def test_an_operation_that_returns_its_input_makes_a_view() -> None:
    @autograd.op
    def as_it_is(x: Any) -> Any:
        return x

    autograd.vjp(as_it_is)(lambda g: g)
    w = autograd.ones(2, requires_grad=True)
    x = w * 2
    as_it_is(x).mul_(3.0)
    (x * x).sum().backward()
    assert w.grad.tolist() == [72, 72]
    del autograd.graph.OPS["as_it_is"]


def test_an_index_that_changes_later_does_not_move_the_gradient() -> None:
    w = autograd.arange(3.0).requires_grad_()
    for index in (autograd.tensor([0, 1]), np.array([0, 1])):
        part = (w * 2)[index]
        index[0] = 2
        w.grad = None
        part.sum().backward()
        assert w.grad.tolist() == [2, 2, 0]


@ENGINES
def test_a_view_requires_gradients_once_its_base_does(m: ModuleType) -> None:
    w = m.full((3,), 2.0, requires_grad=True)
    x = m.ones(3)
    first = x[0]
    x.mul_(w)
    assert first.requires_grad
    first.backward()
    assert w.grad.tolist() == [1, 0, 0]


# Types and printing.


TYPES = """
    m.tensor(1)
    m.tensor(1.0)
    m.tensor(True)
    m.tensor([1, 2.5])
    m.tensor(np.ones(2))
    m.tensor([1, 2]) + 1
    m.tensor([1, 2]) * 1.5
    m.tensor([1, 2]) / 2
    m.tensor([1, 2]) / m.tensor([2, 3])
    m.tensor([1, 2]).exp()
    m.tensor([1, 2]) * m.ones(2)
    m.ones(2).double() * m.ones(2)
    m.ones(2) * m.tensor(2.0).double()
    m.tensor(2).double() * m.tensor([1, 2])
    m.ones(2) > 0
    (m.ones(2) > 0) * 2
    (m.ones(2) > 0) * m.ones(2)
    m.ones(2).sum()
    m.tensor([True, False]).sum()
    m.tensor([1, 2]).sum()
    m.ones(3).argmax()
    m.arange(3)
    m.arange(3.0)
    m.zeros(2).long() + m.ones(2).int()
    2 * m.ones(2).double()
    m.tensor([1, 2]) ** 2
    m.linspace(0, 1, 3)
    m.eye(2)
    m.tensor([1, 2]).float()
    m.full((2,), 1.0)
    m.full((2,), 1)
    m.tensor([m.tensor(1.0), m.tensor(2.0)])
    m.maximum(m.ones(2), m.ones(2).double())
    m.tensor([1, 2]).abs()
    m.ones_like(m.tensor([1]))
    m.tensor(np.array([200, 100], np.uint8)).sum()
    m.tensor(np.array([200, 100], np.uint8)).prod()
    m.tensor(np.array([200, 100], np.uint8)).sum() + m.tensor([1, 2])
    m.tensor(np.array([225, 0], np.uint8)).sqrt()
    m.tensor(np.array([0, 200], np.uint8)).sigmoid()
    m.where(m.tensor([True, False]), m.ones(2), m.tensor([1, 2]))
    m.where(m.tensor([True, False]), 1.0, 0.0)
    m.where(m.tensor([True, False]), m.ones(2), 0)
    m.cat([m.ones(2), m.tensor([1, 2])])
    m.stack([m.ones(2), m.tensor([1, 2])])
    m.tensor(3.0).flatten()
    m.ones(0, 3).sum(1)
    m.arange(3.0)[[]]
""".strip().splitlines()


@pytest.mark.parametrize("text", [line.strip() for line in TYPES])
def test_type_of_the_result(text: str) -> None:
    ours, theirs = (eval(text, {"m": m, "np": np}) for m in (autograd, torch))
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.shape == tuple(theirs.shape)
    assert ours.tolist() == theirs.tolist()


REPRS = """
    m.tensor([1.0, 2.0])
    m.ones(2, 2, requires_grad=True)
    m.zeros(30, requires_grad=True)
    m.ones(2).double()
    m.tensor([0.00001, 1.0])
    m.tensor([float("nan"), 1.0, float("inf")])
    m.tensor([])
    m.zeros(2, 0)
    m.tensor([], dtype=m.int64)
    m.tensor([1e8, 1.0])
    m.tensor([1e9, 1.0])
    m.tensor([0.0, -0.0, 0.25])
    m.tensor(200, dtype=m.uint8)
    m.nn.Parameter(m.ones(30, 2) / 3)
""".strip().splitlines()


@pytest.mark.parametrize("text", [line.strip() for line in REPRS])
def test_printed_as_torch(text: str) -> None:
    ours, theirs = (repr(eval(text, {"m": m, "float": float})) for m in (autograd, torch))
    assert ours == theirs.replace("torch.", "")


@pytest.mark.parametrize(
    "shape", [(), (1,), (40,), (3, 30), (2, 3, 4), (2, 1, 2, 2), (1001,), (40, 40), (3, 400)]
)
@pytest.mark.parametrize(
    "values", ["normal", "small", "large", "whole", "spread", "nan", "integers", "bools"]
)
def test_numbers_are_printed_as_torch(values: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    arrays = {
        "normal": x, "small": 1e-5 * x, "large": 1e4 * x, "whole": np.rint(5 * x), "spread": np.exp(5 * x),
        "nan": np.where(x > 1, np.nan, x), "integers": rng.integers(-9, 10_000, shape), "bools": x > 0,
    }  # fmt: skip
    array = np.asarray(arrays[values])
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    assert repr(autograd.tensor(array)) == repr(torch.tensor(array))


OPTIONS = [
    {"precision": 2},
    {"sci_mode": False},
    {"sci_mode": True},
    {"threshold": 5, "edgeitems": 1, "linewidth": 40},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_print_options(options: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None,
    }  # fmt: skip
    array = np.exp(3 * np.random.default_rng(0).normal(size=(4, 30))).astype(np.float32)
    try:
        for m in (autograd, torch):
            m.set_printoptions(**options)
        assert repr(autograd.tensor(array)) == repr(torch.tensor(array))
    finally:
        for m in (autograd, torch):
            m.set_printoptions(**usual)


def test_formatted_as_torch() -> None:
    texts = []
    for m in (autograd, torch):
        loss, row = m.tensor(2.56789, requires_grad=True), m.tensor([1.5, 2.0])
        texts.append(
            [f"{loss}", f"{loss:.2f}", f"{loss:>9.1f}", f"{m.tensor(3):d}", f"{row}", f"{m.tensor(True)}"]
        )
        with pytest.raises(TypeError, match="format"):
            f"{row:.2f}"
    assert texts[0] == texts[1]


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
