"""Networks before the court: modules of PyTorch and of our engine, as functions of named NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab.court import CourtReport
from nablab.court import gradcheck as hold
from nablab.errors import UserError

if TYPE_CHECKING:
    from nablab.models.model import Model

Array = NDArray[Any]
Function = Callable[[Any, Any, Any], Any]

#: Samples of a random batch.
SAMPLES = 4


def check_model(
    model: Model,
    shape: tuple[int, ...],
    classes: int,
    x: Any,
    y: Any,
    loss: Callable[..., Any] | None,
    seed: int,
) -> CourtReport:
    """A network of the layer language, or a user's module, on a random batch unless one is given."""
    if x is None:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((SAMPLES, *shape))
        y = rng.integers(0, classes, SAMPLES)
    if model.engine == "numpy":
        return check_engine_module(_built_on_numpy(model, shape, classes, seed), x, y, loss, seed)
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = _built(model, shape, classes, seed)
    return check_torch_module(module, x, y, loss, seed)


def _built_on_numpy(model: Model, shape: tuple[int, ...], classes: int, seed: int) -> Any:
    from nablab.models import numpy_net
    from nablab.models.initial import initial_weights

    assert model.spec is not None
    module = numpy_net.build(model.spec, shape, classes)
    numpy_net.load(module, initial_weights(model.spec, shape, classes, seed))
    return module


def _built(model: Model, shape: tuple[int, ...], classes: int, seed: int) -> Any:
    if model.spec is None:
        assert model.factory is not None
        return model.factory(shape, classes)
    import torch

    from nablab.models.initial import initial_weights
    from nablab.models.torch_net import build

    module = build(model.spec, shape, classes)
    weights = initial_weights(model.spec, shape, classes, seed)
    module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return module


def check_torch_module(
    module: Any, x: Any, y: Any, loss: Callable[..., Any] | None, seed: int
) -> CourtReport:
    """A module of PyTorch in training mode, a float64 copy of it; dropout drops the same each time."""
    import copy

    import torch

    judged = copy.deepcopy(module).double().train().cpu()
    parameters = {name: p for name, p in judged.named_parameters() if p.requires_grad}
    measure = loss or torch.nn.functional.cross_entropy
    held: dict[str, Array] = {}

    def run(params: Mapping[str, Array], x: Array, y: Array) -> Any:
        with torch.no_grad():
            for name, parameter in parameters.items():
                if held.get(name) is not params[name]:  # the court moves one array at a time
                    parameter.copy_(torch.from_numpy(params[name]))
                    held[name] = params[name]
        # Not torch.manual_seed: that also prepares other devices, which takes longer than a small network.
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        loss = measure(judged(torch.from_numpy(x)), torch.from_numpy(y))
        torch.set_rng_state(before)
        return loss

    def value(params: Mapping[str, Array], x: Array, y: Array) -> float:
        with torch.no_grad():
            return float(run(params, x, y))

    def gradient(params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        judged.zero_grad(set_to_none=True)
        run(params, x, y).backward()
        return {name: _or_zeros(p.grad, p) for name, p in parameters.items()}

    start = {name: p.detach().numpy().copy() for name, p in parameters.items()}
    return _hold(value, gradient, start, x, y, seed)


def check_engine_module(
    module: Any, x: Any, y: Any, loss: Callable[..., Any] | None, seed: int
) -> CourtReport:
    """A module of `nablab.autograd.nn` in training mode, a float64 copy of it."""
    import copy

    from nablab import autograd

    if x is None:
        raise UserError("give the module a batch: nablab.gradcheck(module, x=x, y=y)")
    judged = copy.deepcopy(module).double().train()
    parameters = {name: p for name, p in judged.named_parameters() if p.requires_grad}
    measure = loss or autograd.nn.functional.cross_entropy

    def run(params: Mapping[str, Array], x: Array, y: Array) -> Any:
        for name, parameter in parameters.items():
            parameter.data = autograd.tensor(params[name], dtype=autograd.float64)
        autograd.manual_seed(seed)
        return measure(judged(autograd.tensor(x)), autograd.tensor(y))

    def value(params: Mapping[str, Array], x: Array, y: Array) -> float:
        with autograd.no_grad():
            return float(run(params, x, y))

    def gradient(params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        judged.zero_grad()
        run(params, x, y).backward()
        return {name: _or_zeros(p.grad, p) for name, p in parameters.items()}

    start = {name: p.detach().numpy().copy() for name, p in parameters.items()}
    return _hold(value, gradient, start, x, y, seed)


def check_engine_function(
    function: Callable[..., Any], params: Mapping[str, Any] | Sequence[Any], x: Any, y: Any, seed: int
) -> CourtReport:
    """A function of tensors of `nablab.autograd`: of the params themselves, or of (named params, x, y).

    A result of several entries is judged by a random combination of them.
    """
    from nablab import autograd

    named = isinstance(params, Mapping)
    arrays = dict(params) if isinstance(params, Mapping) else {f"input {i}": a for i, a in enumerate(params)}

    def run(values: Mapping[str, Array]) -> tuple[Any, list[Any]]:
        tensors = {
            name: autograd.tensor(v, dtype=autograd.float64, requires_grad=True) for name, v in values.items()
        }
        out = function(tensors, x, y) if named else function(*tensors.values())
        if not isinstance(out, autograd.Tensor):
            raise UserError(
                f"without a gradient, the function must return a tensor of nablab.autograd, "
                f"not {type(out).__name__}"
            )
        weights = np.random.default_rng(seed).standard_normal(out.shape) if out.ndim else np.ones(())
        return (out * autograd.tensor(weights, dtype=autograd.float64)).sum(), list(tensors.values())

    def value(values: Mapping[str, Array], x: Any, y: Any) -> float:
        return float(run(values)[0])

    def gradient(values: Mapping[str, Array], x: Any, y: Any) -> dict[str, Array]:
        total, tensors = run(values)
        total.backward()
        return {name: _or_zeros(t.grad, t) for name, t in zip(values, tensors, strict=True)}

    return hold(value, gradient, arrays, seed=seed)


def _or_zeros(gradient: Any, parameter: Any) -> Array:
    """A parameter that the loss does not reach has no gradient: it is zero."""
    return np.zeros(tuple(parameter.shape)) if gradient is None else np.array(gradient.numpy())


def _as_taken(measure: Callable[[Array], float], x: Array) -> Array:
    """The inputs in float64; whole numbers as such where only those are taken, as by an embedding."""
    numbers = x.astype(np.float64)
    if not np.issubdtype(x.dtype, np.integer):
        return numbers
    for taken in (numbers, x.astype(np.int64)):
        with suppress(Exception):  # of the user's code, where neither is taken: then the court tells it
            measure(taken)
            return taken
    return numbers


def _hold(
    value: Function, gradient: Function, params: dict[str, Array], x: Any, y: Any, seed: int
) -> CourtReport:
    """The court, on a batch of arrays."""
    if not params:
        raise UserError("it has no parameters: there is no gradient to check")
    y = np.asarray(y)
    x = _as_taken(lambda x: value(params, x, y), np.asarray(x))
    value(params, x, y)  # what fails here is told as the network's fault, not as that of a loss
    return hold(value, gradient, params, x, y, seed=seed)
