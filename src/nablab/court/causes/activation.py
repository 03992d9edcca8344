"""A derivative is missing or wrong where the error passes an activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import ACTIVATIONS, Activation
from nablab.court.calls import Array
from nablab.court.case import Case, Claims
from nablab.court.causes.carried import carried
from nablab.court.causes.output import output_step
from nablab.court.evidence import Evidence
from nablab.court.layers import Layers
from nablab.court.report import Cause

#: How close a formula must come to what was measured.
_CLOSE = 2e-4

#: Derivatives that nothing has, but that are written; of what goes in (o) and what comes out (h).
_MISTAKEN: tuple[tuple[str, Callable[[Array, Array], Array]], ...] = (
    ("(1 - h)^2", lambda o, h: (1 - h) ** 2),
    ("(1 + h)^2", lambda o, h: (1 + h) ** 2),
    ("1 - h", lambda o, h: 1 - h),
    ("1 + h", lambda o, h: 1 + h),
    ("1 + h^2", lambda o, h: 1 + h * h),
    ("h^2 - 1", lambda o, h: h * h - 1),
    ("h (1 + h)", lambda o, h: h * (1 + h)),
    ("h, the activation itself", lambda o, h: h),
    ("h^2", lambda o, h: h * h),
    ("1 - o^2, of what goes in where what comes out belongs", lambda o, h: 1 - o * o),
    ("o (1 - o), of what goes in where what comes out belongs", lambda o, h: o * (1 - o)),
)


@dataclass(frozen=True)
class Points:
    """What is known of one activation: at o it is h, with `slope`; the claim was made with `used`."""

    o: Array
    h: Array
    slope: Array
    used: Array

    def used_is(self, slope: Array) -> bool:
        """Whether the claim was made with this derivative."""
        return bool(np.max(np.abs(slope - self.used)) <= _CLOSE * max(1.0, float(np.max(np.abs(slope)))))

    def name(self) -> Activation | None:
        """The activation with these values and slopes, if it is a known one."""
        for known in ACTIVATIONS.values():
            h = known.value(self.o)
            fits = np.max(np.abs(h - self.h)) <= _CLOSE * max(1.0, float(np.max(np.abs(h))))
            if fits and np.max(np.abs(known.slope(self.o, h) - self.slope)) <= 10 * _CLOSE:
                return known
        return None


def activation(case: Case, evidence: Evidence) -> Cause | None:
    """The first wrong step of the error on its way from the loss back to this parameter."""
    layers = case.layers
    position = None if layers is None else layers.position(evidence.name)
    if layers is None or position is None:
        return None
    claimed = case.claims(layers.rows)
    if claimed is None or not _made_of_errors(case, layers, position, claimed):
        return None
    own = _step(case, layers, position, claimed)
    if own is not None:
        return own
    for later in range(position + 1, len(layers.chain)):
        cause = _step(case, layers, later, claimed)
        if cause is not None:
            where = f"{layers.chain[later].weight} and {layers.chain[later].bias}"
            return Cause("follows", f"it follows from the mistake at {where}; its own step is right")
    return None


def _made_of_errors(case: Case, layers: Layers, position: int, claimed: Claims) -> bool:
    """Whether the claim for weights is a^T D with the D claimed for the bias: else only one is wrong."""
    layer = layers.chain[position]
    W = case.problem.params[layer.weight]
    for claim, passages in zip(claimed, layers.passages, strict=True):
        product = np.outer(passages[position].a, claim[layer.bias].reshape(-1))
        expected = (product.T if layer.turned else product).reshape(W.shape)
        off = claim[layer.weight] - expected
        size = np.linalg.norm(claim[layer.weight])
        if min(np.linalg.norm(off), np.linalg.norm(off - layers.penalty * W)) > 1e-3 * size:
            return False
    return True


def _step(case: Case, layers: Layers, position: int, claimed: Claims) -> Cause | None:
    if position == len(layers.chain) - 1:
        return output_step(case, layers, claimed)
    return _hidden_step(case, layers, position, claimed)


def _hidden_step(case: Case, layers: Layers, position: int, claimed: Claims) -> Cause | None:
    """From the error claimed at the next layer to that claimed at this one."""
    points = _points(case, layers, position, claimed, turned=False)
    if points is None or points.used_is(points.slope):
        return None
    after = layers.chain[position].weight
    known = points.name()
    right = known.slope_formula if known else "another one"
    what = f"{known.formula}, so its derivative is {right}" if known else "an unknown one"
    if points.used_is(np.ones_like(points.slope)):
        return Cause(
            "activation",
            f"the derivative of the activation after {after} is left out: h = {what}, o = what {after} gives",
        )
    used = _formula(points)
    if used is not None:
        return Cause(
            "activation",
            f"the derivative of the activation after {after} is wrong: h = {what}; the gradient uses {used}",
        )
    turned = _points(case, layers, position, claimed, turned=True)
    if turned is not None and turned.used_is(turned.slope):
        following = layers.chain[position + 1].weight
        return Cause("carried back", f"the error is carried back by {following}, not by its transpose")
    return carried(case, layers, position, claimed, known) if known else None


def _points(case: Case, layers: Layers, position: int, claimed: Claims, *, turned: bool) -> Points | None:
    """Points of the activation after a layer, where enough error comes back to tell its derivative.

    `turned`: as if the claim had carried the error back by W in place of its transpose.
    """
    W = layers.weights(position + 1, case.problem.params)
    if turned and W.shape[0] != W.shape[1]:
        return None
    layer, following = layers.chain[position], layers.chain[position + 1]
    columns = []
    for claim, passages in zip(claimed, layers.passages, strict=True):
        here, there = passages[position], passages[position + 1]
        back = there.error @ W.T
        claimed_back = claim[following.bias].reshape(-1) @ (W if turned else W.T)
        told = claim[layer.bias].reshape(-1)
        clear = (np.abs(back) > 1e-2 * np.max(np.abs(back), initial=0)) & (
            np.abs(claimed_back) > 1e-2 * np.max(np.abs(claimed_back), initial=0)
        )
        columns.append(
            [a[clear] for a in (here.z, there.a, *_divided(here.error, back), *_divided(told, claimed_back))]
        )
    if not columns or sum(column[0].size for column in columns) < 2:
        return None
    return Points(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


def _divided(above: Array, below: Array) -> tuple[Array]:
    return (np.divide(above, below, out=np.zeros_like(above), where=below != 0),)


def _formula(points: Points) -> str | None:
    """The derivative that the claim was made with, in words."""
    for name, mistaken in _MISTAKEN:
        if points.used_is(mistaken(points.o, points.h)):
            return name
    for known in ACTIVATIONS.values():
        if points.used_is(known.slope(points.o, points.h)):
            return f"{known.slope_formula}, the derivative of {known.name}"
    ratio = points.used / np.where(points.slope == 0, np.nan, points.slope)
    if np.ptp(ratio) <= 1e-3 * abs(float(np.mean(ratio))):
        return f"{float(np.mean(ratio)):.4g} times that"
    for known in ACTIVATIONS.values():
        for text, o in (("of what goes in", points.o), ("of what comes out, as if it went in", points.h)):
            if points.used_is(known.slope(o, known.value(o))):
                return f"{known.slope_formula}, the derivative of {known.name} {text}"
    return None
