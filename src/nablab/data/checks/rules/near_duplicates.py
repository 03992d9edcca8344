"""Images of one part that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding, Part
from nablab.data.checks.material import Material
from nablab.data.checks.naming import counted, portion
from nablab.data.checks.rule import Rule
from nablab.data.checks.rules.exact_duplicates import MANY


def find(material: Material) -> Iterator[Finding]:
    """A finding for each part; a warning where 1 % of its images or more have a twin, else a note."""
    twins, trains = material.twins, material.trains
    parts: tuple[tuple[Part, int, int], ...] = (
        ("train", 0, trains),
        ("test", trains, trains + material.tests),
    )
    for part, start, stop in parts:
        rows = start + np.flatnonzero(twins.within[start:stop] >= 0)
        if not len(rows):
            continue
        worst = rows[np.argsort(-twins.within_similarity[rows], kind="stable")]
        pairs: dict[tuple[int, int], float] = {}
        for row, twin in zip(worst.tolist(), twins.within[worst].tolist(), strict=True):
            pairs[min(row, twin), max(row, twin)] = float(twins.within_similarity[row])
        share = len(rows) / (stop - start)
        yield Finding(
            RULE.name,
            "warning" if share >= MANY else "note",
            f"{portion(len(rows), stop - start, f'{part} images is/are')} nearly the same as another "
            f"(correlation of pixels at least {material.similarity:g}; {counted(twins.pairs[part], 'pair')})",
            "look at the pairs; one of each is enough",
            tuple(material.rows(pair) for pair in pairs),
            tuple(f"correlation {similarity:.5f}" for similarity in pairs.values()),
        )


RULE = Rule("near-duplicates", "Are images of one part nearly the same?", find)
