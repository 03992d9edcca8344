"""The numbers are there, but in another place, or not as they were."""

from __future__ import annotations

import numpy as np

from nablab.court.case import Case
from nablab.court.evidence import Evidence
from nablab.court.report import Cause


def transposed(case: Case, evidence: Evidence) -> Cause | None:
    """A square matrix the other way round."""
    shape = evidence.whole.shape
    if len(shape) != 2 or shape[0] != shape[1] or evidence.claimed.shape[0] != evidence.claimed.shape[1]:
        return None
    factor = _factor(evidence, evidence.measured.T)
    if factor is None or not evidence.explains(factor * evidence.measured.T):
        return None
    return Cause("transposed", "it is the transpose of the right gradient" + _times(factor))


def reshaped(case: Case, evidence: Evidence) -> Cause | None:
    """The transpose, pressed into the shape of the parameter: its numbers, but in other places."""
    n = evidence.measured
    if n.ndim != 2 or not evidence.complete or min(n.shape) < 2 or not evidence.judged.all():
        return None
    candidate = n.T.reshape(n.shape)
    factor = _factor(evidence, candidate)
    if factor is None or not evidence.explains(factor * candidate):
        return None
    return Cause("reshaped", "it is the transpose, reshaped where it must be transposed" + _times(factor))


def flipped(case: Case, evidence: Evidence) -> Cause | None:
    """Reversed along axes: a convolution where a correlation belongs."""
    n = evidence.measured
    if not evidence.complete:
        return None
    axes = tuple(axis for axis in range(n.ndim) if n.shape[axis] > 1)
    for chosen in (axes[-2:], axes[-1:], axes[-2:-1], axes[:1]):
        if not chosen:
            continue
        turned = np.flip(n, chosen)
        factor = _factor(evidence, turned)
        if factor is not None and evidence.explains(factor * turned):
            along = " and ".join(str(axis) for axis in chosen)
            kernel = ": a kernel turned over" if n.ndim == 4 else ""
            return Cause("flipped", f"it is reversed along axis {along}{kernel}" + _times(factor))
    return None


def swapped(case: Case, evidence: Evidence) -> Cause | None:
    """The gradient of another parameter."""
    for name, other in case.evidence.items():
        if name == evidence.name or other.whole.shape != evidence.whole.shape or evidence.whole.size < 2:
            continue
        own = other.on_grid(evidence.whole)[other.judged]  # the other was measured on a grid of its own
        off = np.linalg.norm(own - other.measured[other.judged])
        if own.any() and off <= 1e-4 * np.linalg.norm(own) + np.linalg.norm(other.tolerance):
            return Cause("swapped", f"it is the gradient of {name}")
    return None


def sign_lost(case: Case, evidence: Evidence) -> Cause | None:
    """Absolute values."""
    if evidence.claimed.size > 1 and evidence.explains(np.abs(evidence.measured)):
        return Cause("absolute", "it is the absolute value of the right gradient: signs are lost")
    return None


def clipped(case: Case, evidence: Evidence) -> Cause | None:
    """Cut off at a largest value."""
    g, n = evidence.pair()
    limit = float(np.max(np.abs(g), initial=0.0))
    at_limit = np.abs(g) >= limit * (1 - 1e-9)
    if g.size < 3 or at_limit.sum() < 2 or not np.all(np.abs(n[at_limit]) >= limit * (1 - 1e-6)):
        return None
    if evidence.explains(np.clip(evidence.measured, -limit, limit)):
        return Cause("clipped", f"it is clipped to [-{limit:.4g}, {limit:.4g}]")
    return None


def uniform(case: Case, evidence: Evidence) -> Cause | None:
    """Summed or averaged over an axis that it should keep."""
    n = evidence.measured
    if not evidence.complete or n.size < 2:
        return None
    for axis in (None, *range(n.ndim)):
        for word, spread in (("averaged", np.mean), ("summed", np.sum)):
            candidate = np.broadcast_to(spread(n, axis=axis, keepdims=True), n.shape)
            if evidence.explains(candidate) and np.ptp(n):
                over = "all of its entries" if axis is None or n.ndim == 1 else f"axis {axis}"
                return Cause("uniform", f"it is {word} over {over}, which differ")
    return None


def _factor(evidence: Evidence, candidate: np.ndarray) -> float | None:
    g, c = evidence.claimed[evidence.judged], candidate[evidence.judged]
    return float(g @ c / (c @ c)) if c.any() else None


def _times(factor: float) -> str:
    return "" if abs(factor - 1) < 1e-3 else f", times {factor:.4g}"
