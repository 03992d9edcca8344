"""The error does not begin as the derivative of the loss by the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nablab.byhand.activations import logistic
from nablab.byhand.losses import softmax, through_softmax
from nablab.court.calls import Array
from nablab.court.case import Case, Claims
from nablab.court.layers import Layers
from nablab.court.report import Cause


def output_step(case: Case, layers: Layers, claimed: Claims) -> Cause | None:
    """From the loss to the scores: a derivative of the output too few or too many, or another error."""
    layer = layers.chain[-1]
    z = np.stack([passages[-1].z for passages in layers.passages])
    right = np.stack([passages[-1].error for passages in layers.passages])
    told = np.stack([claim[layer.bias].reshape(-1) for claim in claimed])
    if _proportional(told, right) is not None:
        return None  # right, or a factor off, which has its own cause
    for text, step in _derivatives(z):
        for missing in (True, False):
            factor = _proportional(told if not missing else step(told), right if missing else step(right))
            if factor is not None:
                fault = (
                    "is missing" if missing else "should not be there: it cancels against that of the loss"
                )
                return Cause("output", f"at {layer.weight}, {text} {fault}{_times(factor)}")
    for text, error in _errors(z, case.problem.labels[list(layers.rows)]):
        factor = _proportional(told, error)
        if factor is not None:
            return Cause("output", f"at {layer.weight}, the error begins as {text}{_times(factor)}")
    return None


def _derivatives(z: Array) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    """Of what may be done to the scores before the loss."""
    q = logistic(z)
    yield "q (1 - q), the derivative of the logistic output,", lambda e: e * q * (1 - q)
    yield "1 - h^2, the derivative of the tanh output,", lambda e: e * (1 - np.tanh(z) ** 2)
    yield "(z > 0), the derivative of the ReLU output,", lambda e: e * (z > 0)
    if z.shape[1] > 1:
        yield "the derivative of the softmax output", lambda e: through_softmax(e, softmax(z))


def _errors(z: Array, y: Array) -> Iterator[tuple[str, Array]]:
    """What is written for the error at the scores where something else is right."""
    K = z.shape[1]
    numbers = y.reshape(len(z), -1)
    if y.dtype.kind not in "biuf" or numbers.shape[1] not in (1, K):
        return
    if numbers.shape[1] == K:
        Y = numbers.astype(np.float64)
    elif np.array_equal(numbers, np.clip(np.round(numbers), 0, K - 1)):
        Y = np.eye(K)[numbers[:, 0].astype(np.int64)]
    else:
        return
    outputs = {"q": (logistic(z), "logistic")} | ({"p": (softmax(z), "softmax")} if K > 1 else {})
    for name, (output, kind) in outputs.items():
        yield f"{name} - y, that of the {kind} cross entropy, which the loss is not", output - Y
        yield f"{name}: the labels are not subtracted", output
        if K > 1 and numbers.shape[1] == 1:
            yield f"{name} - y with the number of the class as y, where y has to be one-hot", output - numbers
    yield "z - y, of scores that are not yet probabilities", z - Y
    answer = np.eye(K)[z.argmax(axis=1)] if K > 1 else (z > 0).astype(np.float64)
    yield "answer - y, with the answer (0 or 1) in place of its probability", answer - Y


def _times(factor: float) -> str:
    return "" if abs(factor - 1) < 1e-3 else f" (and it is {factor:.4g} times that)"


def _proportional(claimed: Array, right: Array) -> float | None:
    """c of claimed = c x right; None where there is none."""
    size = float(np.sum(right * right))
    factor = float(np.sum(claimed * right)) / size if size else 0.0
    off = float(np.linalg.norm(claimed - factor * right))
    return factor if factor and off <= 1e-4 * float(np.linalg.norm(claimed)) else None
