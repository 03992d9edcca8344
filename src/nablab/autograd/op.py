"""The extension point: an operation is a forward on NumPy arrays, and beside it its rules.

    @op
    def tanh(x):
        return np.tanh(x)

    @vjp(tanh)
    def _(g, out):
        return g * (1 - out * out)

A rule is a vector-Jacobian product: from `g`, the gradient of the output, to the gradient of one input.
The names of its other parameters say what it needs, and only that is saved for the backward pass:

    out         the result
    x           an input, by its name in the forward
    x_shape     the shape of an input
    dim         an option (a keyword-only parameter of the forward)
    anything    what the forward kept: it may return `(out, {"anything": value})`

An operation with several inputs has one rule for each that can have a gradient, `@vjp(mul, "a")` and
`@vjp(mul, "b")`, of which only those run whose input requires one; or a joint rule `@vjp(f, "x", "w")` that
returns a tuple. Rules never undo broadcasting, the engine does; and they return either new arrays or
views of `g`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any
from weakref import ref

import numpy as np

from nablab.autograd.dtypes import Array, DType, float64, get_default_dtype, promote
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import OPS, Check, Form, Node, Parent, Rule
from nablab.autograd.mode import mode
from nablab.autograd.tensor import Tensor

Forward = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What recording takes, for given inputs that require gradients: worked out once.

    The rules, and by name what these want: inputs and shapes of inputs (with their positions), options and
    values that the forward kept, the result.
    """

    rules: tuple[Rule, ...]
    inputs: tuple[tuple[str, int], ...]
    shapes: tuple[tuple[str, int], ...]
    others: tuple[str, ...]
    out: bool


class Op:
    """An operation on tensors: called with tensors, arrays or numbers, it returns a tensor.

    Options may also follow the inputs by position, so that `sum(x, 0)` reads as in PyTorch.
    """

    def __init__(self, forward: Forward, *, promotes: bool = False) -> None:
        update_wrapper(self, forward)
        self.name = forward.__name__.strip("_")
        self.forward = forward
        self.promotes = promotes
        parameters = inspect.signature(forward).parameters.values()
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.missing = {p.name: p.default for p in parameters if p.name in self.inputs}
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.options = self.defaults.keys()
        self.strict = inspect.Parameter.empty in self.defaults.values()
        self.rules: list[Rule] = []
        self._plans: dict[tuple[bool, ...], Plan] = {}

    def __repr__(self) -> str:
        return f"<operation {self.name}({', '.join((*self.inputs, *self.defaults))})>"

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        if len(inputs) != len(self.inputs) or options.keys() != self.options:
            inputs, options = self._bind(inputs, options)
        arrays, needs = [], []
        for x in inputs:
            if isinstance(x, Tensor):
                arrays.append(x.value)
                needs.append(x._requires_grad or (x._base is not None and x._requires_grad_now()))
            else:  # NumPy's scalars have a dtype that would decide; Python's numbers follow
                arrays.append(x.item() if isinstance(x, np.generic) else x)
                needs.append(False)
        out, kept = self._run(arrays, options)
        result = Tensor(out)
        if out.base is not None:
            result._become_view(inputs)
        if mode.recording and True in needs and out.dtype.kind == "f":
            self._record(result, tuple(needs), inputs, arrays, options, kept)
        return result

    def _bind(
        self, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Inputs given by keyword, options given by position, defaults of both."""
        if self.variadic or (len(inputs) == len(self.inputs) and not self.strict):
            merged = {**self.defaults, **options}
            if len(merged) == len(self.defaults):  # the usual case: no name that is not an option
                return inputs, merged
        known = {**self.missing, **self.defaults}
        given = {**known, **dict(zip(known, inputs, strict=False)), **options}
        absent = [name for name in known if given[name] is inspect.Parameter.empty]
        unknown = [name for name in given if name not in known]
        if absent or unknown or len(inputs) > len(known):
            wrong = (
                f"misses {', '.join(absent)}" if absent else f"has no {', '.join(unknown) or 'more inputs'}"
            )
            raise TypeError(f"{self.name}({', '.join(known)}) {wrong}")
        return tuple([given[name] for name in self.inputs]), {name: given[name] for name in self.defaults}

    def _run(self, arrays: Sequence[Any], options: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        """The forward: its result as an array, and what else it kept."""
        try:
            result = self._promoted(arrays, options) if self.promotes else self.forward(*arrays, **options)
        except (ValueError, IndexError, OverflowError) as error:
            shapes = ", ".join(str(a.shape) for a in arrays if isinstance(a, np.ndarray))
            raise AutogradError(f"{self.name} of shapes {shapes}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise self._misfit(arrays, error) from error
        kept: dict[str, Any] = {}
        if type(result) is tuple:
            result, kept = result
        out = result if type(result) is np.ndarray else np.asarray(result)
        if self.promotes and out.dtype == float64 and not any(_is_floating(a) for a in arrays):
            out = out.astype(get_default_dtype())  # NumPy divides integers in float64, PyTorch does not
        for a in arrays:
            if out is a:
                return out.view(), kept  # nothing was computed: it must know whose memory it shows
        return out, kept

    def _misfit(self, arrays: Sequence[Any], error: Exception) -> Exception:
        """What to raise for an input that is none; else the error itself."""
        for a, name in zip(arrays, self.inputs, strict=False):
            optional = a is None and self.missing[name] is None
            if not optional and not isinstance(a, np.ndarray | bool | int | float):
                kind = type(a).__name__
                return TypeError(
                    f"{self.name} takes tensors, arrays and numbers, not {kind}: use tensor(...)"
                )
        return error

    def _promoted(self, arrays: Sequence[Any], options: dict[str, Any]) -> Any:
        """The forward of inputs of one dtype; of integers in float64, where it makes fractions of them.

        Of 8 bits NumPy itself makes float16, and squares and signs that do not fit.
        """
        operands = promote(arrays)
        with np.errstate(all="ignore"):
            result = self.forward(*operands, **options)
            if not any(_is_floating(a) for a in operands):
                out = np.asarray(result[0] if type(result) is tuple else result)
                if out.dtype.kind == "f":
                    return self.forward(*[np.asarray(a, float64) for a in operands], **options)
        return result

    def _record(
        self,
        result: Tensor,
        needs: tuple[bool, ...],
        inputs: tuple[Any, ...],
        arrays: Sequence[Any],
        options: dict[str, Any],
        kept: dict[str, Any],
    ) -> None:
        """Give `result` a node that holds what the rules for the inputs in `needs` want, and no more."""
        plan = self._plans.get(needs)
        if plan is None:
            plan = self._plans[needs] = self._plan(needs)
        saved: dict[str, Any] = {}
        checks: list[Check] = []
        for name, position in plan.inputs:
            saved[name] = arrays[position]
            source = inputs[position]
            if isinstance(source, Tensor):
                checks.append((name, source._version, source._version.changes))
        for name, position in plan.shapes:
            saved[name] = np.shape(arrays[position])
        for name in plan.others:
            saved[name] = kept[name] if name in kept else options[name]
        if plan.out:
            saved["out"] = result.value
            checks.append(("out", result._version, result._version.changes))
        parents: list[Parent] = []
        forms: list[Form] = []
        for x, need in zip(inputs, needs, strict=True):
            parents.append(x._parent() if need else None)
            forms.append((x.value.shape, x.value.dtype) if need else NO_FORM)
        node = Node(self.name, plan.rules, tuple(parents), tuple(forms), saved, checks)
        node.output = ref(result)
        result.grad_fn = node
        result._requires_grad = True

    def _plan(self, needs: tuple[bool, ...]) -> Plan:
        """The rules that serve the inputs in `needs`, and where to find what they want."""
        if self.variadic:
            rules = tuple(Rule(r.function, r.wants, tuple(range(len(needs))), True) for r in self.rules)
        else:
            rules = tuple(rule for rule in self.rules if any(needs[i] for i in rule.positions))
        served = {i for rule in rules for i in rule.positions}
        for i, need in enumerate(needs):
            if need and i not in served:
                raise AutogradError(f"{self.name} has no gradient with respect to `{self.inputs[i]}`")
        names = dict.fromkeys(name for rule in rules for name in rule.wants)
        positions = {name: i for i, name in enumerate(self.inputs)}
        shapes = {f"{name}_shape": i for name, i in positions.items()}
        return Plan(
            rules=rules,
            inputs=tuple((name, positions[name]) for name in names if name in positions),
            shapes=tuple((name, shapes[name]) for name in names if name in shapes),
            others=tuple(name for name in names if name not in positions | shapes and name != "out"),
            out="out" in names,
        )

    def add_rule(self, function: Callable[..., Any], names: tuple[str, ...]) -> None:
        """Register a vector-Jacobian product for the inputs `names` (all of them, if it has only one)."""
        if not names and len(self.inputs) > 1:
            raise TypeError(f"{self.name} has the inputs {', '.join(self.inputs)}: say which the rule is for")
        names = names or self.inputs
        if unknown := set(names) - set(self.inputs):
            raise TypeError(f"{self.name} has no input {', '.join(sorted(unknown))}")
        wants = tuple(inspect.signature(function).parameters)[1:]
        positions = tuple(self.inputs.index(name) for name in names)
        self.rules.append(Rule(function, wants, positions, len(names) > 1))
        self._plans.clear()


NO_FORM: Form = ((), np.dtype(np.float32))


def _is_floating(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def op(forward: Forward) -> Op:
    """Make an operation of a function on arrays; its positional parameters are the inputs."""
    return _register(Op(forward))


def elementwise(forward: Forward) -> Op:
    """An operation whose inputs broadcast, and are first brought to one dtype by PyTorch's rule."""
    return _register(Op(forward, promotes=True))


def vjp(operation: Op, *inputs: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a rule to `operation` for the named inputs; without names, for its only one."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        operation.add_rule(function, inputs)
        return function

    return add


def _register(operation: Op) -> Op:
    """Add to the table. A cell may be run twice, but nobody takes the place of another's operation."""
    known = OPS.get(operation.name)
    if isinstance(known, Op) and known.forward.__module__ != operation.forward.__module__:
        raise TypeError(f"there is an operation {operation.name} already, in {known.forward.__module__}")
    OPS[operation.name] = operation
    return operation


__all__ = ["DType", "Op", "elementwise", "op", "vjp"]
