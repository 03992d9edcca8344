"""The trial: a claimed gradient against central differences, a verdict for each parameter."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np

from nablab.court.calls import told
from nablab.court.case import Case
from nablab.court.causes import find_cause
from nablab.court.differences import Precision, measure_precision
from nablab.court.evidence import Evidence, gather
from nablab.court.fit import Fitted, fit
from nablab.court.notes import notes
from nablab.court.problem import GradientFunction, LossFunction, Problem, make_problem
from nablab.court.report import Cause, CourtReport, Finding
from nablab.errors import UserError

#: About how long a problem may be measured. Each parameter gets an equal share of it.
SECONDS = 20.0

#: How far the second point is from the first, where that one tells too little.
_NUDGE = 0.1

#: Why a point may tell too little.
_ZERO, _SMALL, _KINKS = "zero here", "too small here to be compared", "kinks here"
_ALSO_NEARBY = {
    _ZERO: "zero, here and at a point nearby",
    _SMALL: "too small to be compared, here and at a point nearby",
}
_NOT_FINITE = "the loss is not finite next to some of its entries, which were not compared"


def gradcheck(
    loss: LossFunction,
    gradient: GradientFunction,
    params: Any,
    x: Any = None,
    y: Any = None,
    *,
    rtol: float = 1e-5,
    entries: int = 120,
    seed: int = 0,
) -> CourtReport:
    """Hold a gradient against central differences of its loss, and say what is wrong with it.

    Computed in float64, whatever the parameters come as. Where the gradient vanishes at the given point, or
    kinks (ReLU at 0) leave too little to compare, a parameter is tried at a second point nearby.

    Args:
        loss: of (params, x, y), returns a number; must be the same for the same arguments.
        gradient: of (params, x, y), returns a mapping with an array for each parameter, in its shape.
        params: a mapping of named arrays.
        x: the inputs, samples along the first axis.
        y: the labels or targets.
        rtol: relative tolerance. For single precision it is 1e-4 (the gradient) or 1e-3 (the loss) at least.
        entries: a parameter with more is looked at on a grid of about so many, and along random directions;
            where the loss takes milliseconds, of fewer.
        seed: draws these.

    >>> import numpy as np
    >>> def loss(params, x, y):
    ...     return np.mean((x @ params["w"] - y) ** 2)
    >>> def gradient(params, x, y):
    ...     return {"w": x.T @ (x @ params["w"] - y) / len(x)}
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    >>> print(gradcheck(loss, gradient, {"w": np.ones(2)}, x, np.zeros(3)))
    the gradient is wrong for w (1 of 1 parameters)
    w  wrong: it lacks a factor 2 (times 0.5)

    Raises:
        UserError: there is nothing to be judged: the loss or the gradient fails, changes from call to call,
            is not finite, there or next to it, or returns something else.
    """
    problem = make_problem(loss, gradient, params, x, y)
    with redirect_stdout(io.StringIO()):  # what the functions print was shown, and is not a hundred times
        return _judge(problem, rtol, entries, seed)


def _judge(problem: Problem, rtol: float, entries: int, seed: int) -> CourtReport:
    rng = np.random.default_rng(seed)
    precision = measure_precision(problem, rng)
    held = _Trial(problem, precision, rtol, _affordable(problem, entries), seed)
    findings = {finding.name: finding for finding in held.findings(problem.params)}
    # A kink shows by slopes that differ. Two that cancel do not, nor do small ones in single precision.
    kinks = precision.single or any(finding.kinks for finding in findings.values())
    unclear = [name for name, f in findings.items() if f.remark or (kinks and not f.right and f.compared)]
    if unclear:
        findings |= _second_look(held, findings, unclear, rng)
    for finding in findings.values():
        if finding.right and not finding.compared and finding.remark == _NOT_FINITE:
            raise UserError(
                f"the loss is not finite next to these parameters: the gradient of {finding.name} cannot be "
                "compared; choose others, further from where the loss ends"
            )
    said = tuple(notes(problem, precision, rng))
    return CourtReport(tuple(findings.values()), problem.value(), precision.step, precision.single, said)


def _affordable(problem: Problem, entries: int) -> int:
    """So many entries of a parameter, fewer where the loss is slow: each takes up to ten values of it."""
    begun = time.perf_counter()
    problem.value()
    each = max(time.perf_counter() - begun, 1e-6)
    return min(entries, max(8, int(SECONDS / each / len(problem.params) / 10)))


class _Trial:
    """One point of the parameters."""

    def __init__(self, problem: Problem, precision: Precision, rtol: float, entries: int, seed: int) -> None:
        self.problem = problem
        self.precision = precision
        self.given_rtol = rtol
        self.rtol = max(rtol, 1e-3) if precision.single else rtol
        self.entries = entries
        self.seed = seed

    def findings(self, names: Iterable[str]) -> list[Finding]:
        """The verdicts on some of the parameters."""
        problem = self.problem
        claims = problem.claim()
        fitted = {name: fit(claims, name, p.shape, problem) for name, p in problem.params.items()}
        evidence = {
            name: self._evidence(name, fitted[name]) for name in names if fitted[name].values is not None
        }
        case = Case(problem, self.precision, evidence)
        return [self._finding(case, name, fitted[name]) for name in names]

    def _evidence(self, name: str, fitted: Fitted) -> Evidence:
        assert fitted.values is not None
        rtol = max(self.rtol, 1e-4) if fitted.single else self.rtol
        # For each its own: what is drawn does not depend on the others.
        rng = np.random.default_rng(self.seed)
        return gather(self.problem, name, fitted.values, self.precision, rng, entries=self.entries, rtol=rtol)

    def _finding(self, case: Case, name: str, fitted: Fitted) -> Finding:
        shape = self.problem.params[name].shape
        if name not in case.evidence:
            return Finding(name, shape, False, None, None, 0, cause=self._unusable(fitted.fault))
        evidence = case.evidence[name]
        cause = fitted.fault
        if not evidence.right:
            cause = find_cause(case, evidence)
            cause = replace(
                cause, text="; and ".join([cause.text, *([fitted.fault.text] if fitted.fault else [])])
            )
        kinks = int(evidence.kinks.sum())
        remark = ""
        if evidence.vanishes:
            remark = _SMALL if evidence.whole.any() else _ZERO
        elif 2 * kinks > evidence.kinks.size:
            remark = _KINKS
        elif not np.isfinite(evidence.measured).all():
            remark = _NOT_FINITE
        elif evidence.vague:
            remark = _SMALL
        return Finding(
            name,
            shape,
            cause is None,
            evidence.relative_error,
            evidence.cosine,
            int(evidence.judged.sum()),
            kinks,
            cause,
            remark if cause is None else "",
        )

    def _unusable(self, fault: Cause | None) -> Cause:
        """Why there are no numbers to compare; of those that are not finite, where they come from."""
        assert fault is not None
        if fault.code != "not finite":
            return fault
        return replace(fault, text=fault.text + told(self.problem.overflow(self.problem.gradient)))


def _second_look(
    held: _Trial, findings: dict[str, Finding], names: list[str], rng: np.random.Generator
) -> dict[str, Finding]:
    """The verdicts at a point nearby, for parameters of which the given one tells too little."""
    problem = held.problem
    nearby = problem.at(
        {name: np.asarray(p + _NUDGE * rng.standard_normal(p.shape)) for name, p in problem.params.items()}
    )
    try:
        if not np.isfinite(nearby.value()):
            return {}
        # Where the loss ends, its noise could not be told from its curvature.
        ended = any(findings[name].remark == _NOT_FINITE for name in names)
        precision = measure_precision(nearby, rng) if ended else held.precision
        looked = _Trial(nearby, precision, held.given_rtol, held.entries, held.seed).findings(names)
    except UserError:  # nobody said that the functions work there
        return {}
    return {
        finding.name: replace(
            finding,
            kinks=findings[finding.name].kinks,
            remark=_remark(findings[finding.name].remark or _KINKS, finding),
        )
        for finding in looked
        if findings[finding.name].right or (finding.compared and not finding.remark)
    }


def _remark(first: str, second: Finding) -> str:
    if not second.right:
        return ""
    if first in _ALSO_NEARBY and second.remark in _ALSO_NEARBY:
        return _ALSO_NEARBY[second.remark]
    if second.remark in (*_ALSO_NEARBY, _NOT_FINITE):
        return second.remark
    why = {_KINKS: "the loss has a kink here", _NOT_FINITE: first}.get(first, f"it is {first}")
    return f"compared at a point nearby, since {why}"
