"""Classes that one of the parts does not hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import named, percent
from nablab.data.checks.rule import Rule


def find(material: Material) -> Iterator[Finding]:
    """Serious where a class cannot be learnt; a warning where it is not measured."""
    dataset = material.dataset
    trains, tests = (
        np.bincount(y, minlength=len(dataset.classes)) for y in (dataset.y_train, dataset.y_test)
    )
    unlearnt = np.flatnonzero(trains == 0)
    if len(unlearnt):
        lost = int(tests[unlearnt].sum())
        yield Finding(
            RULE.name,
            "serious",
            f"no training sample of {named(dataset.classes, unlearnt)}, and {lost:,} of {material.tests:,} "
            "test samples, which cannot be classified right",
            "add training samples of it, or leave the class out",
        )
    unmeasured = np.flatnonzero((tests == 0) & (trains > 0))
    if len(unmeasured):
        yield Finding(
            RULE.name,
            "warning",
            f"no test sample of {named(dataset.classes, unmeasured)}: the accuracy says nothing about "
            f"{percent(trains[unmeasured].sum() / trains.sum())} of what is learnt",
            "add test samples of it, or cut the test set anew so that it holds every class",
        )


RULE = Rule("missing-classes", "Is a class missing in one part?", find, of_images=False)
