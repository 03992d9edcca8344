"""The self-checks of lab b: from one neuron to a convolutional network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import byhand
from nablab.lessons.exercises.register import exercise

Array = NDArray[Any]

#: The digit that each column of the sign-language digits' `Y.npy` is the sign for.
_DIGITS = np.array([9, 0, 7, 6, 1, 8, 4, 3, 2, 5])


def _apart(found: Any, right: Any) -> float:
    """The largest difference relative to the largest right number; inf where it cannot be compared."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if found.shape != right.shape or not np.isfinite(found).all():
        return math.inf
    return float(np.abs(found - right).max() / max(float(np.abs(right).max()), 1e-12))


def _factor(found: Any, right: Array) -> float | None:
    """The one number that `found` is `right` times; None if there is none."""
    found = np.asarray(found, np.float64)
    if found.shape != right.shape or not right.any():
        return None
    factor = float((found * right).sum() / (right * right).sum())
    return factor if factor and _apart(found, factor * right) < 1e-6 else None


def _whole(answer: Any) -> int | None:
    """A whole number, if the answer is one."""
    value = np.asarray(answer)
    if value.shape or value.dtype.kind not in "iuf" or float(value) != round(float(value)):
        return None
    return int(value)


@exercise("b1", "Which digit is each one-hot row of Y.npy the sign for?", asks="a function of Y (N, 10)")
def b1(answer: Callable[[Array], Any]) -> str | None:
    columns = np.array([3, 0, 9, 9, 1, 4, 5, 6, 7, 8, 2])
    found, right = np.asarray(answer(np.eye(10)[columns])), _DIGITS[columns]
    if found.shape != right.shape:
        return f"of {len(right)} rows it makes an array of shape {found.shape}, not a digit for each row"
    if (found == columns).all():
        return "that is the number of the column; the columns are not in the order of the digits"
    if (found == np.argsort(_DIGITS)[columns]).all():
        return (
            "the order is used the wrong way round: that is the column of a digit, not the digit of a column"
        )
    wrong = int((found != right).sum())
    return f"{wrong} of {len(right)} rows are given another digit than theirs" if wrong else None


@exercise("b2", "Scale jointly to [-0.5, 0.5]", asks="a function of (train, test) that returns both scaled")
def b2(answer: Callable[[Array, Array], Any]) -> str | None:
    rng = np.random.default_rng(0)
    train, test = rng.uniform(0, 200, (30, 4)) * [1.0, 0.5, 0.25, 1.0], rng.uniform(-50, 300, (8, 4))
    kept = train.copy(), test.copy()
    new_train, new_test = (np.asarray(part, np.float64) for part in answer(train, test))
    if not (np.array_equal(train, kept[0]) and np.array_equal(test, kept[1])):
        return "it changes the arrays that it is given"
    if new_train.shape != train.shape or new_test.shape != test.shape:
        return f"the shapes {train.shape} and {test.shape} become {new_train.shape} and {new_test.shape}"
    low, high = train.min(), train.max()
    if np.allclose(new_train, (train - low) / (high - low) - 0.5):
        if np.allclose(new_test, (test - low) / (high - low) - 0.5):
            return None
        clipped = np.clip((test - low) / (high - low) - 0.5, -0.5, 0.5)
        if np.allclose(new_test, clipped):
            return "the training images are right; but the test images are cut off at the ends"
        return "the training images are right; but the test images are scaled by other numbers than they are"
    if np.allclose(np.ptp(new_train, axis=0), 1):
        return "each pixel is stretched by numbers of its own: that is per pixel, not jointly"
    if new_train.min() > -0.5 + 1e-9 or new_train.max() < 0.5 - 1e-9:
        return "the training images do not reach both ends: are the numbers learned from other images too?"
    return f"the training images run from {new_train.min():.3g} to {new_train.max():.3g}"


@exercise("b3", "The gradient of one logistic neuron", asks="a function of (w, b, x, y), returns (dw, db)")
def b3(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(1)
    w, b, x, y = rng.standard_normal(4), 0.3, rng.standard_normal((12, 4)), np.arange(12) % 2
    right = byhand.Logistic().gradient({"w": w, "b": np.array(b)}, x, y)
    dw, db = answer(w, b, x, y)
    problem = _gradient_problem({"w": dw, "b": np.asarray(db)}, right, len(x))
    if problem:
        q = byhand.logistic(x @ w + b)
        if _apart(dw, x.T @ ((q - y) * q * (1 - q)) / len(x)) < 1e-6:
            return "the derivative of the logistic function is still there; does nothing cancel it?"
    return problem


def _gradient_problem(found: dict[str, Any], right: dict[str, Array], samples: int) -> str | None:
    """What is wrong with a gradient, in a line; None when nothing is."""
    for name, expected in right.items():
        if name not in found:
            return f"there is no derivative by {name}"
        given = np.asarray(found[name], np.float64)
        if given.shape != expected.shape:
            return f"the derivative by {name} has shape {given.shape}; {name} itself has {expected.shape}"
        if not np.isfinite(given).all():
            return f"the derivative by {name} is not finite"
        if _apart(given, expected) < 1e-6:
            continue
        factor = _factor(given, expected)
        if factor is None:
            return f"the derivative by {name} does not agree with finite differences"
        if math.isclose(factor, samples, rel_tol=1e-6):
            return f"the derivative by {name} is that of the sum over the samples, not of the mean"
        if math.isclose(factor, -1, rel_tol=1e-6):
            return f"the derivative by {name} has the wrong sign: it points downhill"
        return f"the derivative by {name} has the right direction, but is {factor:.4g} times too long"
    return None


@exercise("b4", "The mean cross entropy of scores, for any size of score", asks="a function of (Z, y)")
def b4(answer: Callable[[Array, Array], Any]) -> str | None:
    Z = np.random.default_rng(2).standard_normal((7, 4))
    y = np.arange(7) % 4
    right = byhand.LOSSES["softmax"].value(Z, y)
    found = np.asarray(answer(Z, y), np.float64)
    if found.shape:
        return f"it gives an array of shape {found.shape}, not one number"
    for times, said in ((7, "summed over the samples"), (1 / 4, "averaged over the classes as well")):
        if math.isclose(float(found), times * right, rel_tol=1e-6):
            return (
                f"it is {said}: the losses of two sets of different sizes could not be compared, or its rate"
            )
    if not math.isclose(float(found), right, rel_tol=1e-6):
        return f"for small scores it is {float(found):.4g}, which is not the mean of -log p"
    with np.errstate(all="ignore"):
        large = np.asarray(answer(np.array([[1000.0, 0.0], [-1000.0, 0.0]]), np.array([0, 0])), np.float64)
    if not np.isfinite(large):
        return f"for scores of 1000 it is {float(large)}: an exponential overflows, or a logarithm meets 0"
    return None if math.isclose(float(large), 500, rel_tol=1e-6) else "for scores of 1000 it is wrong"


@exercise("b4b", "One-versus-rest: which class, and how many say yes", asks="a function of Q (N, K)")
def b4b(answer: Callable[[Array], Any]) -> str | None:
    Q = np.array([[0.9, 0.2, 0.1], [0.6, 0.7, 0.1], [0.3, 0.1, 0.2], [0.1, 0.4, 0.8]])
    chosen, count = (np.asarray(part) for part in answer(Q))
    if chosen.shape != (4,) or count.shape != (4,):
        return f"of 4 images it makes shapes {chosen.shape} and {count.shape}: a class and a count for each"
    if not (count == (Q > 0.5).sum(axis=1)).all():
        return "the second value is not how many of the classifiers say yes (above a half)"
    if chosen[2] != 0:
        return "where no classifier says yes, one of them still is the least unsure"
    return (
        None if (chosen == Q.argmax(axis=1)).all() else "where several say yes, it is not the surest of them"
    )


@exercise("b5", "The derivative of h = 2 logistic(o) - 1, in terms of h", asks="a function of h")
def b5(answer: Callable[[Array], Any]) -> str | None:
    h = np.linspace(-0.95, 0.95, 21)
    found = np.asarray(answer(h.copy()), np.float64)
    if found.shape != h.shape:
        return f"of {h.shape} it makes {found.shape}"
    if _apart(found, (1 - h * h) / 2) < 1e-6:
        return None
    if _apart(found, 1 - h * h) < 1e-6:
        return "that is the derivative of tanh(o); this h rises more slowly"
    if _apart(found, found[::-1]) > 1e-6:
        return "h is an odd function, so its slope at h and at -h must be the same; yours is not"
    return f"at h = 0 the slope would be {found[10]:.4g}; compare with a small step of o"


@exercise(
    "b5b",
    "Back-propagation for any number of layers",
    asks="a function of (Ws, bs, x, y), returns (dWs, dbs)",
)
def b5b(answer: Callable[..., Any]) -> str | None:
    for widths in ((4, 3), (4, 6, 3), (4, 5, 6, 5, 3)):
        net = byhand.MLP(widths, "tanh")
        params = net.initial(np.random.default_rng(3))
        depth = len(widths) - 1
        rng = np.random.default_rng(4)
        x, y = rng.standard_normal((9, 4)), np.arange(9) % 3
        Ws, bs = ([params[f"{kind}{i}"] for i in range(1, depth + 1)] for kind in "Wb")
        dWs, dbs = answer([W.copy() for W in Ws], [b.copy() for b in bs], x.copy(), y.copy())
        if len(dWs) != depth or len(dbs) != depth:
            return f"for {depth} layers it returns {len(dWs)} and {len(dbs)} derivatives"
        found = {f"{k}{i}": d for k, ds in (("W", dWs), ("b", dbs)) for i, d in enumerate(ds, 1)}
        problem = _gradient_problem(found, net.gradient(params, x, y), len(x))
        if problem:
            return f"with widths {'-'.join(map(str, widths))}, {problem}"
    return None


@exercise("b6", "Parameters of MLPClassifier((30, 20)) on 64 pixels, 10 classes", asks="a whole number")
def b6(answer: Any) -> str | None:
    found = _whole(answer)
    if found == 64 * 30 + 30 * 20 + 20 * 10:
        return "those are the weights; every unit has one number more"
    if found is None:
        return "parameters are counted in whole numbers"
    return (
        None
        if found == 65 * 30 + 31 * 20 + 21 * 10
        else "add up, layer by layer, what goes in times what goes out"
    )


@exercise("b7", "The derivative of softplus, log(1 + exp(o))", asks="a function of o, finite for any o")
def b7(answer: Callable[[Array], Any]) -> str | None:
    o = np.linspace(-5, 5, 21)
    found = np.asarray(answer(o.copy()), np.float64)
    if found.shape != o.shape:
        return f"of {o.shape} it makes {found.shape}"
    right = byhand.logistic(o)
    if _apart(found, right) > 1e-6:
        if _apart(found, right * (1 - right)) < 1e-6:
            return "that is the second derivative"
        return f"at 0 it is {found[10]:.4g}: compare with the slope of the curve there"
    with np.errstate(all="ignore"):
        ends = np.asarray(answer(np.array([-1000.0, 1000.0])), np.float64)
    return None if _apart(ends, [0, 1]) < 1e-6 else f"at -1000 and 1000 it is {ends[0]} and {ends[1]}"


@exercise("b8", "Square error of a logistic output, by z, one image", asks="a function of (z, y)")
def b8(answer: Callable[[Array, Array], Any]) -> str | None:
    z, y = np.array([-3.0, -0.5, 0.2, 4.0]), np.array([1.0, 0.0, 1.0, 0.0])
    q = byhand.logistic(z)
    right = 2 * (q - y) * q * (1 - q)
    found = np.asarray(answer(z, y), np.float64)
    if found.shape != z.shape:
        return f"of {z.shape} it makes {found.shape}"
    for wrong, said in (
        (2 * (q - y), "that is the derivative by q; z comes before it"),
        (q - y, "that is the derivative of the cross entropy"),
        (right / 2, "it is half of it: the loss is (q - y)^2, without a half before it"),
        (-right, "it has the wrong sign"),
    ):
        if _apart(found, wrong) < 1e-6:
            return said
    return None if _apart(found, right) < 1e-6 else "it does not agree with a small step of z"


@exercise("b9", "x.grad of the sum of 3 log x, however often it is asked", asks="a function of a tensor x")
def b9(answer: Callable[[Any], Any]) -> str | None:
    import torch

    x = torch.tensor([0.5, 1.0, 4.0], requires_grad=True)
    right = 3 / x.detach().numpy()
    for time in ("first", "second", "third"):
        found = answer(x)
        if found is None:
            return "it returns nothing"
        found = torch.as_tensor(found).detach().numpy().copy()
        if _apart(found, right) > 1e-6:
            factor = _factor(found, right)
            again = f", {factor:.4g} times the right one" if factor else ""
            return f"at the {time} call the gradient is wrong{again}"
    return None


@exercise("b10", "By how much is the loss too small?", asks="the factor between the two losses, 10 classes")
def b10(answer: Any) -> str | None:
    value = float(answer)
    if math.isclose(value, 10) or math.isclose(value, 0.1):
        return None
    if math.isclose(value, 64) or math.isclose(value, 640):
        return "both losses are averaged over the images of a batch; what else is there to average over?"
    return "compare the two losses on the same scores, as numbers"


@exercise("b10b", "A CNN that ends in one score a class at 28 and at 64 pixels", asks="a class of nn.Module")
def b10b(answer: Any) -> str | None:
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        net = answer().eval()
        for side in (28, 64):
            images = torch.rand(6, 1, side, side, generator=torch.Generator().manual_seed(0))
            scores = net(images)
            if tuple(scores.shape) != (6, 10):
                return f"6 images of {side} pixels give {tuple(scores.shape)}, not 10 scores each"
            if bool((scores >= 0).all()):
                return (
                    f"at {side} pixels no score is below zero: is there an activation after the last layer?"
                )
            if torch.allclose(scores, scores[:1].expand_as(scores)):
                return f"at {side} pixels the scores do not depend on the image"
            moved = torch.cat([net(images[:1]), net(images[1:2])])
            if not torch.allclose(moved, scores[:2], atol=1e-4):
                return "the scores of an image depend on the others in its batch"
    if not any(isinstance(part, torch.nn.Conv2d) for part in net.modules()):
        return "there is no convolution in it"
    return None


@exercise(
    "b11", "SGD with momentum, PyTorch's form", asks="a function of (w, v, g, lr, momentum), returns (w, v)"
)
def b11(answer: Callable[..., Any]) -> str | None:
    w, v = np.array([1.0, -2.0]), np.zeros(2)
    right_w, right_v = w.copy(), v.copy()
    for step, g in enumerate(([0.5, 1.0], [-0.2, 0.4], [0.1, 0.1]), 1):
        w, v = answer(w, v, np.array(g), 0.1, 0.9)
        right_v = 0.9 * right_v + np.array(g)
        right_w = right_w - 0.1 * right_v
        if _apart(w, right_w) > 1e-6:
            other = " (the first step is plain descent)" if step == 1 else ""
            return f"after step {step} the parameters are elsewhere than torch.optim.SGD's{other}"
        if _apart(v, right_v) > 1e-6:
            return f"after step {step} the parameters are right, but what is remembered is not"
    return None


@exercise("b12", "Dropout with the usual scaling, in training", asks="a function of (h, p, rng)")
def b12(answer: Callable[..., Any]) -> str | None:
    h = np.full((400, 500), 2.0)
    for p in (0.5, 0.2):
        out = np.asarray(answer(h.copy(), p, np.random.default_rng(5)), np.float64)
        if out.shape != h.shape:
            return f"of {h.shape} it makes {out.shape}"
        dropped = float((out == 0).mean())
        if abs(dropped - p) > 0.01:
            return f"with p = {p} a share of {dropped:.2f} is zero"
        if abs(out.mean() - 2) > 0.05:
            return f"with p = {p} the mean was 2 and is {out.mean():.2f}: the next layer gets another scale"
        if (out == 0).all(axis=0).any() or (out == 0).all(axis=1).any():
            return "whole units or whole images are dropped; each number is to be drawn for itself"
    return None


@exercise("b12b", "The size that leaves a convolution or pooling", asks="a function of (n, k, s, p)")
def b12b(answer: Callable[..., Any]) -> str | None:
    for n, k, s, p in (
        (28, 3, 1, 0),
        (28, 3, 1, 1),
        (28, 3, 2, 1),
        (7, 3, 2, 1),
        (64, 5, 3, 2),
        (8, 2, 2, 0),
    ):
        right = len(range(0, n + 2 * p - k + 1, s))
        found = _whole(answer(n, k, s, p))
        if found is None:
            return f"for n={n}, k={k}, s={s}, p={p} it is no whole number"
        if found != right:
            return f"for n={n}, k={k}, s={s}, p={p} it says {found}: count the places where the kernel fits"
    return None


@exercise(
    "b12c", "The receptive field after layers of (kernel, stride)", asks="a function of a list of pairs"
)
def b12c(answer: Callable[..., Any]) -> str | None:
    cases = (
        [(3, 1)],
        [(3, 1), (3, 1)],
        [(3, 2), (3, 2), (3, 2)],
        [(5, 1), (2, 2), (5, 1), (2, 2)],
        [(1, 2), (3, 1)],
    )
    for layers in cases:
        field, jump = 1, 1
        for kernel, stride in layers:
            field, jump = field + (kernel - 1) * jump, jump * stride
        said = answer(list(layers))
        found = _whole(said)
        if found != field:
            short = "" if found is None else (" too small" if found < field else " too large")
            return f"for layers {layers} it says {said},{short or ' which is wrong'}"
    return None


@exercise("b12d", "A convolution written out", asks="a function of (x, w, stride, padding)")
def b12d(answer: Callable[..., Any]) -> str | None:
    import torch

    rng = np.random.default_rng(6)
    for channels, filters, side, k, stride, padding in (
        (1, 1, 6, 3, 1, 0),
        (3, 4, 7, 3, 2, 1),
        (2, 3, 8, 5, 1, 2),
    ):
        x, w = rng.standard_normal((channels, side, side)), rng.standard_normal((filters, channels, k, k))
        found = np.asarray(answer(x.copy(), w.copy(), stride, padding), np.float64)
        images, kernels = torch.from_numpy(x)[None], torch.from_numpy(w)
        right = torch.conv2d(images, kernels, stride=stride, padding=padding)[0].numpy()
        case = f"x {x.shape}, w {w.shape}, stride {stride}, padding {padding}"
        if found.shape != right.shape:
            return f"{case}: the output has shape {found.shape}; count where the kernel fits"
        if _apart(found, right) < 1e-6:
            continue
        flipped = torch.conv2d(images, kernels.flip(2, 3), stride=stride, padding=padding)[0].numpy()
        if _apart(found, flipped) < 1e-6:
            return f"{case}: the kernel is turned by 180 degrees, which networks do not do"
        return f"{case}: the shape is right, the numbers are not"
    return None
