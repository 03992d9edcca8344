"""Equal samples with different labels: at least one of the labels is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import counted
from nablab.data.checks.rule import Rule


def find(material: Material) -> Iterator[Finding]:
    """Copies anywhere, in one part or across, whose labels differ."""
    groups = [rows for rows in material.copies.groups if len(np.unique(material.labels[rows])) > 1]
    if groups:
        concerned = sum(len(rows) for rows in groups)
        yield Finding(
            RULE.name,
            "serious",
            f"{counted(len(groups), 'sample is/are')} there under more than one label ({concerned:,} "
            "rows), of which at most one is right",
            "look at them and correct the labels, or remove what has no clear one",
            tuple(material.rows(rows) for rows in groups),
        )


RULE = Rule("contradictions", "Do equal samples have different labels?", find, of_images=False)
