"""Classes that are more frequent in one part than in the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.chance import beyond_chance
from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.naming import percent
from nablab.data.checks.rule import Rule

#: The share of the test samples that would have to change class for equal proportions (total variation).
WARNING, SERIOUS = 0.05, 0.2


def find(material: Material) -> Iterator[Finding]:
    """A difference that is both large and more than chance; of classes in both parts."""
    dataset = material.dataset
    counts = np.stack(
        [np.bincount(y, minlength=len(dataset.classes)) for y in (dataset.y_train, dataset.y_test)]
    )
    common = np.flatnonzero((counts > 0).all(axis=0))
    if len(common) < 2:
        return
    counts = counts[:, common]
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    if distance < WARNING or not beyond_chance(counts):
        return
    worst = int(np.abs(shares[0] - shares[1]).argmax())
    name = dataset.classes[common[worst]]
    yield Finding(
        RULE.name,
        "serious" if distance >= SERIOUS else "warning",
        f"the classes are in other proportions in test than in train: {percent(distance)} of the test "
        f"samples would have to change class ({name}: {percent(shares[0][worst])} of train, "
        f"{percent(shares[1][worst])} of test)",
        "cut the test set by class (stratified), or look at recall by class in place of accuracy",
    )


RULE = Rule("label-drift", "Are the classes equally frequent in train and test?", find, of_images=False)
