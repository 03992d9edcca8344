"""How fast is nablab.autograd? A training step (forward, backward, SGD) beside other engines.

    python benchmarks/engine.py [--rounds 15] [--threads 2] [--only lenet5] [--json FILE]

Networks and batch sizes in float32, the same weights and batches for all. The engines take turns within each
round, so that whatever else the machine does hits all of them; a figure is the median over rounds of the
round's fastest step, with the quartiles beside it, and a ratio is the median of the rounds' ratios. Engines
from PyPI (autograd, mygrad) take part where they are installed. "by hand" is no engine but the step of the
networks without convolutions written out in NumPy, which no engine on NumPy can be much faster than. Run it
on a machine that does nothing else: with fewer free cores than threads, PyTorch waits for its own threads and
the ratios mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Step = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """A network and a batch, and how many times PyTorch's speed is the aim."""

    network: str
    batch: int
    aim: float | None


TASKS = (
    Task("linear", 64, 3.0),
    Task("mlp", 64, 2.0),
    Task("lenet5", 64, 1.0),
    Task("lenet5", 256, 1.1),
)


@dataclass(frozen=True)
class Timing:
    """Microseconds for a step: median, quartiles, and the ratio of an engine's time to ours."""

    engine: str
    median: float
    low: float
    high: float
    ratio: float
    n: int


def layers(network: str) -> list[tuple[Any, ...]]:
    """The network as plain values, which every engine builds from."""
    if network == "linear":
        return [("linear", 784, 10)]
    if network == "mlp":
        return [("linear", 784, 100), ("relu",), ("linear", 100, 10)]
    return [
        ("conv", 1, 6, 5, 2), ("relu",), ("pool",), ("conv", 6, 16, 5, 0), ("relu",), ("pool",), ("flatten",),
        ("linear", 400, 120), ("relu",), ("linear", 120, 84), ("relu",), ("linear", 84, 10),
    ]  # fmt: skip


def data(task: Task) -> tuple[Any, Any, list[Any]]:
    """A batch of images and classes, and initial weights."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (task.batch, 1, 28, 28) if task.network == "lenet5" else (task.batch, 784)
    weights = []
    for kind, *sizes in layers(task.network):
        if kind in ("linear", "conv"):
            form = (sizes[1], sizes[0]) if kind == "linear" else (sizes[1], sizes[0], sizes[2], sizes[2])
            bound = 1 / np.sqrt(np.prod(form[1:]))
            weights += [
                rng.uniform(-bound, bound, form).astype("f"),
                rng.uniform(-bound, bound, form[0]).astype("f"),
            ]
    return rng.normal(size=shape).astype("f"), rng.integers(0, 10, task.batch), weights


def module_step(m: Any, task: Task) -> Step:
    """A step with an engine that has PyTorch's names."""
    x, y, weights = data(task)
    make = {
        "linear": lambda i, o: m.nn.Linear(i, o),
        "conv": lambda i, o, k, p: m.nn.Conv2d(i, o, k, padding=p),
        "relu": lambda: m.nn.ReLU(),
        "pool": lambda: m.nn.MaxPool2d(2),
        "flatten": lambda: m.nn.Flatten(),
    }
    net = m.nn.Sequential(*[make[kind](*sizes) for kind, *sizes in layers(task.network)])
    net.load_state_dict(dict(zip(net.state_dict(), map(m.from_numpy, weights), strict=True)))
    images, classes = m.from_numpy(x), m.from_numpy(y)
    optimizer = m.optim.SGD(net.parameters(), lr=0.01)

    def step() -> float:
        optimizer.zero_grad()
        loss = m.nn.functional.cross_entropy(net(images), classes)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def ours(task: Task) -> Step:
    from nablab import autograd

    return module_step(autograd, task)


def torch_eager(task: Task) -> Step:
    import torch

    return module_step(torch, task)


def torch_tuned(task: Task) -> Step:
    """The fastest eager PyTorch known to us: functional calls, pooling first, channels last, a fused SGD."""
    import torch

    x, y, weights = data(task)
    params = [torch.from_numpy(w).requires_grad_() for w in weights]
    images, classes = torch.from_numpy(x), torch.from_numpy(y)
    if images.ndim == 4:
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(params, lr=0.01, fused=True)
    plan = [layer for layer in layers(task.network) if layer[0] != "relu"]
    functional = torch.nn.functional

    def forward() -> Any:
        h, left = images, iter(params)
        for i, (kind, *sizes) in enumerate(plan):
            if kind == "linear":
                h = functional.linear(h, next(left), next(left))
            elif kind == "conv":
                h = functional.conv2d(h, next(left), next(left), padding=sizes[3])
            elif kind == "flatten":
                h = h.flatten(1)
            else:
                h = functional.max_pool2d(h, 2)
            if kind == "pool" or (kind == "linear" and i < len(plan) - 1):
                h = functional.relu_(h)
        return h

    def step() -> float:
        for p in params:
            p.grad = None
        loss = functional.cross_entropy(forward(), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def numpy_convolution(np: Any, windows: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Convolution and pooling for an engine with NumPy's functions only, as one would write them there."""

    def conv(h: Any, w: Any, b: Any, padding: int) -> Any:
        if padding:
            h = np.pad(h, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="constant")
        k = w.shape[2]
        n, _, height, width = h.shape
        seen = windows(h, k)  # (N, C, k, k, Ho, Wo)
        columns = np.reshape(seen, (n, -1, (height - k + 1) * (width - k + 1)))
        out = np.matmul(np.reshape(w, (w.shape[0], -1)), columns)
        return np.reshape(out, (n, w.shape[0], height - k + 1, width - k + 1)) + np.reshape(b, (-1, 1, 1))

    def pool(h: Any) -> Any:
        n, c, height, width = h.shape
        return np.max(np.reshape(h, (n, c, height // 2, 2, width // 2, 2)), axis=(3, 5))

    return conv, pool


def forward_with(np: Any, task: Task, x: Any, params: list[Any], conv: Any, pool: Any) -> Any:
    """The scores, through functions with NumPy's names."""
    h, left = x, iter(params)
    for kind, *sizes in layers(task.network):
        if kind == "linear":
            w, b = next(left), next(left)
            h = np.matmul(h, w.T) + b
        elif kind == "conv":
            h = conv(h, next(left), next(left), sizes[3])
        elif kind == "relu":
            h = np.maximum(h, 0)
        elif kind == "pool":
            h = pool(h)
        else:
            h = np.reshape(h, (h.shape[0], -1))
    return h


def by_hand(task: Task) -> Step:
    """No engine: forward, gradient and update of linear layers with ReLU between, written out.

    The weights' gradients, the only large arrays, keep their memory from step to step.
    """
    import numpy as np

    x, y, params = data(task)
    weights, biases = params[::2], [b[:, None] for b in params[1::2]]
    gradients = [np.empty_like(w) for w in weights]
    rows, lr = np.arange(len(y)), np.float32(0.01)

    def step() -> float:
        values = [x.T]  # the units first, as our engine has them: the products are quickest so
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            h = w @ values[-1]
            h += b
            values.append(np.maximum(h, 0, out=h) if i < len(weights) - 1 else h)
        p = values.pop()
        p -= np.maximum.reduce(p, 0)
        chosen = p[y, rows]
        np.exp(p, out=p)
        total = np.add.reduce(p, 0)
        p /= total
        p[y, rows] -= 1
        p *= np.float32(1 / len(y))
        g = p
        for w, b, dw in zip(reversed(weights), reversed(biases), reversed(gradients), strict=True):
            h = values.pop()
            np.matmul(g, h.T, out=dw)
            db = np.add.reduce(g, 1, keepdims=True)
            if values:
                g = w.T @ g
                g *= h > 0
            dw *= lr
            w -= dw
            b -= lr * db
        return float((np.log(total) - chosen).mean())

    return step


def hips_autograd(task: Task) -> Step:
    """HIPS autograd: gradients of functions on its copy of NumPy."""
    import autograd.numpy as anp

    from autograd import value_and_grad

    x, y, params = data(task)

    def windows(h: Any, k: int) -> Any:
        size = h.shape[2] - k + 1
        return anp.stack(
            [anp.stack([h[:, :, i : i + size, j : j + size] for j in range(k)], 2) for i in range(k)], 2
        )

    conv, pool = numpy_convolution(anp, windows)

    def loss(params: list[Any]) -> Any:
        scores = forward_with(anp, task, x, params, conv, pool)
        top = anp.max(scores, axis=1, keepdims=True)
        log_p = scores - top - anp.log(anp.sum(anp.exp(scores - top), axis=1, keepdims=True))
        return -anp.mean(log_p[anp.arange(len(y)), y])

    gradient = value_and_grad(loss)

    def step() -> float:
        value, gradients = gradient(params)
        for p, g in zip(params, gradients, strict=True):
            p -= 0.01 * g
        return float(value)

    return step


def mygrad_engine(task: Task) -> Step:
    """MyGrad, with its own convolution, pooling and losses."""
    import mygrad
    from mygrad.nnet.activations import relu
    from mygrad.nnet.layers import conv_nd, max_pool
    from mygrad.nnet.losses import softmax_crossentropy

    mygrad.turn_memory_guarding_off()
    x, y, weights = data(task)
    params = [mygrad.tensor(w) for w in weights]

    def step() -> float:
        h, left = x, iter(params)
        for kind, *sizes in layers(task.network):
            if kind == "linear":
                w, b = next(left), next(left)
                h = mygrad.matmul(h, w.T) + b
            elif kind == "conv":
                w, b = next(left), next(left)
                h = conv_nd(h, w, stride=1, padding=sizes[3]) + b.reshape(1, -1, 1, 1)
            elif kind == "relu":
                h = relu(h)
            elif kind == "pool":
                h = max_pool(h, (2, 2), 2)
            else:
                h = h.reshape(h.shape[0], -1)
        loss = softmax_crossentropy(h, y)
        loss.backward()
        for p in params:
            p.data -= 0.01 * p.grad
            p.null_grad()
        return float(loss)

    return step


ENGINES: dict[str, tuple[str | None, Callable[[Task], Step]]] = {
    "nablab": (None, ours),
    "torch": ("torch", torch_eager),
    "torch tuned": ("torch", torch_tuned),
    "by hand": (None, by_hand),
    "autograd": ("autograd", hips_autograd),
    "mygrad": ("mygrad", mygrad_engine),
}


def installed(package: str | None) -> bool:
    try:
        return package is None or bool(version(package))
    except PackageNotFoundError:
        return False


def fastest(step: Step, seconds: float) -> float:
    """The shortest of as many steps as fit into the time, at least 3."""
    best, start, number = float("inf"), time.perf_counter(), 0
    while number < 3 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - begin)
        number += 1
    return best


def compare(task: Task, names: list[str], rounds: int, seconds: float) -> list[Timing]:
    """All engines in turn, `rounds` times; refuses engines whose losses differ from ours."""
    import numpy as np

    steps = {name: ENGINES[name][1](task) for name in names}
    losses = {name: [step() for _ in range(5)] for name, step in steps.items()}
    for name, values in losses.items():
        if not np.allclose(values, losses["nablab"], rtol=2e-4):
            raise SystemExit(
                f"{name} computes something else on {task.network}: {values}, {losses['nablab']}"
            )
    times = {name: np.array([0.0] * rounds) for name in names}
    for i in range(rounds):
        for name, step in steps.items():
            times[name][i] = fastest(step, seconds)
    return [
        Timing(
            name,
            *(float(q) * 1e6 for q in np.quantile(times[name], [0.5, 0.25, 0.75])),
            ratio=float(np.median(times[name] / times["nablab"])),
            n=rounds,
        )
        for name in names
    ]


def surroundings(threads: int) -> dict[str, str]:
    """Hardware and versions: what a figure means nothing without."""
    from threadpoolctl import threadpool_info

    model = platform.processor() or "unknown"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    packages = ("numpy", "torch", "autograd", "mygrad")
    found = ", ".join(f"{name} {version(name)}" for name in packages if installed(name))
    blas = ", ".join(
        f"{lib['internal_api']} {lib['version']} ({lib.get('architecture')})"
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    )
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, {found}; BLAS {blas}",
        "threads": str(threads),
        "load before": load,
    }


def report(task: Task, timings: list[Timing]) -> None:
    print(f"\n{task.network}, batch {task.batch}")
    for t in timings:
        aim = f"  (aim {task.aim:.1f})" if t.engine == "torch" and task.aim else ""
        print(f"  {t.engine:12s} {t.median:9.0f} us  [{t.low:.0f}, {t.high:.0f}]  {t.ratio:6.2f} x ours{aim}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each engine in each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="networks whose name contains this")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))

    from nablab import autograd

    autograd.set_num_threads(options.threads)
    if installed("torch"):
        import torch

        torch.set_num_threads(options.threads)
    names = ["nablab", *(n for n in options.engines if n != "nablab" and installed(ENGINES[n][0]))]
    about = surroundings(options.threads)
    print("\n".join(f"{key}: {value}" for key, value in about.items()))
    print(f"n = {options.rounds} rounds; median and quartiles of the rounds' fastest steps")
    results = []
    for task in TASKS:
        if options.only is None or options.only in task.network:
            taking_part = [n for n in names if n != "by hand" or task.network != "lenet5"]
            timings = compare(task, taking_part, options.rounds, options.seconds)
            report(task, timings)
            results.append({"task": asdict(task), "timings": [asdict(t) for t in timings]})
    if options.json:
        options.json.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
