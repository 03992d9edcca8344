"""The self-checks of lab d: shapes, seeds, the forward pass, the SGD step, softmax and a hidden layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import byhand
from nablab.lessons.exercises.register import exercise

Array = NDArray[Any]


def _same(found: Any, right: Any, tolerance: float = 1e-6) -> bool:
    """Whether two arrays have one shape and one value, relative to the largest right number."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if found.shape != right.shape or not np.isfinite(found).all():
        return False
    scale = max(float(np.abs(right).max(initial=0.0)), 1e-12)
    return bool(np.abs(found - right).max(initial=0.0) <= tolerance * scale)


def _misshapen(name: str, found: Any, right: Array) -> str | None:
    shape = np.asarray(found).shape
    return None if shape == right.shape else f"{name} has shape {shape}, and should have {right.shape}"


@exercise("d1", "The mean and deviation of the pixels in [0, 1]", asks="a function of bytes (N, 1, H, W)")
def d1(answer: Callable[[Array], Any]) -> str | None:
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 5, 4)).astype(np.uint8)
    images[..., 0, 0] = 0
    scaled = images / 255
    mean, deviation = (np.asarray(one, np.float64) for one in answer(images))
    if mean.ndim or deviation.ndim:
        return "it gives a number for each pixel or image; one pair is asked for, of all pixels together"
    if _same(mean, 255 * scaled.mean(), 1e-5):
        return "the mean is that of bytes; the pixels are to be brought to [0, 1] first"
    if not _same(mean, scaled.mean(), 1e-5):
        return "the mean of seven random images is not that of all of their pixels"
    if _same(deviation, scaled.var(), 1e-5):
        return "the second number is the variance"
    if _same(deviation, scaled.std(axis=0).mean(), 1e-5):
        return "the deviation is a mean of deviations of single pixels; it leaves out how pixels differ"
    if not _same(deviation, scaled.std(), 1e-4):
        return "the deviation is not the root of the mean squared distance from the mean"
    return None


def _streams() -> tuple[Any, ...]:
    import torch

    return (*np.random.get_state()[1:3], torch.get_rng_state().numpy().copy())  # type: ignore[index]


@exercise("d1b", "An order that hangs on nothing but its seed", asks="a function of n and seed")
def d1b(answer: Callable[[int, int], Any]) -> str | None:
    import torch

    before = _streams()
    first = np.asarray(answer(200, 3))
    if not all(np.array_equal(a, b) for a, b in zip(before, _streams(), strict=True)):
        return "it moves, or sets, a global generator: what is drawn after it is no longer what it was"
    if first.shape != (200,) or sorted(first.tolist()) != list(range(200)):
        return "for n = 200 it is no permutation of 0 .. 199"
    torch.rand(1)
    np.random.random()
    if not np.array_equal(first, answer(200, 3)):
        return "asked twice with the same seed, it gives two orders"
    if np.array_equal(first, answer(200, 4)):
        return "another seed gives the same order"
    return "that is no shuffle: the order is sorted" if (np.diff(first) == 1).all() else None


def _network(widths: tuple[int, ...], seed: int = 0) -> tuple[list[Array], list[Array]]:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((i, o)) for i, o in pairwise(widths)]
    return weights, [rng.standard_normal(o) for o in widths[1:]]


def _scores(x: Array, weights: list[Array], biases: list[Array], last: bool = False) -> Array:
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        x = np.maximum(x @ W + b, 0)
    z = x @ weights[-1] + biases[-1]
    return np.maximum(z, 0) if last else np.asarray(z)


@exercise("d3", "The forward pass of L layers", asks="a function of x, weights and biases (lists)")
def d3(answer: Callable[[Array, list[Array], list[Array]], Any]) -> str | None:
    for widths in ((4, 3), (4, 5, 3), (4, 6, 5, 7, 2)):
        weights, biases = _network(widths)
        x = np.random.default_rng(1).standard_normal((9, 4))
        where = f"with widths {widths}"
        for what, given in (("a batch of 9", x), ("one input", x[0])):
            right = _scores(given, weights, biases)
            found = answer(given.copy(), weights, biases)
            wrong = _misshapen(f"{where}, the result for {what}", found, right)
            if wrong:
                return wrong
            if _same(found, _scores(given, weights, biases, last=True)) and (right < 0).any():
                return f"{where} no score is negative: the last layer has an activation"
            if len(widths) > 2 and _same(found, _linear(given, weights, biases)):
                return f"{where} there is no activation between the layers"
            if not _same(found, right):
                return f"{where} the scores of {what} are not the right ones"
    return None


def _linear(x: Array, weights: list[Array], biases: list[Array]) -> Array:
    for W, b in zip(weights, biases, strict=True):
        x = x @ W + b
    return x


@exercise("d3b", "How many features reach the last layer of lecture_cnn?", asks="a function of the side")
def d3b(answer: Callable[[int], Any]) -> str | None:
    for side in (28, 32, 64, 29, 31, 35):
        found, pooled = answer(side), (side - 4) // 2
        if found != 20 * ((pooled - 4) // 2) ** 2:
            if found == 20 * (side // 4) ** 2:
                return f"for side {side} it is what convolutions with padding would leave; these have none"
            if found == ((pooled - 4) // 2) ** 2:
                return f"for side {side} it is the number of places; there are several channels at each"
            odd = " (what does pooling do with an odd side?)" if pooled % 2 or side % 2 else ""
            return f"for side {side} it says {found}{odd}"
    return None


def _parameters() -> tuple[list[Any], list[Any], list[Any]]:
    """PyTorch's parameters with a gradient, their values and their gradients."""
    import torch

    draw = torch.Generator().manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(shape, generator=draw)) for shape in ((3, 4), (3,))]
    for p in params:
        p.grad = torch.randn(p.shape, generator=draw)
    return (
        params,
        [p.detach().clone() for p in params],
        [p.grad.clone() for p in params if p.grad is not None],
    )


@exercise("d4", "The step of SGD on PyTorch's parameters", asks="a function of the list of params and lr")
def d4(answer: Callable[[list[Any], float], Any]) -> str | None:
    params, values, gradients = _parameters()
    kept = list(params)
    answer(params, 0.5)
    if any(a is not b for a, b in zip(params, kept, strict=True)):
        return "the list holds other tensors afterwards; the network goes on using the old ones"
    found = [p.detach().numpy() for p in params]
    if all(_same(now, was) for now, was in zip(found, values, strict=True)):
        return "the parameters have not changed: were they replaced, and not changed in place?"
    if all(_same(now, was + 0.5 * g) for now, was, g in zip(found, values, gradients, strict=True)):
        return "it walks uphill"
    if not all(_same(now, was - 0.5 * g, 1e-6) for now, was, g in zip(found, values, gradients, strict=True)):
        return "after a step with lr 0.5 the parameters are not where SGD takes them"
    if not all(p.requires_grad and p.is_leaf for p in params):
        return "the parameters no longer require a gradient, or their update was recorded in the graph"
    return "the gradients are still there; the next backward will add to them" if any(_left(params)) else None


def _left(params: list[Any]) -> list[bool]:
    return [p.grad is not None and bool(p.grad.any()) for p in params]


@exercise("d4b", "A step of SGD with weight decay", asks="a function of w, g, lr and weight_decay")
def d4b(answer: Callable[[Array, Array, float, float], Any]) -> str | None:
    w, g, lr, decay = np.array([1.0, -2.0, 4.0]), np.array([0.5, 0.25, -1.0]), 0.1, 0.3
    found = np.asarray(answer(w.copy(), g.copy(), lr, decay))
    usual = (
        (w - lr * g, "the weights do not decay"),
        (w - lr * (g + 2 * decay * w), "the decay counts twice: which convention has SGD's weight_decay?"),
        (w - lr * g - decay * w, "the decay is not scaled by the learning rate"),
        (w - lr * (g - decay * w), "the weights grow: the penalty's gradient has the other sign"),
        (w - lr * g * (1 + decay), "the decay acts on the gradient, not on the weights"),
    )
    for value, said in usual:
        if _same(found, value):
            return said
    return None if _same(found, w - lr * (g + decay * w)) else "three weights are not where SGD takes them"


@exercise(
    "d2", "Images seen after a batch", asks="a function of epoch, batch (both from 0), batch_size, images"
)
def d2(answer: Callable[[int, int, int, int], Any]) -> str | None:
    for epoch, batch, size, images in (
        (0, 0, 64, 4000),
        (0, 62, 64, 4000),
        (3, 10, 64, 4000),
        (2, 9, 10, 95),
    ):
        found = answer(epoch, batch, size, images)
        right = epoch * images + min((batch + 1) * size, images)
        where = f"epoch {epoch}, batch {batch} of {size}, {images:,} images"
        if found == right:
            continue
        if found == epoch * images + batch * size:
            return f"{where}: that is before the batch; batches are counted from 0"
        if found == epoch * images + (batch + 1) * size:
            return f"{where}: more than there are; the last batch of an epoch is smaller"
        if found == min((batch + 1) * size, images):
            return f"{where}: the epochs before it are not counted"
        return f"{where}: it says {found}"
    return None


@exercise("d2b", "The rate that goes as far along the flow", asks="a number")
def d2b(answer: float) -> str | None:
    flow = 10 * math.ceil(60_000 / 64) * 0.001
    right = flow / (20 * math.ceil(6_000 / 64))
    found = float(answer)
    if abs(found / right - 1) < 0.02:
        return None
    if abs(found - 0.01) < 2e-4:
        return "that makes up for the fewer images, and forgets that there are more epochs"
    if abs(found - 0.0005) < 2e-5:
        return "that makes up for the epochs, and forgets that each has fewer steps"
    return f"with it, rate times steps is {found * 1880:.3g}; the other training has another"


@exercise("d5", "The points of the spiral", asks="a function of the noise (3, 100)")
def d5(answer: Callable[[Array], Any]) -> str | None:
    noise = np.random.default_rng(0).standard_normal((3, 100))
    r = np.linspace(0, 1, 100)
    theta = 4 * (np.arange(3)[:, None] + r) + 0.2 * noise
    right = np.stack([r * np.sin(theta), r * np.cos(theta)], axis=-1).reshape(-1, 2)
    found = np.asarray(answer(noise))
    if wrong := _misshapen("the array of points", found, right):
        return wrong
    if _same(found, right, 1e-6):
        return None
    if _same(found, right[:, ::-1], 1e-6):
        return "sine and cosine are swapped: that is the spiral's mirror image"
    if not _same(np.hypot(*found.T), np.tile(r, 3), 1e-6):
        return "the radii of an arm do not run evenly from 0 to 1 with both ends, arm after arm"
    if _same(answer(0 * noise), _without_noise(), 1e-6):
        return "without noise it is right; with noise the angles are not"
    return "the radii are right; the angles are not, even without noise"


def _without_noise() -> Array:
    r = np.linspace(0, 1, 100)
    theta = 4 * (np.arange(3)[:, None] + r)
    return np.stack([r * np.sin(theta), r * np.cos(theta)], axis=-1).reshape(-1, 2)


def _case(seed: int = 0) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((2, 3)),
        rng.standard_normal(3),
        rng.standard_normal((8, 2)),
        np.arange(8) % 3,
    )


@exercise("d5b", "The objective of the linear classifier", asks="a function of W, b, x, y and penalty")
def d5b(answer: Callable[..., Any]) -> str | None:
    W, b, x, y = _case()
    right = byhand.Softmax(3).loss({"W": W, "b": b}, x, y)
    found = float(answer(W, b, x, y, 0.0))
    if not _same(found, right):
        usual = (
            (
                right / math.log(10),
                "without a penalty it is 0.434 times what it should be: which logarithm is it?",
            ),
            (8 * right, "without a penalty it is 8 times what it should be, with 8 samples: sum or mean?"),
            (right / 3, "without a penalty it is a third of what it should be, with 3 classes"),
            (-right, "it is negative: better predictions must make it smaller"),
        )
        known = [said for value, said in usual if _same(found, value)]
        return known[0] if known else "without a penalty it is not the mean cross entropy of eight samples"
    weights, biases = float(np.sum(W * W)), float(np.sum(b * b))
    extra = float(answer(W, b, x, y, 0.1)) - right
    for value, said in ((0.1 * weights, "is twice as large: mind the half"),
                        (0.05 * (weights + biases), "has the biases in it")):  # fmt: skip
        if _same(extra, value):
            return f"the penalty {said}"
    if not _same(extra, 0.05 * weights):
        return "the penalty is not half its factor times the sum of the squared weights"
    with np.errstate(all="ignore"):
        large = float(answer(1000 * W, b, x, y, 0.0))
    return None if math.isfinite(large) else "with scores in the thousands it is no number: exp overflows"


@exercise("d5c", "The loss before anything is learned", asks="a function of the number of classes K")
def d5c(answer: Callable[[int], Any]) -> str | None:
    for K in (2, 3, 10):
        found = float(answer(K))
        if abs(found - math.log(K)) < 1e-6:
            continue
        if abs(found - math.log10(K)) < 1e-9:
            return f"for K = {K}: the right thought, with the decimal logarithm"
        if abs(found + math.log(K)) < 1e-9:
            return f"for K = {K}: a loss is not negative"
        if abs(found - 1 / K) < 1e-9:
            return f"for K = {K}: that is the probability; the loss is the surprise at it"
        return f"for K = {K} it says {found:.4g}; which probability has each class when all scores are equal?"
    return None


def _judge(
    found: Any, right: dict[str, Array], params: dict[str, Array], samples: int, penalty: float
) -> str | None:
    """What is wrong with gradients in the order of `right`, which penalises the weights W and no bias b."""
    if not isinstance(found, tuple | list) or len(found) != len(right):
        return f"it should return {len(right)} gradients, of {', '.join(right)}"
    for (name, value), given in zip(right.items(), found, strict=True):
        if wrong := _misshapen(f"the gradient of {name}", given, value):
            return wrong
        if _same(given, value):
            continue
        pull = penalty * params[name]
        data = value - pull if name.startswith("W") else value
        if name.startswith("b"):
            usual = [(data + pull, "has a penalty in it; biases are free")]
        else:
            usual = [
                (data, "lacks the penalty's"),
                (data + 2 * pull, "has the penalty's twice: mind the half"),
            ]
        summed = "is that of the sum over the samples, not of their mean"
        usual += [(samples * value, summed), (samples * data + value - data, summed)]
        usual += [(-value, "has the other sign"), (value - 2 * data, "has the other sign")]
        said = [words for mistake, words in usual if _same(given, mistake)]
        return f"the gradient of {name} {said[0] if said else 'is not right; ask nablab.gradcheck'}"
    return None


@exercise(
    "d5d",
    "The gradient of the linear classifier",
    asks="a function of W, b, x, y, penalty; returns two arrays",
)
def d5d(answer: Callable[..., Any]) -> str | None:
    W, b, x, y = _case()
    params = {"W": W, "b": b}
    right = byhand.Softmax(3, l2=0.3).gradient(params, x, y)
    return _judge(answer(W, b, x, y, 0.3), right, params, len(x), 0.3)


@exercise(
    "d5e",
    "Back through the hidden layer",
    asks="a function of x, y, W1, b1, W2, b2, penalty; returns four arrays",
)
def d5e(answer: Callable[..., Any]) -> str | None:
    _, _, x, y = _case()
    model, rng = byhand.TwoLayer(5, 3, "relu", l2=0.3, deviation=1.0), np.random.default_rng(2)
    params = {
        name: value + 0.5 * rng.standard_normal(value.shape) for name, value in model.initial(rng, 2).items()
    }
    right = model.gradient(params, x, y)
    found = answer(x, y, *params.values(), 0.3)
    if isinstance(found, tuple | list) and len(found) == 4:
        blamed = byhand.LOSSES["softmax"].gradient(model.scores(params, x), y) @ params["W2"].T
        if _same(found[1], blamed.sum(axis=0)):
            return "silent units are blamed, too: the ReLU's slope is missing in the first layer's gradient"
    return _judge(found, right, params, len(x), 0.3)


@exercise("d5f", "The point of a unit's crease nearest to the origin", asks="a function of w (2,) and b")
def d5f(answer: Callable[[Array, float], Any]) -> str | None:
    for w, b in ((np.array([3.0, 4.0]), 5.0), (np.array([1.0, -2.0]), -1.0), (np.array([0.5, 0.0]), 0.0)):
        found = np.asarray(answer(w, b), np.float64)
        if wrong := _misshapen("the point", found, w):
            return wrong
        if abs(float(w @ found) + b) > 1e-6:
            mirrored = abs(float(w @ found) - b) < 1e-6
            return f"for w = {w}, b = {b} the point is not on the crease" + (
                ": it is on the other side of the origin" if mirrored else ""
            )
        if abs(float(found[0] * w[1] - found[1] * w[0])) > 1e-6:
            return f"for w = {w}, b = {b} the point is on the crease, and another one is nearer to the origin"
    return None
