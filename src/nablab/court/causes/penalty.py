"""The gradient of a penalty on the weights is missing, or is there where the loss has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nablab.court.calls import Array
from nablab.court.case import Case
from nablab.court.causes.factor import explain
from nablab.court.evidence import Evidence
from nablab.court.report import Cause


def stepped(case: Case, evidence: Evidence) -> Cause | None:
    """w - lr * gradient: the weights after a step in place of the gradient."""
    fit = _fit(evidence, evidence.on_grid(case.problem.params[evidence.name]))
    if fit is None or abs(fit[1] - 1) > 1e-3 or not fit[0] < 0:
        return None
    return Cause("stepped", f"it is the parameter after a step of rate {-fit[0]:.4g}, not the gradient")


def penalty(case: Case, evidence: Evidence) -> Cause | None:
    """claimed = right + b w, or + b sign(w)."""
    for term in _terms(case, evidence):
        b = _share(evidence, term.values)
        if b is not None:
            return Cause("penalty", term.text(-b, _total(case, evidence, term)), 1.0)
    return None


def scaled_and_penalty(case: Case, evidence: Evidence) -> Cause | None:
    """claimed = a x right + b w, or + b sign(w)."""
    for term in _terms(case, evidence):
        fit = _fit(evidence, term.values)
        if fit is not None:
            a, b = fit
            also = f"; and {explain(case, evidence, a)}" if abs(a - 1) > 1e-3 else ""
            return Cause("penalty", term.text(-b / a, _total(case, evidence, term)) + also, a)
    return None


@dataclass(frozen=True)
class _Term:
    """What a penalty adds to a gradient: a number times `values`."""

    symbol: str
    penalty: str
    values: Array

    def text(self, lacking: float, total: float | None) -> str:
        """In words: how much of it is not there, of how much in all, if that is known."""
        if lacking > 0:
            why = f"the {self.penalty} penalty's gradient is missing or too small"
            if total and abs(lacking / total - 1) < 1e-2:
                why = f"the {self.penalty} penalty's gradient is missing"
            elif total and abs(lacking / total - 0.5) < 1e-2:
                why = f"the {self.penalty} penalty's gradient is there by half: the derivative of w^2 is 2 w"
            return f"it lacks {lacking:.4g} {self.symbol}: {why}"
        why = f"the loss has no such {self.penalty} penalty, or less"
        if total == 0:
            why = f"the loss has no {self.penalty} penalty on it"
        elif total and abs(lacking / total + 1) < 1e-2:
            why = f"the {self.penalty} penalty's gradient is there twice: the derivative of 1/2 w^2 is w"
        return f"it has {-lacking:.4g} {self.symbol} too much: {why}"


def _total(case: Case, evidence: Evidence, term: _Term) -> float | None:
    """b of what the loss's own penalty adds, b w; None where that cannot be told."""
    layers = case.layers
    if layers is None or term.penalty != "L2":
        return None
    return layers.penalty if evidence.name in [layer.weight for layer in layers.chain] else None


def _terms(case: Case, evidence: Evidence) -> tuple[_Term, ...]:
    w = evidence.on_grid(case.problem.params[evidence.name])
    return _Term("w", "L2", w), _Term("sign(w)", "L1", np.sign(w))


def _share(evidence: Evidence, w: Array) -> float | None:
    """b of claimed - right = b w, where it explains several entries, to what differences can tell."""
    g, n = evidence.pair()
    v, off = w[evidence.judged], g - n
    if np.count_nonzero(v) < 2 or not n.any():
        return None
    b = float(off @ v / (v @ v))
    allowed = 1e-3 * np.linalg.norm(off)
    return b if b and np.linalg.norm(off - b * v) <= allowed else None


def _fit(evidence: Evidence, w: Array) -> tuple[float, float] | None:
    """a and b of claimed = a x right + b w, where two numbers explain many more entries, and both count."""
    g, n = evidence.pair()
    v = w[evidence.judged]
    if g.size < 4 or not v.any() or not n.any():
        return None
    basis = np.stack([n, v], axis=1)
    sizes = np.linalg.norm(basis, axis=0)
    if np.linalg.matrix_rank(basis / sizes, tol=1e-6) < 2:
        return None
    a, b = (float(c) for c in np.linalg.lstsq(basis / sizes, g, rcond=None)[0] / sizes)
    counts = abs(a) * sizes[0] > 1e-3 * np.linalg.norm(g) and abs(b) > 0
    return (a, b) if counts and evidence.explains(a * evidence.measured + b * w) else None
