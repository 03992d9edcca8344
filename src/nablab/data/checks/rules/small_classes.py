"""Classes with too few samples to validate with, or to be measured on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import named, percent
from nablab.data.checks.rule import Rule

#: Below this, every tenth sample that is held out for validation is not even two.
TRAIN = 20
#: Below this, one test sample is more than three points of its class's recall.
TEST = 30


def find(material: Material) -> Iterator[Finding]:
    """A warning for the training set, a note for the test set; empty classes are another rule's matter."""
    dataset = material.dataset
    trains, tests = (
        np.bincount(y, minlength=len(dataset.classes)) for y in (dataset.y_train, dataset.y_test)
    )
    few = np.flatnonzero((trains > 0) & (trains < TRAIN))
    if len(few):
        yield Finding(
            RULE.name,
            "warning",
            f"fewer than {TRAIN} training samples of {named(dataset.classes, few)} (as few as "
            f"{trains[few].min()}): a tenth for validation is {trains[few].min() // 10} of them",
            "add samples, merge classes, or look at several seeds with --resample",
        )
    few = np.flatnonzero((tests > 0) & (tests < TEST))
    if len(few):
        yield Finding(
            RULE.name,
            "note",
            f"fewer than {TEST} test samples of {named(dataset.classes, few)} (as few as {tests[few].min()}):"
            f" one image is {percent(1 / tests[few].min())} of the recall of its class",
            "don't read much into the recall of these classes, or add test samples",
        )


RULE = Rule("small-classes", "Has a class too few samples?", find, of_images=False)
