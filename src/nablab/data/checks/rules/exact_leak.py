"""Test images that are also training images: what they measure is memory."""

from __future__ import annotations

from collections.abc import Iterator

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import portion
from nablab.data.checks.rule import Rule


def find(material: Material) -> Iterator[Finding]:
    """Any copy across the split is serious: there is no innocent way for it to get there."""
    trains = material.trains
    groups = [rows for rows in material.copies.groups if rows[0] < trains <= rows[-1]]
    leaked = sum(int((rows >= trains).sum()) for rows in groups)
    if leaked:
        yield Finding(
            RULE.name,
            "serious",
            f"{portion(leaked, material.tests, 'test samples is/are')} also training samples, to the bit",
            "take them out of the training set, or cut the test set so that copies stay on one side",
            tuple(material.rows(rows) for rows in groups),
        )


RULE = Rule("exact-leak", "Is a test sample also a training sample?", find, of_images=False)
