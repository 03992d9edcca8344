"""Test images that are nearly the same as a training image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import counted, portion
from nablab.data.checks.rule import Rule

#: The share of the test images from which the leak is serious: accuracies are compared at this size.
SERIOUS = 0.01


def find(material: Material) -> Iterator[Finding]:
    """Counts test images; each is shown with the training image that is most like it."""
    twins = material.twins
    tests = material.trains + np.flatnonzero(twins.across[material.trains :] >= 0)
    if not len(tests):
        return
    worst = tests[np.argsort(-twins.across_similarity[tests], kind="stable")]
    share = len(tests) / material.tests
    yield Finding(
        RULE.name,
        "serious" if share >= SERIOUS else "warning",
        f"{portion(len(tests), material.tests, 'test images is/are')} nearly the same as a training image "
        f"(correlation of pixels at least {material.similarity:g}; "
        f"{counted(twins.pairs['across'], 'pair')})",
        "look at the pairs, and take one side out; pictures of one scene belong on one side (--group)",
        tuple(material.rows((twins.across[row], row)) for row in worst),
        tuple(f"correlation {twins.across_similarity[row]:.5f}" for row in worst),
    )


RULE = Rule("near-leak", "Is a test image nearly a training image?", find)
