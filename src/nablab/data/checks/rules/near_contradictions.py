"""Images that are nearly the same and have different labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import counted
from nablab.data.checks.rule import Rule


def find(material: Material) -> Iterator[Finding]:
    """Looks at the nearest twin of each image in its own part and in the other."""
    twins, labels = material.twins, material.labels
    found: dict[tuple[int, int], float] = {}
    for nearest, similarity in (
        (twins.within, twins.within_similarity),
        (twins.across, twins.across_similarity),
    ):
        rows = np.flatnonzero(nearest >= 0)
        for row in rows[labels[rows] != labels[nearest[rows]]].tolist():
            pair = (min(row, int(nearest[row])), max(row, int(nearest[row])))
            found[pair] = float(similarity[row])
    if found:
        worst = sorted(found, key=lambda pair: (-found[pair], pair))
        yield Finding(
            RULE.name,
            "warning",
            f"{counted(len(found), 'pair')} of images, nearly the same (correlation of pixels at least "
            f"{material.similarity:g}), with different labels",
            "look at them and correct the labels, or remove what has no clear one",
            tuple(material.rows(pair) for pair in worst),
            tuple(f"correlation {found[pair]:.5f}" for pair in worst),
        )


RULE = Rule("near-contradictions", "Do nearly equal images have different labels?", find)
