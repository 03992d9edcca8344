"""The self-checks of lab e: gradients, losses, batches, an MLP, diagnoses of curves, rates, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.autograd.gradcheck import numerical_gradient
from nablab.byhand.losses import cross_entropy, logistic_loss
from nablab.byhand.mlp import MLP
from nablab.lessons.exercises.register import exercise

Array = NDArray[Any]
Pictures = tuple[Array, Array, Array]


def _differs(claimed: Any, right: Array, what: str) -> str | None:
    """What is wrong with an array, as far as its shape, size and direction tell; None when it is right."""
    found = np.asarray(claimed, dtype=float)
    if found.shape != right.shape:
        return f"{what} has shape {found.shape}, not {right.shape}"
    if not np.isfinite(found).all():
        return f"{what} has entries that are no numbers"
    distance, size = np.linalg.norm(found - right), np.linalg.norm(right)
    if distance <= 1e-6 * size:
        return None
    cosine = (found * right).sum() / max(float(np.linalg.norm(found) * size), 1e-300)
    if cosine > 1 - 1e-9:
        return f"{what} points the right way, but its length is wrong: a factor is missing or too many"
    if cosine < -1 + 1e-9:
        return f"{what} has the wrong sign"
    if found.ndim == 2 and found.shape[0] == found.shape[1] and np.allclose(found.T, right):
        return f"{what} has the right numbers with rows and columns exchanged"
    return f"{what} is off by {distance / size:.0%}, and points {_angle(float(cosine))}"


def _angle(cosine: float) -> str:
    return f"{np.degrees(np.arccos(np.clip(cosine, -1, 1))):.0f} degrees away from the right direction"


@exercise("e1b", "What is the derivative of f by w_jk?", asks="a function of (W, x) that returns an array")
def e1b(answer: Callable[[Array, Array], Any]) -> str | None:
    """The derivative of sum_p (sum_q w_pq x_q^2)^2 by W, held against central differences."""
    rng = np.random.default_rng(7)
    for shape in ((3, 3), (2, 5)):
        W, x = rng.standard_normal(shape), rng.standard_normal(shape[1])
        problem = _differs(answer(W.copy(), x.copy()), _of_weights(W, x), f"for W of {shape}, the gradient")
        if problem:
            return problem
    return None


def _of_weights(W: Array, x: Array) -> Array:
    return numerical_gradient(lambda: float(((W @ x**2) ** 2).sum()), W)


@exercise(
    "e1",
    "What is the gradient of the network with tanh units?",
    asks="a function of (params, X, t) that returns a dictionary of arrays",
)
def e1(answer: Callable[[Mapping[str, Array], Array, Array], Mapping[str, Any]]) -> str | None:
    """Every parameter's gradient, from the last layer to the first: mistakes travel that way."""
    net, rng = MLP((5, 4, 3), "tanh"), np.random.default_rng(1)
    params = net.initial(rng)
    params = {name: value + 0.1 * rng.standard_normal(value.shape) for name, value in params.items()}
    X, t = rng.standard_normal((12, 5)), np.arange(12) % 3
    right = net.gradient(params, X, t)
    found = answer({name: value.copy() for name, value in params.items()}, X.copy(), t.copy())
    for name in ("b2", "W2", "b1", "W1"):
        if name not in found:
            return f"there is no {name!r} in what is returned"
        problem = _differs(found[name], right[name], f"the gradient of {name}")
        if problem:
            later = " (that of W2 and b2 is right)" if name in ("b1", "W1") else ""
            return problem + later
    return None


@exercise(
    "e1c",
    "Which loss of K classes is it?",
    asks='a function of a loss (of logits and labels) that returns "softmax" or "logistic"',
)
def e1c(answer: Callable[[Callable[[Array, Array], float]], str]) -> str | None:
    """Both losses, as they are and times a factor, for what the answer calls them."""
    for factor in (1.0, 0.1, 7.0):
        for name, loss in (("softmax", cross_entropy), ("logistic", logistic_loss)):
            said = answer(_times(factor, loss))
            if said not in ("softmax", "logistic"):
                return f'it returned {said!r}, which is neither "softmax" nor "logistic"'
            if said != name:
                times = "as it is" if factor == 1 else f"times {factor:g}"
                return f"one of the two losses, {times}, was taken for the other one"
    return None


def _times(factor: float, loss: Callable[[Array, Array], float]) -> Callable[[Array, Array], float]:
    return lambda Z, t: factor * loss(np.asarray(Z, dtype=float), np.asarray(t))


def _wave(x: Array) -> float:
    return float(np.sum(np.sin(3 * x) * np.exp(x / 2)))


def _cube(x: Array) -> float:
    return float(np.sum(x**3) + np.prod(x))


@exercise("e2", "What is the numerical gradient?", asks="a function of (f, x) that returns an array like x")
def e2(answer: Callable[[Callable[[Array], float], Array], Any]) -> str | None:
    """On smooth functions of arrays of several shapes: right to 1e-7, and x as it was."""
    rng = np.random.default_rng(2)
    for function in (_wave, _cube):
        for shape in ((4,), (2, 3)):
            x = rng.standard_normal(shape)
            before, kept = x.copy(), x.copy()
            found = np.asarray(answer(function, x))
            if not np.array_equal(x, before):
                return "afterwards x is no longer what it was"
            right = numerical_gradient(partial(function, kept), kept, 1e-5)
            if found.shape != right.shape:
                return f"for x of shape {shape} it returned shape {found.shape}"
            error = float(np.linalg.norm(found - right) / np.linalg.norm(right))
            if not error <= 1e-2:
                return _differs(found, right, "the gradient") or "the gradient is wrong"
            if error > 1e-7:
                return (
                    f"the relative error is {error:.0e}, more than 1e-7: either the difference is one-sided, "
                    "or its step is far from the bottom of the V"
                )
    return None


@exercise("e2b", "Which step is best when the loss carries noise of 1e-10?", asks="a number")
def e2b(answer: float) -> str | None:
    """Within a factor of four of the bottom of the V."""
    h = float(answer)
    if not 0 < h < 1:
        return "a step is a small positive number"
    best = (3e-10) ** (1 / 3)
    if h < best / 4:
        return "at that step noise / h is the larger part of the error by far"
    if h > best * 4:
        return "at that step h^2 / 6 is the larger part of the error by far"
    return None


@exercise(
    "e3",
    "How is an epoch cut into minibatches?",
    asks="a generator function of (count, size, rng) that yields arrays of row numbers",
)
def e3(answer: Callable[[int, int, np.random.Generator], Iterator[Array]]) -> str | None:
    """Every row once, in another order each epoch, in batches of the size."""
    rng = np.random.default_rng(0)
    for count, size in ((100, 32), (96, 32), (7, 1), (5, 50)):
        # A generator that never ends is stopped where it has yielded more than there are rows.
        epochs = [
            [np.asarray(rows) for rows in islice(answer(count, size, rng), count + 2)] for _ in range(2)
        ]
        of = f"of {count} rows, {size} at a time"
        for batches in epochs:
            rows = np.concatenate(batches) if batches else np.array([])
            if len(rows) < count or len(np.unique(rows)) < len(rows):
                missing, again = count - len(np.unique(rows)), len(rows) - len(np.unique(rows))
                return f"{of}: in an epoch {missing} rows are missing, and {again} times one comes again"
            if not np.array_equal(np.sort(rows), np.arange(count)):
                return f"{of}: there are row numbers outside of 0 to {count - 1}"
            if any(len(batch) != size for batch in batches[:-1]) or len(batches[-1]) > size:
                return f"{of}: the sizes are {[len(batch) for batch in batches]}"
        first, second = (np.concatenate(batches) for batches in epochs)
        if count > 10 and np.array_equal(first, np.arange(count)):
            return f"{of}: the rows come in the order in which they lie"
        if count > 10 and np.array_equal(first, second):
            return f"{of}: two epochs have the same order"
    return None


@exercise("e3b", "60,000 images, batches of 64, 10 epochs: how many updates?", asks="a whole number")
def e3b(answer: float) -> str | None:
    """Whole epochs of 937 full batches and one smaller."""
    updates = float(answer)
    if updates == 10 * (60_000 / 64):
        return "a fraction of an update is none: what becomes of the images left over at the end of an epoch?"
    if updates == 10 * (60_000 // 64):
        return "the images that are left over at the end of each epoch are never learnt from"
    if updates in (60_000 * 10, 10, 60_000):
        return "that counts images or epochs, not batches"
    return None if updates == 9_380 else "that is not the number; how many batches has one epoch?"


@exercise(
    "e4",
    "An MLP with any list of hidden widths",
    asks="a class: answer(inputs, hidden, outputs, dropout=0.0), an nn.Module",
)
def e4(answer: type[Any]) -> str | None:
    """The questions of the lab, put to networks of the class."""
    import torch
    from torch import nn

    for hidden in ([], [7], [8, 4, 6]):
        given = list(hidden)
        net, again = answer(5, given, 3), answer(5, given, 3)
        if given != hidden:
            return f"the list {hidden} that it was given is {given} afterwards"
        if not isinstance(net, nn.Module):
            return "it is not an nn.Module"
        widths = [5, *hidden, 3]
        expected = sum(a * b + b for a, b in pairwise(widths))
        for one in (net, again):
            found = sum(p.numel() for p in one.parameters())
            if found != expected:
                return (
                    f"with hidden widths {hidden}, 5 inputs and 3 outputs, {found} parameters are registered"
                )
    torch.manual_seed(0)
    return _shape_and_sign(answer, torch) or _dropout_of(answer, torch)


def _shape_and_sign(answer: type[Any], torch: Any) -> str | None:
    """One image in, logits of either sign out, and not linear all the way."""
    net = answer(5, [16, 8], 3).eval()
    x = torch.randn(200, 5)
    with torch.no_grad():
        out, doubled, zero = net(x), net(2 * x), net(torch.zeros(1, 5))
    if tuple(out.shape) != (200, 3):
        return f"200 rows of 5 numbers give an output of shape {tuple(out.shape)}"
    drawn = (answer(5, [16, 8], 3).eval() for _ in range(8))  # one of them may have large biases by chance
    if (out >= 0).all() and all(_never_negative(one, x) for one in drawn):
        return "no output is ever negative: something stands behind the last linear layer"
    if torch.allclose(out.exp().sum(dim=1), torch.ones(200)) or torch.allclose(
        out.sum(dim=1), torch.ones(200)
    ):
        return "the outputs are probabilities or their logarithms; logits were asked for"
    if torch.allclose(doubled - zero, 2 * (out - zero), atol=1e-5):
        return "it is linear from end to end: nothing stands between the linear layers"
    return None


def _never_negative(net: Any, x: Any) -> bool:
    return bool((net(x) >= 0).all())


def _dropout_of(answer: type[Any], torch: Any) -> str | None:
    """Dropout changes something in training, nothing when predicting, and is no default."""
    net, x = answer(5, [64, 32], 3, dropout=0.5), torch.randn(50, 5)
    net.train()
    if torch.equal(net(x), net(x)):
        return "in training, dropout=0.5 changes nothing"
    net.eval()
    if not torch.equal(net(x), net(x)):
        return "when predicting, values are still dropped"
    plain = answer(5, [64, 32], 3).train()
    if not torch.equal(plain(x), plain(x)):
        return "without dropout, two passes differ"
    wide = answer(5, [64], 200, dropout=0.9).train()
    if (wide(x) == 0).float().mean() > 0.1:
        return "outputs are dropped too"
    return None


#: Of each ailment, how its curves are drawn: epochs, and how strongly, at random.
_AILMENTS: dict[str, Callable[[np.random.Generator], Pictures]] = {}


def _drawn(name: str) -> Callable[[Callable[[np.random.Generator], Pictures]], Any]:
    def keep(draw: Callable[[np.random.Generator], Pictures]) -> Any:
        _AILMENTS[name] = draw
        return draw

    return keep


def _epochs(rng: np.random.Generator) -> Array:
    return np.arange(int(rng.integers(16, 41)) + 1, dtype=float)


def _settle(e: Array, start: float, end: float, pace: float) -> Array:
    """From start to end, most of it within `pace` of all epochs."""
    return np.asarray(end + (start - end) * np.exp(-e / (pace * e[-1])))


@_drawn("healthy")
def _healthy(rng: np.random.Generator) -> Pictures:
    e = _epochs(rng)
    train = _settle(e, 2.4, rng.uniform(0.25, 0.4), 0.12)
    valid = _settle(e, 2.4, rng.uniform(0.45, 0.6), 0.12) + 0.02 * e / e[-1]
    return train, valid, _settle(e, 0.1, rng.uniform(0.86, 0.95), 0.12)


@_drawn("underfitting")
def _underfitting(rng: np.random.Generator) -> Pictures:
    e, high = _epochs(rng), rng.uniform(1.0, 1.7)
    return (
        _settle(e, 2.5, high, 0.1),
        _settle(e, 2.5, high * 1.04, 0.1),
        _settle(e, 0.1, 0.9 - high / 3, 0.1),
    )


@_drawn("overfitting")
def _overfitting(rng: np.random.Generator) -> Pictures:
    e = _epochs(rng)
    train = _settle(e, 2.4, 0.01, 0.12)
    valid = _settle(e, 2.4, 0.65, 0.07) + rng.uniform(0.3, 0.7) * e / e[-1]
    return train, valid, _settle(e, 0.1, 1.0, 0.1)


@_drawn("slow")
def _slow(rng: np.random.Generator) -> Pictures:
    e, fall = _epochs(rng), rng.uniform(0.5, 1.1)
    train = 2.4 - fall * e / e[-1] + 0.1 * (e / e[-1]) ** 2
    return train, train + 0.03, 0.1 + 0.4 * fall * e / e[-1]


@_drawn("unstable")
def _unstable(rng: np.random.Generator) -> Pictures:
    e = _epochs(rng)
    train = rng.uniform(1.0, 1.8) + rng.uniform(0.3, 0.6) * np.where(e % 2 == 0, 1, -1) * rng.uniform(
        0.6, 1, len(e)
    )
    train[0] = 2.4
    return train, train + 0.15, np.clip(1 - train / 2.3, 0.1, 0.7)


@exercise(
    "e5",
    "What ails a training, by its curves?",
    asks="a function of (train_loss, valid_loss, train_accuracy, plain) that returns a text",
)
def e5(answer: Callable[[Array, Array, Array, float], str]) -> str | None:
    """Curves of every ailment, drawn at random with a little noise, and one that ends in nan."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        for name, draw in _AILMENTS.items():
            train, valid, reached = draw(rng)
            train, valid = (np.abs(c + 0.002 * rng.standard_normal(len(c))) for c in (train, valid))
            said = answer(train, valid, reached, 0.8)
            if said != name:
                return (
                    f"a training was called {said!r} whose training loss went from {train[0]:.2f} over "
                    f"{train[len(train) // 2]:.2f} to {train[-1]:.2f}, whose validation loss ended at "
                    f"{valid[-1]:.2f} after a least one of {valid.min():.2f}, and whose training accuracy "
                    f"ended at {reached[-1]:.0%}"
                )
    gone = np.array([2.4, 2.9, 8.0, np.nan])
    if answer(gone, gone, np.array([0.1, 0.1, 0.1, 0.1]), 0.8) != "unstable":
        return "a training whose loss became nan was not recognised"
    return None


@exercise(
    "e6",
    "How are learning rates drawn?",
    asks="a function of (low, high, count, rng) that returns an array",
)
def e6(answer: Callable[[float, float, int, np.random.Generator], Any]) -> str | None:
    """As many in each factor of ten, all within, and not on a grid."""
    for low, high in ((1e-4, 1.0), (1e-3, 1e-1)):
        rates = np.asarray(answer(low, high, 4000, np.random.default_rng(3)), dtype=float)
        if rates.shape != (4000,):
            return f"asked for 4,000 rates, it returned shape {rates.shape}"
        if (rates < low * (1 - 1e-9)).any() or (rates > high * (1 + 1e-9)).any():
            return f"there are rates outside of {low:g} to {high:g}"
        decades = round(np.log10(high / low))
        shares = np.histogram(np.log10(rates / low), bins=decades, range=(0, decades))[0] / 4000
        if np.abs(shares - 1 / decades).max() > 0.05:
            said = ", ".join(f"{share:.0%}" for share in shares)
            return f"between {low:g} and {high:g}, the factors of ten get {said} of the rates"
        other = np.asarray(answer(low, high, 4000, np.random.default_rng(4)), dtype=float)
        if np.array_equal(np.sort(rates), np.sort(other)):
            return "another generator gives the same rates: they are a grid, or rng is not used"
    return None


@exercise(
    "e7",
    "What is the gradient through time?",
    asks="a function of (W, U, xs) that returns the gradients by W and by U",
)
def e7(answer: Callable[[Array, Array, Array], tuple[Any, Any]]) -> str | None:
    """Sequences of one, two and five inputs; one step alone cannot tell whether gradients are summed."""
    rng = np.random.default_rng(6)
    for steps in (1, 2, 5):
        W, U, xs = rng.standard_normal((3, 2)), rng.standard_normal((3, 3)), rng.standard_normal((steps, 2))
        found = answer(W.copy(), U.copy(), xs.copy())
        for name, array, gradient in (("W", W, found[0]), ("U", U, found[1])):
            right = numerical_gradient(partial(_state, W, U, xs), array)
            if steps == 1 and name == "U":
                right = np.zeros_like(U)  # h_0 is 0
                if np.any(np.asarray(gradient) != 0):
                    return "for a sequence of 1 from h_0 = 0, the gradient by U is not 0"
                continue
            problem = _differs(gradient, right, f"for a sequence of {steps}, the gradient by {name}")
            if problem:
                return problem
    return None


def _state(W: Array, U: Array, xs: Array) -> float:
    h = np.zeros(len(U))
    for x in xs:
        h = np.tanh(W @ x + U @ h)
    return float(h.sum())
