"""Functions called with gradients on their way, beside PyTorch's."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import pytest
import torch

from nablab import autograd
from nablab.autograd import AutogradError, gradient_hooks

ENGINES = pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])


@ENGINES
def test_hooks_see_gradients_in_order(m: ModuleType) -> None:
    seen: list[tuple[str, Any]] = []
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    z = y.exp().sum() + (3 * y).sum()
    for name, tensor in (("x", x), ("y", y), ("z", z)):
        tensor.register_hook(lambda g, name=name: seen.append((name, g.tolist())))
    z.backward()
    slope = [3 + m.exp(m.tensor(1.0)).item(), 3 + m.exp(m.tensor(4.0)).item()]
    assert [name for name, _ in seen] == ["z", "y", "x"]
    assert seen[0][1] == 1.0
    assert seen[1][1] == pytest.approx(slope)
    assert seen[2][1] == pytest.approx([2 * slope[0], 4 * slope[1]])
    assert x.grad.tolist() == seen[2][1]


@ENGINES
def test_hooks_change_gradients(m: ModuleType) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    later = (y * y).sum()  # computed before the hook is there
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g + 1)
    handle = x.register_hook(lambda g: -g)
    y.retain_grad()
    (later + (y * 1).sum()).backward()
    assert y.grad.tolist() == [71, 131]
    assert x.grad.tolist() == [-213, -393]
    handle.remove()
    handle.remove()
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


@ENGINES
def test_hooks_run_each_time_and_may_keep_what_they_saw(m: ModuleType) -> None:
    kept: list[Any] = []
    x = m.ones(2, requires_grad=True)
    x.register_hook(kept.append)
    y = x * 2
    y.register_hook(kept.append)
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert [g.tolist() for g in kept] == [[4, 4], [8, 8]] * 2
    assert x.grad.tolist() == [16, 16]
    with pytest.raises((AutogradError, RuntimeError), match="second time"):
        loss.backward()


@ENGINES
def test_hooks_of_a_scalar_product_and_of_grad(m: ModuleType) -> None:
    w, x = m.tensor([1.0, -2.0], requires_grad=True), m.tensor([3.0, 0.5], requires_grad=True)
    w.register_hook(lambda g: g.clamp(-1, 1))
    (w @ x).backward()
    assert (w.grad.tolist(), x.grad.tolist()) == ([1, 0.5], [1, -2])
    grad = autograd.grad if m is autograd else torch.autograd.grad
    assert grad(w @ x, w)[0].tolist() == [1, 0.5]


@ENGINES
def test_only_where_gradients_arrive(m: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="require"):
        m.ones(2).register_hook(print)
    x = m.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(RuntimeError, match=r"size|shape"):
        (x * 2).sum().backward()


def test_hooks_go_with_their_tensor() -> None:
    x = autograd.ones(2, requires_grad=True)
    x.register_hook(print)
    assert id(x) in gradient_hooks.of_leaves
    del x
    gc.collect()
    assert not gradient_hooks.of_leaves


def test_a_hook_is_a_node_of_its_own() -> None:
    x = autograd.tensor(2.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * 5)
    told = str(autograd.explain(y, names={"x": x, "y": y}))
    assert "to y: what the hooks make of g = 5" in told
    assert "<svg" in str(autograd.draw(y))


@ENGINES
def test_a_handle_removes_its_own_registration(m: Any) -> None:
    """Of two registrations of one function the first was removed, and by a second `remove()` both."""
    x = m.ones(1, requires_grad=True)
    layer = m.nn.Identity()
    called: list[str] = []

    def often(*_: object) -> None:
        called.append("often")

    def once(*_: object) -> None:
        called.append("once")

    def calls() -> list[str]:
        called.clear()
        layer(x * 2).sum().backward()
        return list(called)

    for register in (x.register_hook, layer.register_forward_hook):
        kept, other, handle = register(often), register(once), register(often)
        assert calls() == ["often", "once", "often"]
        handle.remove()
        handle.remove()
        assert calls() == ["often", "once"]
        with register(often):
            assert calls() == ["often", "once", "often"]
        kept.remove()
        assert calls() == ["once"]
        other.remove()
        assert calls() == []
