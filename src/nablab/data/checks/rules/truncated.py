"""Pictures that end before their lower edge, as those from files that were cut short."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import percent, portion
from nablab.data.checks.rule import Rule

#: The share of the height, from below, that is of one colour.
FLAT = 0.25
#: At most this share of the images may be so: where more are, it is how these images look.
RARE = 0.05


def find(material: Material) -> Iterator[Finding]:
    """Images whose lower quarter or more is one colour, while their top isn't and others are not like that.

    Decoders fill what is missing of a file with one colour. That is only unusual where of the other
    images 99 % have less than half as much of one colour at the bottom: sets with plain backgrounds are not
    judged.
    """
    top, bottom = material.portraits.flat_top, material.portraits.flat_bottom
    cut = (bottom >= FLAT) & (bottom < 1) & (top < bottom / 2)
    rows, others = np.flatnonzero(cut), bottom[~cut & (bottom < 1)]
    if not len(rows) or cut.mean() > RARE or not len(others) or np.quantile(others, 0.99) >= FLAT / 2:
        return
    yield Finding(
        RULE.name,
        "warning",
        f"{portion(len(rows), len(cut), 'images is/are')} of one colour from the bottom up to "
        f"{percent(bottom[rows].max(), 0)} of their height, which hardly any other is",
        "look whether their files were cut short, and get them again",
        material.singles(rows[np.argsort(-bottom[rows], kind="stable")]),
    )


RULE = Rule("truncated", "Are the lower parts of images missing?", find)
