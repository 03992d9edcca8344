"""Optimisers and schedules, step for step over 50 steps, beside torch.optim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.autograd import AutogradError, optim

STEPS = 50

OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda o, p: o.SGD(p, lr=0.1),
    "SGD with decay": lambda o, p: o.SGD(p, lr=0.1, weight_decay=0.05),
    "SGD with momentum": lambda o, p: o.SGD(p, lr=0.02, momentum=0.9),
    "SGD, dampened": lambda o, p: o.SGD(p, lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.01),
    "SGD, Nesterov": lambda o, p: o.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "SGD upwards": lambda o, p: o.SGD(p, lr=1e-3, momentum=0.5, maximize=True),
    "RMSprop": lambda o, p: o.RMSprop(p, lr=0.01),
    "RMSprop, centered": lambda o, p: o.RMSprop(
        p, lr=0.01, alpha=0.9, centered=True, momentum=0.8, weight_decay=0.1
    ),
    "Adam": lambda o, p: o.Adam(p, lr=0.05),
    "Adam with decay": lambda o, p: o.Adam(p, lr=0.05, betas=(0.8, 0.9), weight_decay=0.1),
    "Adam, amsgrad": lambda o, p: o.Adam(p, lr=0.05, amsgrad=True, eps=1e-3),
    "AdamW": lambda o, p: o.AdamW(p, lr=0.05),
    "AdamW upwards": lambda o, p: o.AdamW(p, lr=0.01, weight_decay=0.3, amsgrad=True, maximize=True),
    "Adagrad": lambda o, p: o.Adagrad(p, lr=0.1),
    "Adagrad, decaying": lambda o, p: o.Adagrad(
        p, lr=0.1, lr_decay=0.1, weight_decay=0.05, initial_accumulator_value=0.2, maximize=True
    ),
    "Adadelta": lambda o, p: o.Adadelta(p),
    "Adadelta with decay": lambda o, p: o.Adadelta(p, lr=0.5, rho=0.8, weight_decay=0.1),
    "Adamax": lambda o, p: o.Adamax(p, lr=0.05, betas=(0.8, 0.9), weight_decay=0.1),
    "NAdam": lambda o, p: o.NAdam(p, lr=0.05, weight_decay=0.1, momentum_decay=0.1),
}

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 0.9**t),
    "StepLR": lambda s, o: s.StepLR(o, step_size=7, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [5, 20, 21], gamma=0.3),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.95),
    "LinearLR": lambda s, o: s.LinearLR(o, start_factor=0.2, total_iters=8),
    "ConstantLR": lambda s, o: s.ConstantLR(o, factor=0.3, total_iters=8),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, total_iters=30, power=2.0),
    "LambdaLR, one a group": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (1 + t)]),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=7),
    "CosineAnnealingWarmRestarts, longer": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2, 1e-4),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    "CyclicLR, lower": lambda s, o: s.CyclicLR(o, [0.01], [0.1], 5, 8, mode="triangular2"),
    "CyclicLR, momentum left": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, 5, mode="exp_range", gamma=0.97, cycle_momentum=False
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20), s.StepLR(o, 3, 0.5)], [5, 25]
    ),
    "SequentialLR, of a cycle": lambda s, o: s.SequentialLR(
        o, [s.CyclicLR(o, 0.01, 0.1, 4), s.ExponentialLR(o, 0.9)], milestones=[10]
    ),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, T_max=STEPS, eta_min=1e-4),
    "CosineAnnealingLR beyond": lambda s, o: s.CosineAnnealingLR(o, T_max=20),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, max_lr=0.2, total_steps=STEPS + 1),
    "OneCycleLR, linear": lambda s, o: s.OneCycleLR(
        o, max_lr=0.1, epochs=17, steps_per_epoch=3, pct_start=0.4, anneal_strategy="linear", div_factor=10
    ),
    "OneCycleLR, momentum left": lambda s, o: s.OneCycleLR(
        o, max_lr=0.2, total_steps=STEPS + 1, cycle_momentum=False
    ),
}


def problem(m: Any, dtype: str = "float64") -> tuple[list[Any], Callable[[], Any]]:
    """A loss of four parameters, each with a curvature of its own; one of them gets no gradient."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(dtype) for shape in ((3, 4), (4,), (), (2,))]
    matrix = m.tensor(rng.normal(size=(5, 3)).astype(dtype))
    params = [m.tensor(v, requires_grad=True) for v in values]

    def loss() -> Any:
        a, b, c, _ = params
        return (((matrix @ a) * b + c) ** 2).mean() + (a * a * a * a).sum() * 0.1

    return params, loss


def run(
    m: Any,
    make: Callable[[Any, Any], Any],
    schedule: Callable[[Any, Any], Any] | None = None,
    dtype: str = "float64",
) -> list[Any]:
    """The parameters and the learning rates after each step."""
    params, loss = problem(m, dtype)
    optimizer = make(m.optim, params)
    scheduler = schedule(m.optim.lr_scheduler, optimizer) if schedule else None
    history = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        group = optimizer.param_groups[0]
        momentum = group["betas"][0] if "betas" in group else group.get("momentum")
        history.append([*(p.detach().numpy().copy() for p in params), group["lr"], momentum or 0.0])
    return history


def assert_same(ours: list[Any], theirs: list[Any], tolerance: float) -> None:
    for step, (left, right) in enumerate(zip(ours, theirs, strict=True)):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"after step {step}")


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_as_torch(name: str, dtype: str, tolerance: float) -> None:
    torch.set_default_dtype(getattr(torch, dtype))  # in which NAdam multiplies its momenta
    try:
        theirs = run(torch, OPTIMIZERS[name], dtype=dtype)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(run(autograd, OPTIMIZERS[name], dtype=dtype), theirs, tolerance)


@pytest.mark.parametrize("optimizer", ["SGD with momentum", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_as_torch(name: str, optimizer: str) -> None:
    ours = run(autograd, OPTIMIZERS[optimizer], SCHEDULES[name])
    assert_same(ours, run(torch, OPTIMIZERS[optimizer], SCHEDULES[name]), 1e-9)
    assert len({row[-2] for row in ours}) > 1


@pytest.mark.parametrize(
    "options",
    [{}, {"patience": 2}, {"mode": "max", "factor": 0.5, "patience": 3, "threshold": 0.05},
     {"patience": 1, "cooldown": 3},
     {"threshold_mode": "abs", "threshold": 0.1, "patience": 2, "min_lr": 0.01},
     {"threshold": 0.3, "patience": 2, "min_lr": [0.05]}],
)  # fmt: skip
def test_plateau_as_torch(options: dict[str, Any]) -> None:
    metrics = np.random.default_rng(2).normal(size=STEPS) + 2 / np.arange(1, STEPS + 1)
    rates = []
    for m in (autograd, torch):
        optimizer = m.optim.SGD([m.zeros(1, requires_grad=True)], lr=1.0)
        schedule = m.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates.append([])
        for metric in metrics:
            schedule.step(float(metric))
            rates[-1].append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(*rates, rtol=1e-12)
    assert len(set(rates[0])) > 1


def test_a_closure_as_torch() -> None:
    histories = []
    for m in (autograd, torch):
        params, loss = problem(m)
        optimizer = m.optim.SGD(params, lr=0.05, momentum=0.9)

        def closure(optimizer: Any = optimizer, loss: Any = loss) -> Any:
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        with m.no_grad():  # the closure records all the same
            histories.append([optimizer.step(closure).item() for _ in range(5)])
        assert optimizer.step() is None
    np.testing.assert_allclose(*histories, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_of_torch_is_taken_over(name: str) -> None:
    theirs, their_loss = problem(torch)
    before = OPTIMIZERS[name](torch.optim, theirs)
    for _ in range(3):
        before.zero_grad()
        their_loss().backward()
        before.step()
    ours, loss = problem(autograd)
    for p, q in zip(ours, theirs, strict=True):
        p.data = autograd.from_numpy(q.detach().numpy().copy())
    after = OPTIMIZERS[name](optim, ours)
    after.load_state_dict(before.state_dict())
    for optimizer, value in ((before, their_loss), (after, loss)):
        optimizer.zero_grad()
        value().backward()
        optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-7)


def test_printed_like_torch() -> None:
    texts = [repr(m.optim.SGD([m.ones(1)], lr=0.1, momentum=0.9)).splitlines() for m in (autograd, torch)]
    assert texts[0][:2] == texts[1][:2]
    assert {line.replace("False", "0") for line in texts[0]} >= {"    lr: 0.1", "    momentum: 0.9", ")"}


def test_warm_restarts_by_parts_of_epochs_as_torch() -> None:
    rates = []
    for m in (autograd, torch):
        optimizer = m.optim.SGD([m.ones(1, requires_grad=True)], lr=0.1)
        schedule = m.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
        rates.append([])
        for batch in range(40):
            schedule.step(batch / 4)
            rates[-1].append(optimizer.param_groups[0]["lr"])
        schedule.step(7)
        schedule.step()
        rates[-1].append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(*rates, rtol=1e-12)


def test_groups_have_schedules_of_their_own_as_torch() -> None:
    rates = []
    for m in (autograd, torch):
        s = m.optim.lr_scheduler
        for make in (
            lambda o, s=s: s.OneCycleLR(o, max_lr=[0.1, 0.3], total_steps=20),
            lambda o, s=s: s.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 0.5**t]),
            lambda o, s=s: s.CyclicLR(o, [0.1, 0.2], 0.5, 3),
        ):
            parts = [m.ones(1, requires_grad=True) for _ in range(2)]
            optimizer = m.optim.SGD([{"params": parts[:1]}, {"params": parts[1:], "lr": 0.5}], 0.1, 0.9)
            schedule = make(optimizer)
            optimizer.step()
            for _ in range(9):
                schedule.step()
                rates.append(schedule.get_last_lr())
    half = len(rates) // 2
    np.testing.assert_allclose(rates[:half], rates[half:], rtol=1e-12)


def test_a_negative_metric_that_stays_improves_by_the_rule_of_torch() -> None:
    for m in (autograd, torch):
        optimizer = m.optim.SGD([m.zeros(1, requires_grad=True)], lr=1.0)
        schedule = m.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        for _ in range(9):
            schedule.step(m.tensor(-2.0))
        assert schedule.get_last_lr() == [1.0]


def test_every_optimizer_and_schedule_is_tested() -> None:
    assert {name.split()[0].rstrip(",") for name in OPTIMIZERS} == set(optim.__all__) - {
        "Optimizer",
        "lr_scheduler",
    }
    schedules = set(optim.lr_scheduler.__all__) - {"LRScheduler", "ReduceLROnPlateau"}
    assert {name.split()[0].rstrip(",") for name in SCHEDULES} == schedules


def test_step_by_hand_and_by_optimizer() -> None:
    for momentum in (0.0, 0.9):
        params, loss = problem(autograd)
        twins, other_loss = problem(autograd)
        optimizer = optim.SGD(params, lr=0.05, momentum=momentum)
        velocity = [0.0] * len(twins)
        for _ in range(5):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            other_loss().backward()
            with autograd.no_grad():
                for i, p in enumerate(twins[:3]):
                    velocity[i] = momentum * velocity[i] + p.grad
                    p -= 0.05 * velocity[i]
                    p.grad = None
        for p, q in zip(params, twins, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_continues_exactly(name: str) -> None:
    params, loss = problem(autograd)
    whole = run(autograd, OPTIMIZERS[name])
    optimizer = OPTIMIZERS[name](optim, params)
    for step in range(STEPS):
        if step == 20:
            state = optimizer.state_dict()
            for p in params:
                p.grad = None
            optimizer = OPTIMIZERS[name](optim, params)
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    for p, expected in zip(params, whole[-1], strict=False):
        np.testing.assert_array_equal(p.detach().numpy(), expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_continues(name: str) -> None:
    params, _ = problem(autograd)
    optimizer = optim.SGD(params, lr=0.1)
    schedule = SCHEDULES[name](optim.lr_scheduler, optimizer)
    for _ in range(6):
        schedule.step()
    state, rate = schedule.state_dict(), schedule.get_last_lr()
    again = SCHEDULES[name](optim.lr_scheduler, optim.SGD(params, lr=0.1))
    again.load_state_dict(state)
    assert again.get_last_lr() == rate


@pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])
def test_schedules_side_by_side_and_a_rate_set_by_hand(m: Any) -> None:
    optimizer = m.optim.SGD([m.ones(1, requires_grad=True)], lr=1.0)
    decay = m.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    warmup = m.optim.lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3)
    rates = [optimizer.param_groups[0]["lr"]]
    for step in range(4):
        decay.step()
        warmup.step()
        rates.append(optimizer.param_groups[0]["lr"])
        if step == 2:
            optimizer.param_groups[0]["lr"] = 8.0
    assert rates == pytest.approx([0.25, 0.25, 0.1875, 0.125, 4.0])
    state, other = decay.state_dict(), m.optim.SGD([m.ones(1, requires_grad=True)], lr=1.0)
    again = m.optim.lr_scheduler.ExponentialLR(other, 0.5)
    other.load_state_dict(optimizer.state_dict())
    again.load_state_dict(state)
    other.step()
    again.step()
    assert other.param_groups[0]["lr"] == pytest.approx(2.0)


def test_plateau_continues() -> None:
    one, two = (optim.SGD([autograd.ones(1)], lr=1.0) for _ in range(2))
    before = optim.lr_scheduler.ReduceLROnPlateau(one, patience=1)
    for metric in (1.0, 1.0):
        before.step(metric)
    after = optim.lr_scheduler.ReduceLROnPlateau(two, patience=1)
    after.load_state_dict(before.state_dict())
    after.step(1.0)
    assert after.get_last_lr() == [0.1]


def test_groups() -> None:
    rates = []
    for m in (autograd, torch):
        a, b = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True)
        optimizer = m.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.1)
        m.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
        (a * b).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        assert a.grad.tolist() == [0, 0]
        rates.append((a.tolist(), b.tolist()))
    assert rates[0] == rates[1]


def test_one_cycle_may_begin_at_its_peak() -> None:
    schedule = optim.lr_scheduler.OneCycleLR(
        optim.SGD([autograd.ones(1)]), 0.1, total_steps=10, pct_start=0.1
    )
    assert schedule.get_last_lr() == [0.1]


def _of_another(p: Any) -> None:
    schedule = optim.lr_scheduler.ExponentialLR(optim.SGD([p]), 0.9)
    optim.lr_scheduler.SequentialLR(optim.SGD([p]), [schedule], [])


def _steps(schedule: Any, number: int) -> None:
    for _ in range(number):
        schedule.step()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda p: optim.SGD([]), "no parameters"),
        (lambda p: optim.SGD([p * 2]), "leaf"),
        (lambda p: optim.SGD([p, {"params": [autograd.ones(1)]}]), "not both"),
        (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]), "two groups"),
        (lambda p: optim.SGD([p], lr=-1), "lr must not be negative"),
        (lambda p: optim.SGD([p], nesterov=True), "nesterov"),
        (lambda p: optim.Adam([p], betas=(1.0, 0.9)), "betas"),
        (
            lambda p: optim.SGD([p]).load_state_dict(optim.SGD([p, autograd.ones(1)]).state_dict()),
            "groups of",
        ),
        (lambda p: optim.lr_scheduler.OneCycleLR(optim.SGD([p]), 0.1), "total_steps"),
        (lambda p: optim.lr_scheduler.OneCycleLR(optim.SGD([p]), 0.1, 5, anneal_strategy="x"), "'x'"),
        (lambda p: _steps(optim.lr_scheduler.OneCycleLR(optim.SGD([p]), 0.1, 4), 5), "made for 4 steps"),
        (lambda p: optim.lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), mode="low"), "mode"),
        (lambda p: optim.lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), min_lr=[0, 1]), "2 entries"),
        (lambda p: optim.lr_scheduler.CyclicLR(optim.SGD([p]), 0.1, 1.0, mode="square"), "'square'"),
        (lambda p: optim.lr_scheduler.CyclicLR(optim.Adagrad([p]), 0.1, 1.0), "no momentum"),
        (lambda p: optim.lr_scheduler.CosineAnnealingWarmRestarts(optim.SGD([p]), 0), "T_0"),
        (lambda p: optim.lr_scheduler.SequentialLR(optim.SGD([p]), [], [3]), "milestones"),
        (lambda p: _of_another(p), "of this optimizer"),
    ],
)
def test_misuse(call: Callable[[Any], Any], word: str) -> None:
    with pytest.raises(AutogradError, match=word):
        call(autograd.ones(2, requires_grad=True))


def test_optimizer_counts_as_a_change_in_place() -> None:
    w = autograd.ones(2, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(AutogradError, match="in-place"):
        loss.backward()
