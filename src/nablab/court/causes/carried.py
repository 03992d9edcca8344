"""The error is carried back with something of another layer, or of another moment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.byhand.activations import Activation
from nablab.court.calls import Array
from nablab.court.case import Case, Claims
from nablab.court.layers import Layers
from nablab.court.report import Cause

#: How close a candidate must come to what is claimed, relative.
_CLOSE = 1e-3


def carried(case: Case, layers: Layers, position: int, claimed: Claims, known: Activation) -> Cause | None:
    """From the error claimed at the next layer to that claimed at this one, by what does not belong there.

    Args:
        case: the problem.
        layers: its layers.
        position: of the layer, not the last.
        claimed: for each of the samples that were looked at.
        known: the activation after the layer.
    """
    told = _errors(layers, position, claimed)
    for text, error in _candidates(case, layers, position, claimed, known):
        if error.any() and np.linalg.norm(error - told) <= _CLOSE * np.linalg.norm(told):
            return Cause("carried back", text)
    return _stepped(case, layers, position, claimed, known)


def _candidates(
    case: Case, layers: Layers, position: int, claimed: Claims, known: Activation
) -> Iterator[tuple[str, Array]]:
    """Each with what the error would be: rows are samples, columns units."""
    here, following = layers.chain[position].weight, layers.chain[position + 1].weight
    params = case.problem.params
    W = layers.weights(position + 1, params)
    error = _errors(layers, position + 1, claimed)
    back = error @ W.T
    slope = _slope(layers, position, known)
    mask = ", as the mask (g > 0) in place of (o > 0)" if known.name == "relu" else ""
    yield (
        f"the derivative of the activation after {here} is taken at the error that comes back, "
        f"not at what {here} gives{mask}",
        back * known.slope(back, known.value(back)),
    )
    for m, layer in enumerate(layers.chain):
        V = layers.weights(m, params)
        if m != position and V.shape[1] == W.shape[0]:
            yield (
                f"the derivative of the activation after {here} is taken at what {layer.weight} gives",
                back * _slope(layers, m, known),
            )
        if m != position + 1 and V.shape == W.shape:
            yield f"the error is carried back by {layer.weight} in place of {following}", error @ V.T * slope
        if m > position + 1 and V.shape[0] == W.shape[0]:
            skipped = _errors(layers, m, claimed) @ V.T * slope
            yield f"the error is carried back from {layer.weight}, past {following}", skipped
    if W.shape[0] == W.shape[1]:
        yield f"the error is not carried back by {following}: it is taken as it is there", error * slope


def _stepped(case: Case, layers: Layers, position: int, claimed: Claims, known: Activation) -> Cause | None:
    """Carried back by the next weights after their own step."""
    following = layers.chain[position + 1]
    W = layers.weights(position + 1, case.problem.params)
    error, slope = _errors(layers, position + 1, claimed), _slope(layers, position, known)
    off = error @ W.T * slope - _errors(layers, position, claimed)
    for penalty in (0.0, layers.penalty):  # the step may have been made with or without it
        steps = [layers.weights(position + 1, claim) - penalty * W for claim in claimed]
        moved = np.stack([e @ G.T for e, G in zip(error, steps, strict=True)]) * slope
        rate = float(np.sum(off * moved) / np.sum(moved * moved)) if moved.any() else 0.0
        if rate > 0 and np.linalg.norm(off - rate * moved) <= _CLOSE * np.linalg.norm(off):
            return Cause(
                "carried back",
                f"the error is carried back by {following.weight} after its step of rate {rate:.3g}: "
                "parameters are updated after all gradients are taken",
            )
    return None


def _errors(layers: Layers, position: int, claimed: Claims) -> Array:
    """What is claimed for the bias of a layer: the error there, one row a sample."""
    return np.stack([claim[layers.chain[position].bias].reshape(-1) for claim in claimed])


def _slope(layers: Layers, position: int, known: Activation) -> Array:
    """The derivative of the activation at what a layer gives."""
    o = np.stack([passages[position].z for passages in layers.passages])
    return known.slope(o, known.value(o))
