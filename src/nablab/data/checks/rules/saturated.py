"""Pictures that are nearly all black or nearly all white where others are not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import percent, portion
from nablab.data.checks.rule import Rule

#: The share of the values of an image that are at the end of the range.
MOST = 0.9
#: What of the other images 99 % must stay below, so that this is unusual.
USUAL = 0.5
#: At most this share of the images may be so.
RARE = 0.05


def find(material: Material) -> Iterator[Finding]:
    """A finding for each end of the value range; sets with plain backgrounds are not judged."""
    portraits = material.portraits
    blank = portraits.deviation.max(axis=1) == 0
    for shares, colour, cause in (
        (portraits.darkest, "darkest", "underexposed or badly converted"),
        (portraits.brightest, "brightest", "overexposed or badly converted"),
    ):
        clipped = (shares >= MOST) & ~blank
        others = shares[~clipped & ~blank]
        rows = np.flatnonzero(clipped)
        if len(rows) and clipped.mean() <= RARE and len(others) and np.quantile(others, 0.99) < USUAL:
            yield Finding(
                RULE.name,
                "warning",
                f"{portion(len(rows), len(shares), 'images has/have')} {percent(MOST, 0)} of the values "
                f"or more at the {colour} there is; of the others, 99 % have less than {percent(USUAL, 0)}",
                f"look whether they are {cause}, and replace or remove them",
                material.singles(rows[np.argsort(-shares[rows], kind="stable")]),
            )


RULE = Rule("saturated", "Are some images nearly all black or all white?", find)
