"""Functions of the hand-outs' own shape: two layers with a logistic output, forward and backward apart.

    forward(W1, b1, w2, b2, x)     returns q, the probability of class 1, and h, what the hidden units give
    backward(y, q, h, x, w2)       returns the gradients of W1, b1, w2 and b2

Neither says in which order, nor whether samples are rows or columns: that is tried out.
"""

from __future__ import annotations

import ast
import inspect
import io
import itertools
import textwrap
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nablab.court.calls import Array
from nablab.court.report import CourtReport
from nablab.court.trial import gradcheck
from nablab.errors import UserError

NAMES = ("W1", "b1", "w2", "b2")

#: Samples, features and hidden units of the problem that is made up; all different, to be told apart.
_N, _D, _H = 14, 3, 5


@dataclass(frozen=True)
class Layout:
    """How arrays are laid out.

    Attributes:
        shapes: of W1, b1, w2 and b2.
        x: shape of the inputs.
        y: shape of the labels.
        text: in words.
    """

    shapes: tuple[tuple[int, ...], ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    text: str


#: The usual ones first.
LAYOUTS = (
    Layout(((_D, _H), (_H,), (_H,), ()), (_N, _D), (_N,), "samples as rows, w2 a vector"),
    Layout(((_D, _H), (_H,), (_H, 1), (1,)), (_N, _D), (_N, 1), "samples as rows, w2 a column"),
    Layout(((_D, _H), (1, _H), (_H, 1), (1, 1)), (_N, _D), (_N, 1), "samples as rows, biases as rows"),
    Layout(((_H, _D), (_H,), (_H,), ()), (_N, _D), (_N,), "samples as rows, W1 (hidden, features)"),
    Layout(((_H, _D), (_H, 1), (1, _H), (1, 1)), (_D, _N), (1, _N), "samples as columns"),
    Layout(((_D, _H), (_H,), (_H,), ()), (_D,), (), "one sample"),
    Layout(((_H, _D), (_H,), (_H,), ()), (_D,), (), "one sample, W1 (hidden, features)"),
)


@dataclass(frozen=True)
class Reading:
    """What the functions return, understood.

    Attributes:
        layout: of their arrays.
        q, h: which of the values of forward these are.
        order: which of the values of backward, by position or key, belongs to each of `NAMES`.
    """

    layout: Layout
    q: int
    h: int
    order: tuple[Any, ...]


def check_handout(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    loss: Callable[[Any, Any], Any] | None = None,
    *,
    seed: int = 0,
) -> CourtReport:
    """Hold the hand-outs' `backward` against central differences of the loss of their `forward`.

    Where something is not said (the order of the gradients, the loss), the reading that agrees best is held
    against them: a mistake is only told if every reading has one.

    Args:
        forward: of (W1, b1, w2, b2, x), returns q and h.
        backward: of (y, q, h, x, w2), returns the four gradients; in the order that the names in its return
            statement tell, else in any that fits their shapes.
        loss: of (y, q); by default the cross entropy, as the mean or as the sum over the samples.
        seed: draws the problem that they are tried on.

    Raises:
        UserError: the functions don't work together in any layout that is known.
    """
    losses = {"": loss} if loss is not None else _CROSS_ENTROPIES
    reports = []
    for note, chosen in losses.items():
        with redirect_stdout(io.StringIO()):
            readings = _readings(forward, backward, seed)
        for reading in readings:
            value, gradient = _functions(forward, backward, chosen, reading)
            params, x, y = _problem(reading.layout, seed)
            report = gradcheck(value, gradient, params, x, y, seed=seed)
            said = (*report.notes, *filter(None, (note,)), f"read as {reading.layout.text}")
            reports.append(replace(report, notes=said))
    return min(reports, key=_disagreement)


def _disagreement(report: CourtReport) -> tuple[int, float]:
    return len(report.wrong), -sum(finding.cosine or 0.0 for finding in report.findings)


_CROSS_ENTROPIES: dict[str, Callable[[Any, Any], Any]] = {
    "held against the mean of the cross entropy, as no loss(y, q) is given": lambda y, q: np.mean(
        -y * np.log(q) - (1 - y) * np.log(1 - q)
    ),
    "held against the sum of the cross entropy, as no loss(y, q) is given": lambda y, q: np.sum(
        -y * np.log(q) - (1 - y) * np.log(1 - q)
    ),
}


def _problem(layout: Layout, seed: int) -> tuple[dict[str, Array], Array, Array]:
    rng = np.random.default_rng(seed)
    params = {
        name: np.asarray(0.7 * rng.standard_normal(shape))
        for name, shape in zip(NAMES, layout.shapes, strict=True)
    }
    x = rng.standard_normal(layout.x)
    return params, x, np.asarray(rng.random(layout.y) < 0.5, np.float64)


def _functions(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    loss: Callable[[Any, Any], Any],
    reading: Reading,
) -> tuple[Callable[[Any, Any, Any], Any], Callable[[Any, Any, Any], dict[str, Array]]]:
    """A loss and a gradient as `gradcheck` takes them."""

    def run(params: Mapping[str, Array], x: Array) -> tuple[Any, Any]:
        outputs = forward(*(params[name] for name in NAMES), x)
        return outputs[reading.q], outputs[reading.h]

    def value(params: Mapping[str, Array], x: Array, y: Array) -> Any:
        q, _ = run(params, x)
        return loss(y, np.reshape(q, np.shape(y)))

    def gradient(params: Mapping[str, Array], x: Array, y: Array) -> dict[str, Array]:
        q, h = run(params, x)
        parts = backward(y, q, h, x, params["w2"])
        return {
            name: _shaped(np.asarray(parts[key]), params[name])
            for name, key in zip(NAMES, reading.order, strict=True)
        }

    return value, gradient


def _readings(forward: Callable[..., Any], backward: Callable[..., Any], seed: int) -> list[Reading]:
    """The readings in the first layout in which both functions work.

    Raises:
        UserError: there is none; with what went wrong in the usual one.
    """
    failure: Exception | None = None
    for layout in LAYOUTS:
        params, x, y = _problem(layout, seed)
        try:
            with np.errstate(all="ignore"):
                outputs = forward(*params.values(), x)
                q, h = _outputs(outputs, y.size)
                orders = _orders(backward, backward(y, outputs[q], outputs[h], x, params["w2"]), params)
        except Exception as error:  # a layout that is not theirs may make their code do anything
            failure = failure or error
            continue
        if orders:
            return [Reading(layout, q, h, order) for order in orders]
    usual = f"; with samples as rows: {type(failure).__name__}: {failure}" if failure else ""
    raise UserError(
        "forward(W1, b1, w2, b2, x) must return q (N,) and h (N, H), and backward(y, q, h, x, w2) the "
        f"gradients of W1, b1, w2 and b2; in no layout that is known do they{usual}"
    )


def _outputs(outputs: Any, samples: int) -> tuple[int, int]:
    """Which of the values of forward are q, a probability for each sample, and h, a row for each.

    Where several could be, the later ones: what comes out of an activation is computed after what goes in.
    """
    arrays = [np.asarray(part, np.float64) for part in outputs]
    probable = [i for i, a in enumerate(arrays) if a.size == samples and np.all((a >= 0) & (a <= 1))]
    hidden = [i for i, a in enumerate(arrays) if a.size == samples * _H]
    if not probable or not hidden:
        raise UserError(f"forward returns arrays of shapes {[a.shape for a in arrays]}")
    return probable[-1], hidden[-1]


def _orders(backward: Callable[..., Any], result: Any, params: Mapping[str, Array]) -> list[tuple[Any, ...]]:
    """Which of the values of backward belong to W1, b1, w2 and b2: all possibilities, the likely first."""
    if isinstance(result, Mapping):
        keys = {_name_in(str(key)): key for key in result}
        return [tuple(keys[name] for name in NAMES)] if set(NAMES) <= set(keys) else []
    sizes = [np.size(part) for part in result]
    told = _return_names(backward)
    if told is not None:
        return [tuple(told.index(name) for name in NAMES)]
    likely = [(0, 1, 2, 3), (2, 3, 0, 1), (3, 2, 1, 0)]
    orders = dict.fromkeys((*likely, *itertools.permutations(range(4))))
    wanted = [params[name].size for name in NAMES]
    return [order for order in orders if len(sizes) == 4 and [sizes[i] for i in order] == wanted]


def _shaped(part: Array, param: Array) -> Array:
    """Rows, columns and vectors of one size are the same here: the hand-outs mix them."""
    return part.reshape(param.shape) if part.size == param.size and 1 in (param.ndim, *param.shape) else part


def _return_names(backward: Callable[..., Any]) -> tuple[str, ...] | None:
    """The parameters whose gradients a return statement such as `return dw2, db2, dW1, db1` names."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(backward)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            names = tuple(_name_in(e.id) if isinstance(e, ast.Name) else "" for e in node.value.elts)
            if sorted(names) == sorted(NAMES):
                return names
    return None


def _name_in(text: str) -> str:
    """`W1` of `dW1`, `grad_W1` or `W1_gradient`; w2 may be written large."""
    return next((name for name in NAMES if name.lower() in text.lower()), "")
