"""The gradient of a penalty on the weights is missing, or is there where the loss has none."""

from __future__ import annotations

import numpy as np

from nablab.court.case import Case
from nablab.court.causes.factor import explain
from nablab.court.evidence import Evidence
from nablab.court.problem import Array
from nablab.court.report import Cause


def stepped(case: Case, evidence: Evidence) -> Cause | None:
    """w - lr * gradient: the weights after a step in place of the gradient."""
    fit = _fit(evidence, evidence.on_grid(case.problem.params[evidence.name]))
    if fit is None or abs(fit[1] - 1) > 1e-3 or not fit[0] < 0:
        return None
    return Cause("stepped", f"it is the parameter after a step of rate {-fit[0]:.4g}, not the gradient")


def penalty(case: Case, evidence: Evidence) -> Cause | None:
    """claimed = a x right + b w, or + b sign(w)."""
    w = evidence.on_grid(case.problem.params[evidence.name])
    for term, word, values in (("w", "L2", w), ("sign(w)", "L1", np.sign(w))):
        fit = _fit(evidence, values)
        if fit is None:
            continue
        a, b = fit
        lacking = -b / a
        if lacking > 0:
            said = f"it lacks {lacking:.4g} {term}: the {word} penalty's gradient is missing or too small"
        else:
            said = f"it has {-lacking:.4g} {term} too much: the loss has no such {word} penalty, or less"
        if abs(a - 1) > 1e-3:
            said += f"; and {explain(case, evidence, a)}"
        return Cause("penalty", said, a)
    return None


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
