"""What the graph holds on to, and when it lets go."""

from __future__ import annotations

import gc
import resource
import tracemalloc
import weakref
from typing import Any

import numpy as np

from nablab import autograd
from nablab.autograd import nn, optim


def test_graph_is_freed_after_backward() -> None:
    x = autograd.ones(10, 10, requires_grad=True)
    hidden = x.exp()
    saved = weakref.ref(hidden)
    loss = (hidden * hidden).sum()
    del hidden
    node = loss.grad_fn.next_functions[0][0]
    assert set(node.saved) == {"a", "b"}
    loss.backward()
    assert node.saved is None
    assert saved() is None


def test_graph_without_backward_is_freed_by_counting() -> None:
    """No reference cycles: nothing has to wait for the garbage collector."""
    gc.disable()
    try:
        x = autograd.ones(10, requires_grad=True)
        y = (x * 2).tanh()
        node = weakref.ref(y.grad_fn)
        array = weakref.ref(y.value)
        del y
        assert node() is None
        assert array() is None
    finally:
        gc.enable()


def test_values_that_no_rule_needs_are_not_kept() -> None:
    x = autograd.ones(10, requires_grad=True)
    y = x * 2
    array = weakref.ref(y.value)
    z = y + 1
    del y
    assert array() is None
    z.sum().backward()


def test_grad_keeps_only_the_gradients_that_were_asked_for() -> None:
    x = autograd.ones(1_000_000, requires_grad=True)
    y = x
    for _ in range(20):
        y = y * 1.5
    loss = y.sum()
    tracemalloc.start()
    try:
        autograd.grad(loss, x)
        assert tracemalloc.get_traced_memory()[1] < 5 * x.value.nbytes
    finally:
        tracemalloc.stop()


def test_a_thousand_steps_do_not_grow() -> None:
    autograd.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(36, 10),
    )
    optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    rng = np.random.default_rng(0)
    x, y = autograd.tensor(rng.normal(size=(16, 1, 8, 8))).float(), autograd.tensor(rng.integers(0, 10, 16))

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(100):
        first = step()
    gc.collect()
    objects, peak = len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        last = step()
    gc.collect()
    assert len(gc.get_objects()) < objects + 500  # one object a step would be 1,000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss <= peak + 2048  # KiB
    assert last.item() < first.item()
