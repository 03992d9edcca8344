"""The extension point: an operation of one's own, and what happens when its rule is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nablab import autograd
from nablab.autograd import AutogradError, elementwise, op, vjp
from nablab.autograd.graph import OPS


@pytest.fixture(autouse=True)
def _table_as_before() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def x64(*values: float) -> Any:
    return autograd.tensor(values, dtype="float64", requires_grad=True)


def test_an_operation_of_ones_own() -> None:
    @elementwise
    def cube(x: Any) -> Any:
        return x**3

    @vjp(cube)
    def _(g: Any, x: Any) -> Any:
        return 3 * g * x * x

    x = x64(1.0, -2.0)
    y = cube(x)
    assert y.grad_fn.name() == "CubeBackward"
    assert list(y.grad_fn.saved) == ["x"]
    assert autograd.gradcheck(cube, x)
    y.sum().backward()
    assert x.grad.tolist() == [3, 12]


def test_kept_values_options_and_a_joint_rule() -> None:
    @op
    def affine(x: Any, w: Any, *, power: int = 1) -> Any:
        scale = w**power
        return x * scale, {"scale": scale}

    @vjp(affine, "x", "w")
    def _(g: Any, x: Any, w: Any, scale: Any, power: int) -> tuple[Any, Any]:
        return g * scale, g * x * power * w ** (power - 1)

    x, w = x64(1.0, 2.0, 3.0), x64(0.5)
    assert autograd.gradcheck(affine, [x, w])
    assert autograd.gradcheck(lambda a, b: affine(a, b, power=3), [x, w])
    assert autograd.gradcheck(lambda a: affine(a, w.detach(), 2), x)


def test_only_what_is_needed_is_saved() -> None:
    a, b = x64(2.0), autograd.tensor([3.0], dtype="float64")
    assert set((a * b).grad_fn.saved) == {"b"}
    assert set((b * a).grad_fn.saved) == {"a"}
    assert set((a * a).grad_fn.saved) == {"a", "b"}
    assert (a + b).grad_fn.saved == {}
    assert set(a.exp().grad_fn.saved_tensors) == {"out"}


def test_an_input_without_a_rule() -> None:
    @op
    def shift(x: Any, by: Any) -> Any:
        return x + by

    @vjp(shift, "x")
    def _(g: Any) -> Any:
        return g

    x = x64(1.0)
    shift(x, 2.0).backward()
    with pytest.raises(AutogradError, match="shift has no gradient with respect to `by`"):
        shift(x, x)


def test_rules_are_checked_when_they_are_added() -> None:
    @op
    def weigh(x: Any, w: Any) -> Any:
        return x * w

    with pytest.raises(TypeError, match="no input y"):
        vjp(weigh, "y")(lambda g: g)
    with pytest.raises(TypeError, match="x, w"):
        vjp(weigh)(lambda g: g)


def test_nobody_takes_the_place_of_an_operation() -> None:
    def mul(a: Any, b: Any) -> Any:
        return a * b

    with pytest.raises(TypeError, match="mul already"):
        op(mul)

    def mine(x: Any) -> Any:
        return x

    op(mine)
    op(mine)  # a cell is run twice


# gradcheck itself.


@pytest.mark.parametrize(
    "wrong",
    [
        lambda g, x: 2 * g * x * x,
        lambda g, x: -3 * g * x * x,
        lambda g, x: 3 * g * x,
        lambda g, x: 0 * g,
        lambda g, x: 3 * g * x * x * np.arange(1, 4),
        lambda g, x: np.where(np.arange(3) == 2, 0, 3 * g * x * x),
        lambda g, x: (3 * g * x * x)[::-1],
        lambda g, x: 3 * g * x * x * 1.01,
        lambda g, x: 3 * g * x * x + 1e-2,
        lambda g, x: g * np.nan,
    ],
)
def test_a_wrong_rule_is_found(wrong: Any) -> None:
    @op
    def cube(x: Any) -> Any:
        return x**3

    vjp(cube)(wrong)
    x = x64(1.0, -2.0, 0.7)
    with pytest.raises(AutogradError, match=r"gradient of input 0 is wrong; at \[\d\]"):
        autograd.gradcheck(cube, x)
    assert not autograd.gradcheck(cube, x, raise_exception=False)


@pytest.mark.parametrize(
    "name", ["mul", "tanh", "matmul", "conv2d", "cross_entropy", "standardize", "max_pool2d", "getitem"]
)
def test_a_fault_planted_in_the_table_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule of a real operation, scaled by 1.001, fails against finite differences."""
    rng = np.random.default_rng(0)
    inputs: dict[str, list[Any]] = {
        "mul": [rng.normal(size=3), rng.normal(size=3)], "tanh": [rng.normal(size=3)],
        "matmul": [rng.normal(size=(2, 3)), rng.normal(size=(3, 2))],
        "conv2d": [rng.normal(size=(1, 2, 4, 4)), rng.normal(size=(2, 2, 3, 3)), rng.normal(size=2)],
        "cross_entropy": [rng.normal(size=(2, 3))], "standardize": [rng.normal(size=(3, 2))],
        "max_pool2d": [rng.normal(size=(1, 1, 4, 4))], "getitem": [rng.normal(size=4)],
    }  # fmt: skip
    options: dict[str, dict[str, Any]] = {
        "standardize": {"axes": (0,)}, "max_pool2d": {"kernel_size": (2, 2), "stride": (2, 2)},
        "getitem": {"key": slice(1, 3)},
        "cross_entropy": {"target": np.array([0, 2])},
    }  # fmt: skip
    operation: Any = OPS[name]
    tensors = [autograd.tensor(x, requires_grad=True) for x in inputs[name]]

    def function(*x: Any) -> Any:
        return operation(*x, **options.get(name, {}))

    assert autograd.gradcheck(function, tensors, atol=1e-8, rtol=1e-6)
    for i, rule in enumerate(list(operation.rules)):
        bent = list(operation.rules)
        bent[i] = type(rule)(
            lambda g, *w, f=rule.function: 1.001 * f(g, *w), rule.wants, rule.positions, rule.joint
        )
        monkeypatch.setattr(operation, "rules", bent)
        operation._plans.clear()
        assert not autograd.gradcheck(function, tensors, atol=1e-8, rtol=1e-6, raise_exception=False)
        monkeypatch.undo()
        operation._plans.clear()


def test_gradcheck_wants_double_precision_and_gradients() -> None:
    with pytest.raises(AutogradError, match="float64"):
        autograd.gradcheck(autograd.tanh, autograd.ones(2, requires_grad=True))
    with pytest.raises(AutogradError, match="requires a gradient"):
        autograd.gradcheck(autograd.tanh, autograd.ones(2))


def test_gradcheck_leaves_its_inputs_alone() -> None:
    x = x64(1.0, 2.0)
    autograd.gradcheck(lambda a: (a * a).sum(), x)
    assert x.grad is None
    assert x.tolist() == [1, 2]
