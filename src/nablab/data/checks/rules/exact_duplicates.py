"""Samples that are there several times within one part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding, Part
from nablab.data.checks.material import Material
from nablab.data.checks.naming import counted, percent
from nablab.data.checks.rule import Rule

#: The share of a part that may be surplus copies before that is a warning.
MANY = 0.01

_REMEDIES: dict[Part, str] = {
    "train": "keep one of each, unless they are meant to weigh more in training",
    "test": "keep one of each: now some images count several times in the accuracy",
}


def find(material: Material) -> Iterator[Finding]:
    """A finding for each part that holds copies; a warning from 1 % of surplus copies on, else a note."""
    trains = material.trains
    parts: tuple[tuple[Part, int], ...] = (("train", trains), ("test", material.tests))
    for part, size in parts:
        sides = [rows[(rows < trains) == (part == "train")] for rows in material.copies.groups]
        groups = [rows for rows in sides if len(rows) > 1]
        surplus = sum(len(rows) - 1 for rows in groups)
        if surplus:
            most = int(np.max([len(rows) for rows in groups]))
            times = f", up to {most} times" if most > 2 else ""
            yield Finding(
                RULE.name,
                "warning" if surplus / size >= MANY else "note",
                f"{counted(len(groups), 'sample is/are')} several times in {part}{times}: {surplus:,} "
                f"surplus of {size:,} samples ({percent(surplus / size, 2)})",
                _REMEDIES[part],
                tuple(material.rows(rows) for rows in groups),
            )


RULE = Rule("exact-duplicates", "Is a sample several times in one part?", find, of_images=False)
