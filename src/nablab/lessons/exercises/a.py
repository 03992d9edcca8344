"""The self-checks of lab a: back-propagation, and seven networks on Fashion-MNIST."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.lessons.exercises.register import exercise

Array = NDArray[Any]


def _apart(found: Any, right: Any) -> float:
    """The largest difference relative to the largest right number; inf where it cannot be compared."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if found.shape != right.shape or not np.isfinite(found).all():
        return math.inf
    return float(np.abs(found - right).max() / max(float(np.abs(right).max()), 1e-12))


def _known(found: Any, mistakes: Sequence[tuple[Any, str]]) -> str | None:
    """What a wrong answer is told, if it is a usual mistake."""
    return next((said for wrong, said in mistakes if _apart(found, wrong) < 1e-6), None)


@exercise("a1", "The gradient of mean(3 (x + 2)^2), for any shape", asks="a function of an array x")
def a1(answer: Callable[[Array], Any]) -> str | None:
    for shape in ((2, 2), (3, 5), (7,)):
        x = np.random.default_rng(0).standard_normal(shape)
        found, right = answer(x.copy()), 6 * (x + 2) / x.size
        if _apart(found, right) < 1e-6:
            continue
        mistakes = (
            (right * x.size / 4, "right for four numbers; how many are averaged here?"),
            (right * x.size, "that is the gradient of the sum: what does the mean do to each part?"),
            (right / 2, "the product y * y has two factors, and y is in both"),
            (6 * x / x.size, "the slope is taken at x, and not at x + 2"),
        )
        other = _known(found, mistakes) or "the gradient is another"
        return f"for x of shape {shape}: {other}"
    return None


@exercise("a2", "The derivative of u = exp(tanh(a b + c) a d) by a", asks="a function of (a, b, c, d)")
def a2(answer: Callable[..., Any]) -> str | None:
    for a, b, c, d in ((2.0, -1.0, 3.0, 0.5), (0.3, 0.7, -0.2, 1.5), (-1.1, 0.4, 0.9, 0.8)):
        r = math.tanh(a * b + c)
        s = a * d
        u = math.exp(r * s)
        by_p, by_s = u * s * (1 - r * r) * b, u * r * d
        found = float(answer(a, b, c, d))
        mistakes = (
            (by_p, "only the way through p = a b is counted; a has another child"),
            (by_s, "only the way through s = a d is counted; a has another child"),
            ((by_p + by_s) / u, "the derivative of exp is missing"),
            (u * s * b + by_s, "the derivative of tanh is missing"),
        )
        if _apart(found, by_p + by_s) > 1e-6:
            at = f"at a={a:g}, b={b:g}, c={c:g}, d={d:g}"
            return f"{at}: {_known(found, mistakes) or 'finite differences give another slope'}"
    return None


#: The graph of the lab's six operations: each node with what uses it.
_USERS = {"a": "ps", "b": "p", "c": "q", "d": "s", "p": "q", "q": "r", "r": "t", "s": "t", "t": "u", "u": ""}


@exercise("a2b", "An order in which backward may visit the nodes", asks="a list of the ten names")
def a2b(answer: Sequence[str]) -> str | None:
    order = [str(name) for name in answer]
    if sorted(order) != sorted(_USERS):
        odd = set(order) ^ set(_USERS)
        return (
            f"each of the ten names stands in it once; look at {', '.join(sorted(odd)) or 'what is repeated'}"
        )
    for name in order:
        for user in _USERS[name]:
            if order.index(user) > order.index(name):
                return f"{name} comes before {user}, which still has something to send to it"
    return None


@exercise("a2c", "The v for which z.backward(v) leaves the gradient of z.mean()", asks="an array (2, 2)")
def a2c(answer: Any) -> str | None:
    import torch

    v = np.asarray(answer, np.float32)
    if v.shape != (2, 2):
        return f"v has the shape of z, (2, 2), not {v.shape}"
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    z = 3 * (x + 2) ** 2
    found = torch.autograd.grad(z, x, torch.from_numpy(v), retain_graph=True)[0].numpy()
    right = torch.autograd.grad(z.mean(), x)[0].numpy()
    if _apart(found, right) < 1e-5:
        return None
    if _apart(found, right * 4) < 1e-5:
        return "that leaves the gradient of z.sum()"
    return "z.backward(v) is the gradient of the sum of v z: which v makes that sum the mean?"


@exercise("a3", "The gradient of the hinge loss", asks="a function of (W, b, x, y), returns (dW, db)")
def a3(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(2)
    W, b = rng.standard_normal((5, 3)), rng.standard_normal(3)
    x, y = rng.standard_normal((12, 5)), np.arange(12) % 3
    t = np.where(np.arange(3) == y[:, None], 1.0, -1.0)
    inside = t * (x @ W + b) < 1
    g = -t * inside / len(x)
    dW, db = answer(W.copy(), b.copy(), x.copy(), y.copy())
    if _apart(dW, x.T @ g) < 1e-6:
        if np.shape(db) != b.shape:
            return f"dW is right; db has shape {np.shape(db)}, b {b.shape}"
        return None if _apart(db, g.sum(axis=0)) < 1e-6 else "dW is right; db is the same without x"
    mistakes = (
        (x.T @ g * len(x), "that is the gradient of the sum over the images, not of their mean"),
        (-x.T @ g, "it points downhill: the sign is the other one"),
        (x.T @ (-t) / len(x), "scores that are beyond their margin pull, too"),
        (
            x.T @ (-t * (t * (x @ W + b) < 0)) / len(x),
            "only wrong scores pull; those short of the margin should",
        ),
        ((x.T @ g).T, "its shape is that of W"),
    )
    shape = np.shape(dW)
    other = f"dW has shape {shape}, W {W.shape}" if shape != W.shape else "finite differences give another dW"
    return _known(dW, mistakes) or other


@exercise("a4", "k nearest neighbours", asks="a function of (x_train, y_train, x, k), returns labels")
def a4(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(3)
    centres = 3 * rng.standard_normal((4, 6))
    y_train = rng.integers(0, 4, 80)
    x_train = centres[y_train] + 2 * rng.standard_normal((80, 6))
    x = centres[rng.integers(0, 4, 200)] + 2 * rng.standard_normal((200, 6))
    distances = ((x[:, None] - x_train) ** 2).sum(axis=2)
    for k in (1, 3, 7):
        near = np.argsort(distances, axis=1)[:, :k]
        counts = np.stack([(y_train[near] == label).sum(axis=1) for label in range(4)], axis=1)
        found = np.asarray(answer(x_train.copy(), y_train.copy(), x.copy(), k))
        if found.shape != (200,):
            return f"for 200 images it returns shape {found.shape}, not 200 labels"
        if not np.isin(found, y_train).all():
            return "some answers are no labels: are they the places of the neighbours?"
        # Of equal votes any winner is right.
        wrong = counts[np.arange(200), found.astype(int)] < counts.max(axis=1)
        if wrong.any():
            return f"with k={k}, {wrong.sum()} of 200 images get a label that fewer of their neighbours have"
    return None


@exercise("a5", "Standardise with one mean and deviation", asks="a function of (train, test), returns both")
def a5(answer: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(4)
    train, test = (
        rng.normal(5, 2, (50, 3, 3)) * np.linspace(0.5, 2, 9).reshape(3, 3),
        rng.normal(7, 3, (20, 3, 3)),
    )
    found_train, found_test = (np.asarray(part, np.float64) for part in answer(train.copy(), test.copy()))
    if np.shape(found_train) != train.shape or np.shape(found_test) != test.shape:
        return "the shapes of train and test stay as they are"
    right = (train - train.mean()) / train.std()
    if _apart(found_train, (train - train.mean(axis=0)) / train.std(axis=0)) < 1e-6:
        return "that is a mean and a deviation for each pixel; asked for is one for all"
    both = np.concatenate([train, test])
    if _apart(found_train, (train - both.mean()) / both.std()) < 1e-6:
        return (
            "mean and deviation were taken from train and test together: the test images have told something"
        )
    if _apart(found_train, right) > 2e-3:  # a deviation over n - 1 is one, too
        mean, deviation = np.mean(found_train), np.std(found_train)
        return f"train has mean {mean:.3g} and deviation {deviation:.3g} afterwards"
    if abs(np.mean(found_test)) < 1e-6:
        return "the test images got a mean of their own: then a brighter test set would never show"
    return (
        None
        if _apart(found_test, (test - train.mean()) / train.std()) < 2e-3
        else "train is right, test is not"
    )


@exercise("a6", "Parameters of Network for colour images of 3x32x32", asks="a whole number")
def a6(answer: Any) -> str | None:
    filters = (6 * (3 * 25 + 1), 12 * (6 * 25 + 1))
    linear = (120 * (300 + 1), 60 * (120 + 1), 10 * (60 + 1))
    right = sum(filters) + sum(linear)
    mistakes = {
        6 * (25 + 1) + filters[1] + sum(linear): "the filters of the first layer have one channel there",
        sum(filters)
        + 120 * (192 + 1)
        + sum(linear[1:]): "more than 192 numbers reach the first linear layer",
        right - 6 - 12 - 120 - 60 - 10: "those are the weights; where are the biases?",
        32_998: "that is the network for 1x28x28",
    }
    if answer == right:
        return None
    return mistakes.get(answer, "go through the layers: which shape arrives, and how many numbers read it?")


def _conv_sizes(net: Any) -> list[tuple[int, ...]]:
    import torch

    return [tuple(p.shape) for m in net.modules() if isinstance(m, torch.nn.Conv2d) for p in [m.weight]]


@exercise("a6b", "The class Network", asks="a class of nn.Module")
def a6b(answer: Any) -> str | None:
    import torch

    torch.manual_seed(0)
    net = answer().eval()
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scores = net(x)
        if tuple(scores.shape) != (5, 10):
            return f"five images give {tuple(scores.shape)}, not ten logits each"
        if torch.allclose(scores.exp().sum(dim=1), torch.ones(5), atol=1e-4) or torch.allclose(
            scores.sum(dim=1), torch.ones(5), atol=1e-4
        ):
            return "it ends in a softmax; the loss contains one already"
        if bool((scores >= 0).all()):
            return "no score is below zero: is there a ReLU after the last layer?"
    convolutions = _conv_sizes(net)
    if convolutions != [(6, 1, 5, 5), (12, 6, 5, 5)]:
        return f"its convolutions have weights of {convolutions}"
    found = sum(p.numel() for p in net.parameters())
    return (
        None
        if found == 32_998
        else f"it has {found:,} parameters; look at the linear layers and their biases"
    )


@exercise("a7", "A network of your own", asks="a layer string, or a class of nn.Module")
def a7(answer: Any) -> str | None:
    import torch

    from nablab.models.catalog import CATALOG, spec
    from nablab.models.torch_net import build

    torch.manual_seed(0)
    if isinstance(answer, str):
        asked = spec(answer)
        taken = [name for name, entry in CATALOG.items() if entry.spec == asked]
        if taken:
            return f"that is {taken[0]}, which is in the catalog"
        net = build(asked, (1, 28, 28), 10)
    else:
        net = answer()
    size = sum(p.numel() for p in net.parameters())
    if size > 2_000_000:
        return f"it has {size:,} parameters"
    return _scores_problem(net) or _gradient_problem(net)


def _scores_problem(net: Any) -> str | None:
    """What is wrong with what a network says, in evaluation mode."""
    import torch

    x = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    net.eval()
    with torch.no_grad():
        scores = net(x)
        if tuple(scores.shape) != (6, 10):
            return f"six images give {tuple(scores.shape)}, not ten logits each"
        if torch.allclose(scores.sum(dim=1), torch.ones(6), atol=1e-4):
            return "its scores add up to 1: a softmax belongs to the loss, not to the network"
        if bool((scores >= 0).all()):
            return "no score is below zero: is there an activation after the last layer?"
        if torch.allclose(scores[:1].expand_as(scores), scores, atol=1e-7):
            return "all images get the same scores"
        if not torch.allclose(net(x[:2]), scores[:2], atol=1e-4):
            return "what an image gets depends on the others in its batch, also in evaluation mode"
    return None


def _gradient_problem(net: Any) -> str | None:
    """Which parameter a loss does not reach, in training mode."""
    import torch

    net.train()
    x = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    loss = torch.nn.functional.cross_entropy(net(x), torch.arange(16) % 10)
    named = {name: p for name, p in net.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    for name, gradient in zip(named, gradients, strict=True):
        if gradient is None or not bool(gradient.abs().sum() > 0):
            return f"no gradient reaches {name}: it is never trained"
    return None


@exercise("a8", "Group normalisation", asks="a function of (x, groups), x (N, C, H, W)")
def a8(answer: Callable[..., Any]) -> str | None:
    x = np.random.default_rng(5).normal(1, 2, (3, 6, 4, 4)) * np.arange(1, 7).reshape(1, 6, 1, 1)

    def by(axes: tuple[int, ...], x: Array = x, ddof: int = 0) -> Array:
        variance = x.var(axis=axes, keepdims=True, ddof=ddof)
        return np.asarray((x - x.mean(axis=axes, keepdims=True)) / np.sqrt(variance + 1e-5))

    for groups in (2, 3, 1):
        grouped = x.reshape(3, groups, 6 // groups, 4, 4)
        found, right = answer(x.copy(), groups), by((2, 3, 4), grouped).reshape(x.shape)
        if _apart(found, right) < 1e-6:
            continue
        mixed = by((1, 3, 4), x.reshape(3, 6 // groups, groups, 4, 4)).reshape(x.shape)
        mistakes = (
            (by((0, 2, 3)), "that is batch normalisation: the images of a batch are mixed"),
            (by((1, 2, 3)), "that is layer normalisation: all channels share one mean"),
            (by((2, 3)), "that is instance normalisation: each channel has its own mean"),
            (by((2, 3, 4), grouped, 1).reshape(x.shape), "the variance divides by the count less one"),
            (mixed, "the channels of a group stand beside each other; these are interleaved"),
        )
        shape = np.shape(found)
        other = (
            f"its shape is {shape}"
            if shape != x.shape
            else "the mean of a group is not zero, or its deviation not 1"
        )
        return f"with {groups} group{'s' * (groups > 1)} of 6 channels: {_known(found, mistakes) or other}"
    return None


@exercise("a8b", "The gradient of l1 sum |w| + l2/2 sum w^2", asks="a function of (w, l1, l2)")
def a8b(answer: Callable[..., Any]) -> str | None:
    w = np.array([-2.0, -0.3, 0.1, 0.0, 1.5])
    for l1, l2 in ((0.0, 0.1), (0.2, 0.0), (0.3, 0.05)):
        found, right = answer(w.copy(), l1, l2), l1 * np.sign(w) + l2 * w
        if _apart(found, right) < 1e-6:
            continue
        mistakes = (
            (l1 * np.sign(w) + 2 * l2 * w, "that is the gradient of l2 sum w^2, without the half"),
            (l1 * np.abs(w) + l2 * w, "|w| is the penalty, not its slope"),
            (l1 + l2 * w, "left of zero |w| falls"),
            (-right, "the penalty is added to the loss: the sign is the other one"),
        )
        return (
            f"with l1={l1:g}, l2={l2:g}: {_known(found, mistakes) or 'finite differences give another slope'}"
        )
    return None


@exercise("a9", "The confusion matrix", asks="a function of (truth, predicted, classes), returns counts")
def a9(answer: Callable[..., Any]) -> str | None:
    truth, predicted = np.array([0, 0, 1, 2, 2, 2, 1, 0]), np.array([0, 1, 1, 0, 2, 0, 1, 2])
    right = np.zeros((4, 4), np.int64)
    np.add.at(right, (truth, predicted), 1)  # nothing is of class 3
    found = np.asarray(answer(truth, predicted, 4))
    if found.shape != (4, 4):
        return f"with 4 classes its shape is {found.shape}, also where one of them does not occur"
    mistakes = (
        (right.T, "rows are the truth here, columns what was predicted"),
        (
            right / right.sum(axis=1, keepdims=True).clip(1),
            "those are shares of each row; asked for are counts",
        ),
        (right / right.sum(), "those are shares of all; asked for are counts"),
        (right > 0, "of several equal pairs only one is counted"),
    )
    if _apart(found, right) == 0:
        return None
    return (
        _known(found, mistakes)
        or f"of {len(truth)} images {found.sum():g} are in it, or not where they belong"
    )


@exercise("a9b", "Early stopping", asks="a function of (losses, patience), returns (kept epoch, last epoch)")
def a9b(answer: Callable[..., Any]) -> str | None:
    cases = (
        ([0.9, 0.7, 0.6, 0.65, 0.64, 0.5], 2, (3, 5)),
        ([0.9, 0.8, 0.85, 0.7, 0.75, 0.71, 0.72], 3, (4, 7)),
        ([0.5, 0.4, 0.3], 2, (3, 3)),
        ([0.5, 0.6, 0.7, 0.1], 1, (1, 2)),
    )
    for losses, patience, (kept, last) in cases:
        found = tuple(int(n) for n in answer(list(losses), patience))
        case = f"losses {losses} with patience {patience}"
        if found == (kept - 1, last - 1):
            return f"{case}: epochs are counted from 1"
        if len(found) != 2:
            return f"{case}: two numbers are asked for"
        if found[0] != kept:
            later = " (an epoch after the stop was never trained)" if found[0] > last else ""
            return f"{case}: it keeps the weights of another epoch than the best before the stop{later}"
        if found[1] != last:
            return f"{case}: it stops {'too late' if found[1] > last else 'too early'}"
    return None


@exercise("a10", "FLOPs of LeNet's second convolution", asks="a whole number, for one image")
def a10(answer: Any) -> str | None:
    macs = 8 * 8 * 50 * 20 * 25
    mistakes = {
        macs: "those are the multiply-accumulates",
        2 * 64 * 50 * 25: "each filter reads all 20 channels",
        2 * 12 * 12 * 50 * 20 * 25: "count the places of the output, not those of the input",
        2 * 50 * 20 * 25: "each filter is used at every place",
    }
    if answer == 2 * macs:
        return None
    return mistakes.get(answer, "places of the output times filters times weights of a filter, and then?")


@exercise("a11", "The standard error of an accuracy", asks="a function of (p, m), in [0, 1]")
def a11(answer: Callable[..., Any]) -> str | None:
    for p, m in ((0.73, 1000), (0.9, 10_000), (0.5, 100)):
        found, right = float(answer(p, m)), math.sqrt(p * (1 - p) / m)
        mistakes = (
            (right**2, "that is the variance"),
            (100 * right, "that is in points of a per cent; asked for is a number in [0, 1]"),
            (math.sqrt(p * (1 - p)), "that is the deviation of one image, not of the mean over them"),
            (1.96 * right, "that is the half width of a 95 % interval"),
            (math.sqrt(p / m), "what is the variance of a coin that shows heads with probability p?"),
        )
        if _apart(found, right) > 1e-6:
            return f"p={p:g}, m={m}: {_known(found, mistakes) or 'draw binomial numbers, and compare'}"
    return None


@exercise("a12", "The Pareto front", asks="a function of (accuracies, costs), returns places by rising cost")
def a12(answer: Callable[..., Any]) -> str | None:
    cases = (
        ([0.8, 0.9, 0.85, 0.95], [1.0, 2.0, 3.0, 4.0], [0, 1, 3]),
        ([0.9, 0.7, 0.8], [5.0, 1.0, 2.0], [1, 2, 0]),
        ([0.9, 0.9, 0.8], [2.0, 1.0, 1.0], [1]),
    )
    for accuracies, costs, front in cases:
        found = [int(place) for place in answer(list(accuracies), list(costs))]
        case = f"accuracies {accuracies}, costs {costs}"
        if sorted(found) != sorted(front):
            more = sorted(set(found) - set(front))
            return f"{case}: " + (
                f"number {more[0]} is beaten by another" if more else "one that nothing beats is missing"
            )
        if found != front:
            return f"{case}: the right ones, but not in order of rising cost"
    return None
