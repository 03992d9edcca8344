"""Containers, walks, buffers, hooks and what is done to parameters, by the same program in both engines."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.autograd import AutogradError, nn

ENGINES = pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])


def kinds(modules: Any) -> list[str]:
    return [type(module).__name__ for module in modules]


def names(module: Any) -> list[str]:
    return [name for name, _ in module.named_parameters()]


# Containers.


@ENGINES
def test_sequential_as_a_list(m: Any) -> None:
    n = m.nn
    net = n.Sequential({"first": n.Linear(4, 3), "act": n.ReLU()}) if m is autograd else n.Sequential()
    if m is torch:
        net.add_module("first", n.Linear(4, 3))
        net.add_module("act", n.ReLU())
    assert [name for name, _ in net[:1].named_children()] == ["first"]
    net.append(n.Tanh()).extend([n.Sigmoid(), n.Linear(3, 2)])
    assert [name for name, _ in net.named_children()] == ["first", "act", "2", "3", "4"]
    net[1] = n.LeakyReLU()
    assert kinds(net) == ["Linear", "LeakyReLU", "Tanh", "Sigmoid", "Linear"]
    del net[0]
    assert [name for name, _ in net.named_children()] == ["0", "1", "2", "3"]
    assert type(net.pop(1)).__name__ == "Tanh"
    net.insert(0, n.Linear(5, 4))
    assert kinds(net) == ["Linear", "LeakyReLU", "Sigmoid", "Linear"]
    assert names(net) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    both = net[:1] + n.Sequential(n.Tanh())
    assert type(both) is n.Sequential
    assert both(m.zeros(2, 5)).shape == (2, 4)
    assert type(net[-1]) is n.Linear


@ENGINES
def test_module_list(m: Any) -> None:
    n = m.nn
    layers = n.ModuleList([n.Linear(2, 2), n.ReLU()])
    layers += [n.Tanh()]
    layers.insert(1, n.Linear(2, 2, bias=False))
    layers[0] = n.Linear(2, 2, bias=False)
    assert names(layers) == ["0.weight", "1.weight"]
    del layers[0]
    assert names(layers) == ["0.weight"]
    assert kinds(reversed(list(layers))) == ["Tanh", "ReLU", "Linear"]
    assert kinds(layers + [n.Identity()]) == ["Linear", "ReLU", "Tanh", "Identity"]  # noqa: RUF005
    assert layers[1] in layers
    assert not isinstance(n.Sequential(), n.ModuleList)


@ENGINES
def test_module_dict(m: Any) -> None:
    n = m.nn
    heads = n.ModuleDict({"a": n.Linear(2, 1), "b": n.Linear(2, 1, bias=False)})
    heads["c"] = n.ReLU()
    heads.update([("d", n.Tanh())])
    assert list(heads) == list(heads.keys()) == ["a", "b", "c", "d"]
    assert names(heads) == ["a.weight", "a.bias", "b.weight"]
    assert kinds(heads.values()) == ["Linear", "Linear", "ReLU", "Tanh"]
    assert "a" in heads
    del heads["a"]
    assert type(heads.pop("c")) is n.ReLU
    assert [name for name, _ in heads.items()] == ["b", "d"]
    assert len(heads) == 2
    assert heads["b"](m.ones(3, 2)).shape == (3, 1)
    with pytest.raises((AutogradError, KeyError), match="pop"):
        heads["pop"] = n.ReLU()


@ENGINES
def test_parameter_containers(m: Any) -> None:
    class Net(m.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.steps = m.nn.ParameterList([m.ones(2)])
            self.steps.append(m.zeros(3))
            self.steps.extend([m.nn.Parameter(m.ones(1))])
            self.named = m.nn.ParameterDict({"scale": m.nn.Parameter(m.ones(1))})
            self.named["shift"] = m.nn.Parameter(m.zeros(1))

    net = Net()
    assert names(net) == ["steps.0", "steps.1", "steps.2", "named.scale", "named.shift"]
    assert [p.numel() for p in net.steps] == [2, 3, 1]
    assert all(p.requires_grad for p in net.parameters())
    assert dict(net.named.items()).keys() == {"scale", "shift"}


# Walks, names and buffers.


@ENGINES
def test_names_of_parts(m: Any) -> None:
    n = m.nn
    net = n.Sequential(n.Linear(3, 2), n.Sequential(n.BatchNorm1d(2)))
    net.extra = n.Parameter(m.ones(1))
    assert names(net)[0] == "extra"
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["extra"]
    assert [p.numel() for p in net.parameters(recurse=False)] == [1]
    assert [name for name, _ in net.named_parameters(prefix="net")][:2] == ["net.extra", "net.0.weight"]
    assert list(net.buffers(recurse=False)) == []
    assert next(name for name, _ in net.named_buffers(prefix="x")) == "x.1.0.running_mean"
    assert list(net.state_dict(prefix="net."))[:2] == ["net.extra", "net.0.weight"]
    assert net.get_submodule("1.0") is net[1][0]
    assert net.get_parameter("1.0.weight") is net[1][0].weight
    assert net.get_buffer("1.0.running_var") is net[1][0].running_var
    with pytest.raises(AttributeError if m is torch else AutogradError, match="wieght"):
        net.get_parameter("0.wieght")
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    with pytest.raises(KeyError if m is torch else AutogradError, match="training"):
        net.add_module("training", n.ReLU())


@ENGINES
def test_buffers_that_are_not_saved(m: Any) -> None:
    net = m.nn.Linear(2, 1)
    net.register_buffer("kept", m.zeros(2))
    net.register_buffer("cache", m.zeros(2), persistent=False)
    net.cache = m.ones(2)
    assert list(net.state_dict()) == ["weight", "bias", "kept"]
    assert [name for name, _ in net.named_buffers()] == ["kept", "cache"]
    net.double()
    assert net.cache.dtype == m.float64


@ENGINES
def test_devices_and_dtypes_of_modules(m: Any) -> None:
    net = m.nn.Linear(2, 1)
    assert net.to("cpu", m.float64).weight.dtype == m.float64
    assert net.to(device="cpu").cpu().weight.dtype == m.float64
    assert net.to(dtype=m.float32).weight.dtype == m.float32


@ENGINES
def test_layers_made_in_a_dtype_and_on_a_device(m: Any) -> None:
    n, options = m.nn, {"device": m.device("cpu"), "dtype": m.float64}
    layers = [
        n.Linear(2, 1, **options), n.Conv2d(1, 2, 3, **options), n.ConvTranspose2d(1, 2, 3, **options),
        n.Embedding(3, 2, **options), n.BatchNorm1d(2, **options), n.BatchNorm2d(2, **options),
        n.LayerNorm(2, **options), n.GroupNorm(1, 2, **options), n.InstanceNorm2d(2, affine=True, **options),
    ]  # fmt: skip
    for layer in layers:
        state = layer.state_dict()
        state.pop("num_batches_tracked", None)
        assert {value.dtype for value in state.values()} == {m.float64}
        assert layer.weight.device == m.device("cpu")


@pytest.mark.parametrize("make", [nn.Linear, nn.Embedding, nn.LayerNorm, nn.GroupNorm])
def test_layers_on_no_other_device(make: Any) -> None:
    with pytest.raises(AutogradError, match="CPU"):
        make(2, 2, device="cuda")


# Hooks.


@ENGINES
def test_hooks_see_and_replace(m: Any) -> None:
    n = m.nn
    net = n.Sequential(n.Linear(3, 2), n.Tanh())
    x = m.ones(4, 3)
    plain = net(x)
    seen: list[Any] = []
    handles = [
        layer.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs, output)))
        for layer in net
    ]
    net(x)
    assert [module for module, _, _ in seen] == list(net)
    assert seen[0][1][0] is x
    assert seen[1][1][0] is seen[0][2]
    twin = copy.deepcopy(net)
    twin(x)
    assert seen[2][0] is twin[0]
    for handle in handles:
        handle.remove()
    net(x)
    assert len(seen) == 4
    with net[0].register_forward_pre_hook(lambda module, inputs: inputs[0] * 0):
        np.testing.assert_array_equal(net(x)[0].tolist(), net[1](net[0].bias).tolist())
    with net.register_forward_hook(lambda module, inputs, output: output * 2):
        np.testing.assert_array_equal(net(x).tolist(), (plain * 2).tolist())
    np.testing.assert_array_equal(net(x).tolist(), plain.tolist())


@ENGINES
def test_hooks_see_layers_in_the_order_in_which_they_stand(m: Any) -> None:
    n = m.nn
    net = n.Sequential(n.Conv2d(1, 2, 3), n.ReLU(), n.MaxPool2d(2))
    x = m.ones(1, 1, 6, 6)
    net(x)  # ours pools first, from now on
    shapes: list[tuple[int, ...]] = []
    handle = net[1].register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    out = net(x)
    handle.remove()
    np.testing.assert_array_equal(net(x).tolist(), out.tolist())
    assert shapes == [(1, 2, 4, 4)]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("of_input", [False, True])
def test_backward_hooks_as_torch(of_input: bool) -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(2, 1, 6, 6)), rng.normal(size=(3, 1, 3, 3))
    found = []
    for m in (autograd, torch):
        n = m.nn
        net = n.Sequential(n.Conv2d(1, 3, 3, bias=False), n.Tanh(), n.Flatten()).double()
        with m.no_grad():
            net[0].weight.copy_(m.from_numpy(weights))
        seen: list[Any] = []
        handles = [
            layer.register_full_backward_hook(lambda module, into, out, seen=seen: seen.append((into, out)))
            for layer in net
        ]
        net[1].register_full_backward_hook(lambda module, into, out: (into[0] * 2,))
        x = m.tensor(values, requires_grad=of_input)
        (net(x) ** 2).sum().backward()
        for handle in handles:
            handle.remove()
        (net(x) ** 2).sum().backward()
        gradients = [g for into, out in seen for g in (*into, *out)]
        found.append([*gradients, net[0].weight.grad, x.grad])
    assert len(found[0]) == len(found[1]) == 8
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_backward_hooks_on_what_has_several_inputs() -> None:
    class Product(nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a * b

    net = Product()
    net.register_full_backward_hook(lambda module, into, out: None)
    x = autograd.ones(2, requires_grad=True)
    with pytest.raises(AutogradError, match="one input"):
        net(x, x)
    assert net(x, autograd.ones(2)).requires_grad
    with autograd.no_grad():
        assert not net(x, autograd.ones(2)).requires_grad


# Parameters and gradients.


@pytest.mark.parametrize("kind", [2, 1, 3.5, float("inf")])
@pytest.mark.parametrize("norm", [0.5, 100.0])
def test_clipping_as_torch(norm: float, kind: float) -> None:
    gradients = [np.random.default_rng(i).normal(size=(3, i + 1)) for i in range(3)]
    totals = []
    for m in (autograd, torch):
        params = [m.zeros(3, i + 1, requires_grad=True) for i in range(3)]
        for p, g in zip(params, gradients, strict=True):
            p.grad = m.tensor(g).float()
        total = m.nn.utils.clip_grad_norm_(params, norm, norm_type=kind)
        m.nn.utils.clip_grad_value_(params, 0.2)
        totals.append([total.item(), *(p.grad.numpy() for p in params)])
    for ours, theirs in zip(*totals, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@ENGINES
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_clipping_what_is_no_number(m: Any, value: float) -> None:
    p = m.zeros(2, requires_grad=True)
    p.grad = m.tensor([1.0, value])
    with pytest.raises(RuntimeError if m is torch else AutogradError, match="norm"):
        m.nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad[0] == 1
    assert not np.isfinite(m.nn.utils.clip_grad_norm_(p, 1.0).item())
    assert np.isnan(p.grad[1].item())


@ENGINES
def test_parameters_as_a_vector(m: Any) -> None:
    from importlib import import_module

    utils = import_module(f"{m.__name__}.nn.utils")
    net = m.nn.Linear(3, 2)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.tolist() == [*np.ravel(net.weight.tolist()), *net.bias.tolist()]
    utils.vector_to_parameters(m.arange(8.0), net.parameters())
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert net.bias.tolist() == [6, 7]


def test_a_vector_that_does_not_fit() -> None:
    with pytest.raises(AutogradError, match="8 entries"):
        nn.utils.vector_to_parameters(autograd.ones(7), nn.Linear(3, 2).parameters())
