"""What can be wrong with a gradient: each cause says whether it explains a claim, and in what words.

A cause takes the case and the evidence on one parameter, and returns a `Cause`, or None where it does not
apply. The first that applies is told. All of them prove themselves: what they say was done is done to the
measured gradient, and must give the claim.
"""

from __future__ import annotations

from collections.abc import Callable

from nablab.court.case import Case
from nablab.court.causes.activation import activation
from nablab.court.causes.arrangement import (
    clipped,
    flipped,
    reshaped,
    sign_lost,
    swapped,
    transposed,
    uniform,
)
from nablab.court.causes.factor import constant_factor, zero
from nablab.court.causes.incoming import incoming
from nablab.court.causes.parts import entries, samples, unrelated
from nablab.court.causes.penalty import penalty, scaled_and_penalty, stepped
from nablab.court.evidence import Evidence
from nablab.court.report import Cause

#: In the order in which they are tried. A penalty comes early: where it is small, other causes nearly explain
#: the claim, too. So do activations: a wrong derivative may also be a mere factor (tanh(o/2) with the
#: derivative of tanh(o)), and then it says more to name it.
CAUSES: tuple[Callable[[Case, Evidence], Cause | None], ...] = (
    zero,
    penalty,
    activation,
    incoming,
    constant_factor,
    transposed,
    reshaped,
    flipped,
    swapped,
    sign_lost,
    stepped,
    scaled_and_penalty,
    clipped,
    uniform,
    entries,
    samples,
    unrelated,
)


def find_cause(case: Case, evidence: Evidence) -> Cause:
    """The first cause that explains the claim; `unrelated` where none does."""
    found = (cause(case, evidence) for cause in CAUSES)
    return next(cause for cause in found if cause is not None)
