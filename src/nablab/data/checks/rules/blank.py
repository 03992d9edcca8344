"""Images with nothing on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import portion
from nablab.data.checks.rule import Rule

#: Nearly one colour: the deviation of the values is at most this share of the value range...
OF_RANGE = 0.02
#: ... and of the deviation that half of the images exceed, so that faint images among faint ones pass.
OF_MEDIAN = 0.1


def find(material: Material) -> Iterator[Finding]:
    """Serious where images of exactly one colour are 1 % or more; else a warning."""
    low, high = material.dataset.value_range
    deviation = material.portraits.deviation.max(axis=1)
    exactly = deviation <= 1e-6 * max(high - low, 1e-30)
    nearly = (deviation <= OF_RANGE * (high - low)) & (deviation <= OF_MEDIAN * np.median(deviation))
    blank = np.flatnonzero(exactly | nearly)
    if len(blank):
        yield Finding(
            RULE.name,
            "serious" if exactly.mean() >= 0.01 else "warning",
            f"{portion(len(blank), len(deviation), 'images is/are')} of one colour: "
            f"{int(exactly.sum()):,} exactly, {int((~exactly & nearly).sum()):,} nearly",
            "see why nothing is on them (a failed download or conversion), and remove or replace them",
            material.singles(blank[np.argsort(deviation[blank], kind="stable")]),
        )


RULE = Rule("blank", "Are there images of one colour?", find)
