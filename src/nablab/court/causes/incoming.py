"""The gradient of weights is made with something else than what comes into them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.court.calls import Array
from nablab.court.case import Case
from nablab.court.evidence import Evidence
from nablab.court.layers import Layers
from nablab.court.report import Cause


def incoming(case: Case, evidence: Evidence) -> Cause | None:
    """dL/dW = a^T D with another a."""
    layers = case.layers
    position = None if layers is None else layers.position(evidence.name)
    if layers is None or position is None or layers.chain[position].weight != evidence.name:
        return None
    claimed = case.claims(layers.rows)
    if claimed is None:
        return None
    W = layers.weights(position, case.problem.params)
    told = np.stack([layers.weights(position, claim) for claim in claimed])
    errors = np.stack([claim[layers.chain[position].bias].reshape(-1) for claim in claimed])
    for text, a in _candidates(layers, position):
        product = a[:, :, None] * errors[:, None, :]
        for penalty in (0.0, layers.penalty):
            off = np.linalg.norm(product + penalty * W - told)
            if product.any() and off <= 1e-3 * np.linalg.norm(told):
                right = f"what comes into {evidence.name}"
                return Cause(
                    "incoming", f"it is the error at {evidence.name} times {text}, not times {right}"
                )
    return None


def _candidates(layers: Layers, position: int) -> Iterator[tuple[str, Array]]:
    """What has the size of what comes in; one row a sample."""
    width = layers.passages[0][position].a.size
    if position:
        before = layers.chain[position - 1].weight
        z = np.stack([passages[position - 1].z for passages in layers.passages])
        yield f"what {before} gives, before its activation", z
    for m, layer in enumerate(layers.chain):
        a = np.stack([passages[m].a for passages in layers.passages])
        if m != position and a.shape[1] == width:
            yield f"what comes into {layer.weight}", a
