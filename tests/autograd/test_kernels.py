"""The fast paths: pieces, blocks and threads give what PyTorch gives, and memory goes where it should."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from nablab import autograd
from nablab.autograd import backward as engine
from nablab.autograd import kernels, nn, parallel, workspace
from nablab.autograd.errors import AutogradError


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """So many threads, and limits so low that small arrays are cut, blocked and shared out."""
    monkeypatch.setattr(kernels.products, "PIECE", 600)
    monkeypatch.setattr(kernels.convolution, "SHARED", 600)
    monkeypatch.setattr(kernels.convolution, "BLOCK", 5_000)
    monkeypatch.setattr(engine, "HEAVY", 50)
    monkeypatch.setattr(engine, "LARGE", 1)
    monkeypatch.setattr(kernels.pooling, "POOLED", 40)
    before = parallel.get_num_threads()
    parallel.set_num_threads(request.param)
    yield request.param
    parallel.set_num_threads(before)


CONVOLUTIONS = [
    ((6, 3, 9, 8), (4, 3, 3, 3), {"padding": 1}),
    ((5, 3, 9, 8), (7, 3, 3, 2), {"stride": 2}),
    ((5, 4, 9, 8), (6, 2, 3, 3), {"groups": 2, "padding": (2, 0)}),
    ((5, 4, 9, 8), (8, 1, 3, 3), {"groups": 4, "dilation": 2}),
    ((2, 1, 12, 12), (20, 1, 5, 5), {}),
    ((1, 2, 7, 6), (3, 2, 3, 3), {"padding": 1}),
    ((3, 2, 9, 9), (4, 2, 2, 2), {"stride": (3, 1)}),
    ((3, 2, 9, 9), (4, 2, 1, 1), {}),
    ((3, 6, 9, 9), (6, 1, 3, 3), {"groups": 6, "stride": (2, 1), "padding": 1}),
]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("layout", ["batch first", "batch last"])
@pytest.mark.parametrize(("shape", "filters", "options"), CONVOLUTIONS)
def test_convolution_in_blocks(shape: Any, filters: Any, options: dict[str, Any], layout: str) -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=shape), rng.normal(size=filters), rng.normal(size=filters[0])
    if layout == "batch last":
        x = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    results = []
    for m in (autograd, torch):
        tensors = [m.tensor(array, requires_grad=True) for array in (x, w, b)]
        out = m.nn.functional.conv2d(*tensors, **options)
        out = m.nn.functional.max_pool2d(out, 2)
        (out * out).sum().backward()
        results.append([out.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    "options", [{}, {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 3, "stride": 1}]
)
def test_pooling_in_parts(options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 8, 9)).astype(float)  # with many ties
    results = []
    for m in (autograd, torch):
        t = m.tensor(x, requires_grad=True)
        out = m.nn.functional.max_pool2d(t, **{"kernel_size": 2, **options})
        out.backward(m.arange(out.numel()).reshape(*out.shape).double())
        results.append((out.detach().numpy(), t.grad.numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.usefixtures("threads")
def test_network_in_parts() -> None:
    """A small convolutional network, a step of SGD: the same as PyTorch's."""

    def build(nn: Any) -> Any:
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10),
        )  # fmt: skip

    theirs = build(torch.nn).double()
    ours = build(nn).double()
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 1, 16, 16)), rng.integers(0, 10, 12)
    for m, net in ((autograd, ours), (torch, theirs)):
        optimizer = m.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            m.nn.functional.cross_entropy(net(m.tensor(x)), m.tensor(y)).backward()
            optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("limit", [600, 20_000])
@pytest.mark.parametrize("order_b", ["C", "F"])
@pytest.mark.parametrize("order_a", ["C", "F"])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(37, 40, 10), (64, 9, 50), (5, 40, 60), (16, 100, 5), (1, 300, 30)]
)
def test_matrix_products(
    m: int, k: int, n: int, order_a: Any, order_b: Any, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(kernels.products, "PIECE", limit)
    rng = np.random.default_rng(0)
    a, b = np.array(rng.normal(size=(m, k)), order=order_a), np.array(rng.normal(size=(k, n)), order=order_b)
    np.testing.assert_allclose(kernels.matmul(a, b), a @ b, rtol=1e-12, atol=1e-12)


def test_full_size_in_single_precision() -> None:
    """With the real limits, on shapes that reach them."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(16, 6, 28, 28)).astype("f"), rng.normal(size=(16, 6, 5, 5)).astype("f")
    results = []
    for m in (autograd, torch):
        a, b = m.tensor(x, requires_grad=True), m.tensor(w, requires_grad=True)
        m.nn.functional.conv2d(a, b, padding=2).sigmoid().mean().backward()
        results.append((a.grad.numpy(), b.grad.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=3e-6 * np.abs(theirs).max())


# Sequential.


def test_a_module_that_comes_later_is_run_too() -> None:
    net = nn.Sequential(nn.ReLU())
    x = autograd.tensor([-1.0, 2.0])
    assert net(x).tolist() == [0, 2]
    net.append(nn.Softplus())
    np.testing.assert_allclose(net(x).numpy(), np.log1p(np.exp([0, 2])), rtol=1e-6)


def test_relu_and_pooling_change_places() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
    order = [type(module).__name__ for module in nn.rewrites.in_order(net)]
    assert order == ["Conv2d", "MaxPool2d", "ReLU", "ReLU", "Flatten"]
    autograd.manual_seed(0)
    x = autograd.randn(3, 1, 8, 8, requires_grad=True)
    out = net(x)
    out.sum().backward()
    found = x.grad
    x.grad = None
    y = x
    for module in net:
        y = module(y)
    y.sum().backward()
    np.testing.assert_array_equal(out.detach().numpy(), y.detach().numpy())
    np.testing.assert_array_equal(found.numpy(), x.grad.numpy())


def test_only_exact_types_are_rewritten() -> None:
    class Counting(nn.ReLU):
        pass

    net = nn.Sequential(Counting(), nn.MaxPool2d(2), nn.Tanh(), nn.MaxPool2d(2), nn.ReLU(), nn.AvgPool2d(2))
    assert nn.rewrites.in_order(net) == list(net)


# The order in memory.


def test_batch_stays_last_through_a_network() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 2, 3))
    x = autograd.randn(5, 1, 8, 8)
    for module in net:
        x = module(x)
        assert x.value.transpose(1, 2, 3, 0).flags.c_contiguous
    flat = nn.Flatten()(x)
    assert np.shares_memory(flat.value, x.value)


# Threads.


def test_tasks_are_all_done_by_several_threads() -> None:
    before = parallel.get_num_threads()
    blas = [(lib["filepath"], lib["num_threads"]) for lib in threadpool_info()]
    parallel.set_num_threads(3)
    wanted = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    try:
        names: list[str] = []
        barrier = threading.Barrier(3)

        def task() -> None:
            barrier.wait(10)  # passes only where three threads are in it
            names.append(threading.current_thread().name)

        parallel.run([task] * 3)
        assert len(names) == 3
        done: list[int] = []
        parallel.run([lambda i=i: done.append(i) for i in range(100)])
        assert sorted(done) == list(range(100))
        assert wanted == [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
        assert max(wanted) > 1
    finally:
        parallel.set_num_threads(before)
    assert blas == [(lib["filepath"], lib["num_threads"]) for lib in threadpool_info()]


@pytest.mark.parametrize("culprit", [0, 1])
def test_errors_come_back(culprit: int) -> None:
    before = parallel.get_num_threads()
    parallel.set_num_threads(2)
    barrier = threading.Barrier(2)

    def task(i: int) -> None:
        barrier.wait(10)
        if i == culprit:
            raise ValueError("no")

    try:
        with pytest.raises(ValueError, match="no"):
            parallel.run([lambda: task(0), lambda: task(1)])
        done: list[int] = []
        parallel.run([lambda: done.append(1), lambda: done.append(2)])  # still works afterwards
        assert sorted(done) == [1, 2]
    finally:
        parallel.set_num_threads(before)


def test_inside_a_task_tasks_are_done_one_by_one() -> None:
    before = parallel.get_num_threads()
    parallel.set_num_threads(2)
    done: list[int] = []
    try:
        parallel.run([lambda: parallel.run([lambda i=i: done.append(i) for i in range(3)]) for _ in range(2)])
    finally:
        parallel.set_num_threads(before)
    assert sorted(done) == [0, 0, 1, 1, 2, 2]


def _in_child(queue: Any) -> None:
    done: list[int] = []
    parallel.run([lambda: done.append(1), lambda: done.append(2)])
    queue.put(sorted(done))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_makes_its_own_threads() -> None:
    before = parallel.get_num_threads()
    parallel.set_num_threads(2)
    try:
        parallel.run([lambda: None, lambda: None])
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_in_child, args=(queue,))
        child.start()
        assert queue.get(timeout=20) == [1, 2]
        child.join(20)
    finally:
        parallel.set_num_threads(before)


def test_cuts_and_parts() -> None:
    for length in (1, 2, 7, 100):
        for number in (1, 2, 3, 200):
            slices = parallel.cuts(length, number)
            assert [i for s in slices for i in range(length)[s]] == list(range(length))
            assert all(s.stop > s.start for s in slices)
    with pytest.raises(AutogradError, match="at least 1"):
        autograd.set_num_threads(0)


# Workspaces.


def test_memory_comes_back_when_the_last_array_is_gone() -> None:
    pool = workspace.Pool()
    block = pool.take(100_000)
    assert block.size == 2 * workspace.SMALLEST
    pool.put(block)
    assert pool.free_bytes == block.size
    assert pool.take(100_000) is block
    assert pool.free_bytes == 0

    free = workspace.pool.free_bytes
    array = workspace.empty((1000, 1000), np.dtype("f4"))
    address = array.ctypes.data
    view = array[10:].T
    del array
    assert workspace.pool.free_bytes <= free
    again = workspace.empty((1000, 1000), np.dtype("f4"))
    assert again.ctypes.data != address, "a view still shows it"
    del view
    third = workspace.empty((1000, 1000), np.dtype("f4"))
    assert third.ctypes.data == address


def test_small_arrays_and_full_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workspace.empty((3,), np.dtype("f8")).base is None
    monkeypatch.setattr(workspace, "LARGEST_POOL", 3 * workspace.SMALLEST)
    pool = workspace.Pool()
    blocks = [pool.take(1) for _ in range(4)]
    for block in blocks:
        pool.put(block)
    assert pool.free_bytes == 0


def test_workspaces_return_only_when_their_graph_is_freed() -> None:
    first, second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 2, 3)
    loss = second(first(autograd.randn(32, 2, 24, 24))).sum()
    held = loss.grad_fn.next_functions[0][0].saved["x"]  # the images between the two
    address, shape = held.ctypes.data, (4, 22, 22, 32)
    del held
    others = [workspace.empty(shape, np.dtype("f4")) for _ in range(3)]
    assert address not in [other.ctypes.data for other in others]
    loss.backward()
    again = [workspace.empty(shape, np.dtype("f4")) for _ in range(3)]
    assert address in [other.ctypes.data for other in again]


def test_results_that_are_kept_are_not_overwritten() -> None:
    layer = nn.Conv2d(2, 4, 3)
    x = autograd.randn(32, 2, 24, 24)
    kept = layer(x)
    before = kept.value.copy()
    for _ in range(3):
        layer(autograd.randn(32, 2, 24, 24)).exp().sum().backward()
    np.testing.assert_array_equal(kept.value, before)


def test_class_losses_leave_wrong_classes_to_the_slow_path() -> None:
    scores = np.zeros((2, 3))
    assert kernels.class_losses(scores, np.array([0, 3])) is None
    assert kernels.class_losses(scores, np.array([-1, 0], np.int32)) is None
    losses, slope = kernels.class_losses(scores, np.array([2, 0], np.uint8)) or (None, None)
    np.testing.assert_allclose(losses, np.log(3))
    np.testing.assert_allclose(slope, [[1 / 3, 1 / 3, -2 / 3], [-2 / 3, 1 / 3, 1 / 3]])
