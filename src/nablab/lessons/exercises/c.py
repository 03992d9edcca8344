"""The exercises of lab c: step size, back-propagation, splits, penalty, dropout, the layer language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dis import get_instructions
from inspect import getclosurevars
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nablab import court
from nablab.byhand import log_sum_exp
from nablab.lessons.exercises.register import exercise

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[Any]

#: Causes that may be told: what is a slip. Those that would write the derivative down are only hinted at.
_SLIPS = frozenset({"factor", "zero", "transposed", "flipped", "swapped", "absolute", "clipped", "stepped",
                    "samples", "shape", "missing", "not finite", "follows"})  # fmt: skip


def _directions() -> list[Array]:
    rng = np.random.default_rng(7)
    return [
        np.ones(5),
        3 * np.ones(2),
        *(rng.standard_normal(n) * scale for n, scale in ((4, 1.0), (7, 0.2))),
    ]


def _residual_after(x: Array, rate: float) -> float:
    """What a step of this rate multiplies 1 - x.w by."""
    return 1 - 2 * rate * float(x @ x)


def _number(value: Any) -> float:
    return float(np.asarray(value, np.float64).reshape(()))


@exercise("c1", "The gradient of (1 - x.w)^2", asks="a function of (w, x) that returns an array as long as w")
def c1(answer: Callable[[Array, Array], Any]) -> str | None:
    rng = np.random.default_rng(1)
    for x in reversed(_directions()):
        w = rng.standard_normal(len(x))
        right = -2 * (1 - x @ w) * x
        found = np.asarray(answer(w.copy(), x.copy()), np.float64)
        if found.shape != w.shape:
            return f"for w of shape {w.shape} it returns shape {found.shape}"
        if np.allclose(found, right):
            continue
        if np.allclose(found, -right):
            return "the sign is wrong: it points downhill, and descent subtracts it"
        if np.allclose(found, right / 2):
            return "it is half of it: what is the derivative of a square?"
        if np.allclose(found, found[0]) and not np.allclose(x, x[0]):
            return "all of its entries are the same, though x has different ones"
        return f"for w = {w.round(2)}, x = {x.round(2)} it does not agree with finite differences"
    return None


@exercise("c1b", "Which learning rate is fastest?", asks="a function of x that returns a rate")
def c1b(answer: Callable[[Array], Any]) -> str | None:
    for x in _directions():
        factor = _residual_after(x, _number(answer(x.copy())))
        if abs(factor) < 1e-6:
            continue
        said = f"for x = {x.round(2)} the residual 1 - x.w is {factor:.3g} times what it was after one step"
        if abs(factor) > 1 + 1e-9:
            return f"{said}: that diverges"
        if abs(factor + 1) < 1e-9:
            return f"{said}: that never ends"
        return f"{said}: it is not gone"
    return None


@exercise("c1c", "From which rate on does the loss not fall any more?", asks="a function of x")
def c1c(answer: Callable[[Array], Any]) -> str | None:
    for x in _directions():
        rate = _number(answer(x.copy()))
        factor = abs(_residual_after(x, rate))
        if abs(factor - 1) < 1e-6 and rate > 0:
            continue
        if rate <= 0:
            return f"for x = {x.round(2)} it is {rate:.3g}; a step of that rate does not go downhill"
        does = "still falls" if factor < 1 else "grows already"
        return f"for x = {x.round(2)}, at your rate {rate:.3g}, the loss {does}"
    return None


@exercise("c1d", "The best rate for several curvatures", asks="a function of an array of curvatures")
def c1d(answer: Callable[[Array], Any]) -> str | None:
    for curvatures in ([1.0, 10.0], [4.0, 2.0, 3.0], [0.5], [7.0, 7.0], [0.01, 0.02, 5.0]):
        bowl = np.array(curvatures)
        rate = _number(answer(bowl.copy()))
        factors = abs(1 - rate * bowl)
        best = (bowl.max() - bowl.min()) / (bowl.max() + bowl.min())
        if abs(factors.max() - best) < 1e-6:
            continue
        slowest = bowl[factors.argmax()]
        if factors.max() > 1:
            return f"curvatures {curvatures}: at {rate:.4g} the direction of curvature {slowest:g} diverges"
        return (
            f"curvatures {curvatures}: at {rate:.4g} the direction of curvature {slowest:g} keeps "
            f"{factors.max():.4g} of its error a step; another rate does better for the slowest"
        )
    return None


def _court_says(report: court.CourtReport) -> str | None:
    """What was done wrong where it was done; only a hint where that would tell the derivative."""
    for finding in sorted(
        report.wrong, key=lambda one: one.cause is not None and one.cause.code == "follows"
    ):
        code = finding.cause.code if finding.cause else ""
        if finding.cause is not None and code in _SLIPS:
            return f"the gradient of {finding.name} is wrong: {finding.cause.text}"
        hint = {
            "activation": ": look at the derivative of the activation after it",
            "output": ": look at what cancels at the output",
            "carried back": ": look at how the error is carried back through the next weights",
            "penalty": ": look at the penalty's part of it",
            "entries": ": in some of its entries",
        }.get(code, "")
        return f"the gradient of {finding.name} does not agree with finite differences{hint}"
    return None


def _hidden_loss(params: Mapping[str, Array], x: Array, y: Array) -> float:
    z = np.tanh(x @ params["W1"] + params["b1"]) @ params["w2"] + params["b2"]
    return float(np.mean(np.logaddexp(0, z) - y * z))


@exercise("c2", "Back-propagation through two layers", asks="a function of (params, x, y), four gradients")
def c2(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(2)
    params = {"W1": rng.standard_normal((3, 4)), "b1": rng.standard_normal(4),
              "w2": rng.standard_normal(4), "b2": np.array(0.3)}  # fmt: skip
    x, y = rng.standard_normal((12, 3)), np.arange(12) % 2
    found = answer({name: value.copy() for name, value in params.items()}, x, y)
    if not isinstance(found, Mapping):
        return "it does not return a dictionary"
    return _court_says(court.gradcheck(_hidden_loss, answer, params, x, y))


@exercise("c3", "A split that is the same each time", asks="a function of (y, share, seed)")
def c3(answer: Callable[..., Any]) -> str | None:
    import torch

    y = np.repeat(np.arange(4), (400, 200, 100, 300))
    np.random.default_rng(3).shuffle(y)
    kept_numpy, kept_torch = np.random.get_state(), torch.get_rng_state()
    try:
        return _look_at_split(answer, y)
    finally:
        np.random.set_state(kept_numpy)
        torch.set_rng_state(kept_torch)


def _look_at_split(answer: Callable[..., Any], y: Array) -> str | None:
    import torch

    seen = []
    for clock in (1, 2):
        np.random.seed(clock)
        torch.manual_seed(clock)
        train, validation = (np.asarray(rows) for rows in answer(y.copy(), 0.2, 5))
        seen.append((train, validation))
        drawn = np.random.random(), torch.rand(1).item()
        np.random.seed(clock)
        torch.manual_seed(clock)
        if drawn != (np.random.random(), torch.rand(1).item()):
            return "it draws from (or seeds) the generator that everything else draws from; give it its own"
    for train, validation in seen:
        if bool in (train.dtype, validation.dtype):
            return "those are masks, true or false for each row; row numbers are asked for"
        if len(np.intersect1d(train, validation)):
            return "some rows are both trained on and validated with"
        if not np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(y))):
            return "some rows are in neither part, or twice in one"
    if not np.array_equal(np.sort(seen[0][1]), np.sort(seen[1][1])):
        return "asked twice with one seed, it holds out different rows"
    for share in (0.2, 0.25):
        held = np.bincount(y[np.asarray(answer(y.copy(), share, 5)[1])], minlength=4)
        wanted = share * np.bincount(y)
        worst = int(np.abs(held - wanted).argmax())
        if abs(held[worst] - wanted[worst]) > 1:
            images = np.bincount(y)[worst]
            return f"share {share}: of class {worst} with {images} images {held[worst]} are held out"
    if np.array_equal(np.sort(seen[0][1]), np.sort(np.asarray(answer(y.copy(), 0.2, 6)[1]))):
        return "another seed holds out the same rows"
    return None


@exercise(
    "c4", "The gradient of softmax regression with the penalty", asks="a function of (W, b, x, y, penalty)"
)
def c4(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(4)
    params = {"W": rng.standard_normal((5, 3)), "b": rng.standard_normal(3)}
    x, y = rng.standard_normal((15, 5)), np.arange(15) % 3
    for penalty in (0.0, 0.3):

        def loss(p: Mapping[str, Array], x: Array, y: Array, penalty: float = penalty) -> float:
            z = x @ p["W"] + p["b"]
            data = np.mean(log_sum_exp(z)[:, 0] - z[np.arange(len(y)), y])
            return float(data + penalty * np.sum(p["W"] ** 2))

        def gradient(p: Mapping[str, Array], x: Array, y: Array, penalty: float = penalty) -> dict[str, Any]:
            dW, db = answer(p["W"], p["b"], x, y, penalty)
            return {"W": dW, "b": db}

        said = _court_says(court.gradcheck(loss, gradient, params, x, y))
        if said:
            return f"with the penalty {penalty:g}, {said}"
    return None


@exercise("c4b", "From penalty * sum w^2 to weight decay", asks="a function of the penalty")
def c4b(answer: Callable[[float], Any]) -> str | None:
    rate = 0.1
    for penalty in (0.05, 0.3, 0.0):
        decay = _number(answer(penalty))
        shrinks, should = 1 - rate * decay, 1 - rate * 2 * penalty
        if not math.isclose(shrinks, should, abs_tol=1e-12):
            return (
                f"penalty {penalty:g}: with your {decay:g} and lr {rate:g}, where the loss is flat, a step "
                f"of SGD multiplies w by {shrinks:g}; the penalty's own gradient does it by another number"
            )
    return None


@exercise("c4c", "Train what is given", asks="a function of (model, x, y, lr, epochs)")
def c4c(answer: Callable[..., Any]) -> str | None:
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(200, 6)
        y = (x[:, :3] @ torch.randn(3, 3)).argmax(1)
        for size in (0, 8):
            layers = [nn.Linear(6, size), nn.ReLU(), nn.Linear(size, 3)] if size else [nn.Linear(6, 3)]
            said = _look_at_training(answer, nn.Sequential(*layers), x, y)
            if said:
                return said
    return None


def _look_at_training(answer: Callable[..., Any], model: nn.Module, x: Any, y: Any) -> str | None:
    import torch
    from torch import nn

    outside = {name: value for name, value in _outside(answer).items() if isinstance(value, nn.Module)}
    kept = {name: [p.detach().clone() for p in value.parameters()] for name, value in outside.items()}
    start = [p.detach().clone() for p in model.parameters()]
    before = nn.functional.cross_entropy(model(x), y).item()
    try:
        answer(model, x, y, 0.2, 10)
    finally:
        moved = [name for name, value in outside.items() if _moved(value, kept[name])]
        with torch.no_grad():
            for name in moved:
                for p, old in zip(outside[name].parameters(), kept[name], strict=True):
                    p.copy_(old)
    if moved:
        return f"it trained {', '.join(moved)}, which it was not given"
    if not _moved(model, start):
        return "the weights of the model that it was given did not move"
    if any(torch.equal(p, old) for p, old in zip(model.parameters(), start, strict=True)):
        return "some of the model's parameters did not move"
    after = nn.functional.cross_entropy(model.eval()(x), y).item()
    if not after < 0.7 * before:
        return f"after 10 epochs at the rate 0.2 the loss went from {before:.3f} to {after:.3f}"
    if outside:
        return f"it reads {', '.join(outside)} from outside: in another notebook that is not there"
    return None


def _outside(function: Any, seen: frozenset[int] = frozenset()) -> dict[str, Any]:
    """What a function takes from outside of it, and what the functions beside it that it calls take."""
    if not hasattr(function, "__code__") or id(function) in seen:
        return {}
    names = {step.argval for step in get_instructions(function) if step.opname == "LOAD_GLOBAL"}
    around = function.__globals__
    found = {**{name: around[name] for name in names & around.keys()}, **getclosurevars(function).nonlocals}
    for value in list(found.values()):
        if getattr(value, "__globals__", None) is around:
            found |= _outside(value, seen | {id(function)})
    return found


def _moved(model: nn.Module, old: list[Any]) -> bool:
    return any(not bool((p == was).all()) for p, was in zip(model.parameters(), old, strict=True))


@exercise("c5", "Inverted dropout", asks="a function of (a, p, rng) that returns an array as large as a")
def c5(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(5)
    a = np.array([1.0, -2.0, 0.5, 4.0])
    many = np.tile(a, (50_000, 1))
    for p in (0.5, 0.2, 0.0):
        given = many.copy()
        out = np.asarray(answer(given, p, rng), np.float64)
        if out.shape != many.shape:
            return f"of {many.shape} it makes {out.shape}"
        if not np.array_equal(given, many):
            return "it changes the array that it is given"
        zeros = float((out == 0).mean())
        if abs(zeros - p) > 0.01:
            return f"p = {p}: a share of {zeros:.2f} is zero"
        if not np.allclose(out.mean(axis=0), a, rtol=0.03):
            ratio = float((out.mean(axis=0) / a).mean())
            scale = "so the next layer gets another scale"
            return f"p = {p}: on average a unit is {ratio:.2f} times what it was, {scale}"
        if p and len(np.unique(out != 0, axis=0)) < 16:
            return f"p = {p}: units are not dropped each for itself"
        if p and np.array_equal(out, answer(many.copy(), p, rng)):
            return "twice in a row the same units are dropped"
    return None


@exercise("c5b", "The noise that dropout adds", asks="a function of (w, a, p), a standard deviation")
def c5b(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(6)
    for p in (0.5, 0.2, 0.0):
        w, a = rng.standard_normal(8), rng.standard_normal(8)
        right = math.sqrt(p / (1 - p) * float(np.sum(w**2 * a**2)))
        found = _number(answer(w, a, p))
        if math.isclose(found, right, abs_tol=1e-9):
            continue
        if math.isclose(found, right**2, abs_tol=1e-9):
            return f"p = {p}: that is the variance"
        if math.isclose(found, right * (1 - p), abs_tol=1e-9):
            return f"p = {p}: that is without the factor 1/(1 - p) of the units that stay"
        kept = (rng.random((100_000, 8)) >= p) * a / (1 - p) @ w
        return f"p = {p}: 100,000 masks have a spread of {kept.std():.3f}, you say {found:.3f}"
    return None


@exercise("c6", "Numbers into the first linear layer", asks="a function of (text, side), a whole number")
def c6(answer: Callable[[str, int], Any]) -> str | None:
    from nablab.models.language import parse
    from nablab.models.shapes import walk
    from nablab.models.spec import Linear

    cases = (("8C5-ReLU-MaxPool2-500-K", 28), ("8C5p0-ReLU-MaxPool2-K", 28), ("16C3s2-ReLU-4C3s2-K", 28),
             ("6C5-MaxPool2-16C5p0-MaxPool2-120-K", 28), ("5C3-MaxPool3s2-K", 31), ("K", 8))  # fmt: skip
    for text, side in cases:
        placed = walk(parse(text), (1, side, side), 10)
        right = next(math.prod(one.input_shape) for one in placed if isinstance(one.layer, Linear))
        found = answer(text, side)
        if found is None or _number(found) != right:
            return f"for {text} on {side} x {side} pixels it says {found}"
    return None


@exercise("c6b", "A network written as a line", asks="a text of the layer language")
def c6b(answer: Any) -> str | None:
    from nablab.errors import UserError
    from nablab.models.language import layer_text, parse
    from nablab.models.spec import Flatten

    blocks = "-".join(f"{n}C3-BatchNorm-ReLU-MaxPool2" for n in (32, 64, 128))
    wanted = parse(f"{blocks}-GlobalAvgPool-Dropout0.5-K").layers
    if not isinstance(answer, str):
        return f"it is a {type(answer).__name__}, not a text"
    try:
        found = [layer for layer in parse(answer).layers if not isinstance(layer, Flatten)]
    except UserError as error:
        return str(error)
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if one != other:
            return f"layer {number}, {layer_text(one)}, is not what the text describes there"
    if len(found) != len(wanted):
        more = "fewer" if len(found) < len(wanted) else "more"
        return f"it has {more} layers than the text describes: {len(found)}"
    return None
