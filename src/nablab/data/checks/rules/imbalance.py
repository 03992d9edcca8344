"""Classes of very different size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import percent
from nablab.data.checks.rule import Rule

#: How many times the smallest class the largest is, from which that is a note, a warning, serious.
NOTE, WARNING, SERIOUS = 1.5, 3.0, 10.0


def find(material: Material) -> Iterator[Finding]:
    """Of the training samples; classes without any are the matter of another rule."""
    classes = material.dataset.classes
    counts = np.bincount(material.dataset.y_train, minlength=len(classes))
    largest = int(counts.argmax())
    smallest = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    ratio = counts[largest] / counts[smallest]
    if ratio >= NOTE:
        yield Finding(
            RULE.name,
            "serious" if ratio >= SERIOUS else "warning" if ratio >= WARNING else "note",
            f"{classes[largest]} has {ratio:.1f} times as many training samples as {classes[smallest]} "
            f"({counts[largest]:,} and {counts[smallest]:,}): always answering {classes[largest]} is right "
            f"for {percent(counts[largest] / counts.sum())} of them",
            "look at recall by class beside accuracy, and train with --class-weights balanced",
        )


RULE = Rule("imbalance", "Do the classes differ much in size?", find, of_images=False)
