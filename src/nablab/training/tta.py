"""Test-time augmentation: what a network says of an image, averaged over changed forms of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nablab.errors import UserError
from nablab.training.recipe_values import TtaName

Floats = NDArray[np.float32]


def averaged(scores: Callable[[Floats], Floats], tta: TtaName) -> Callable[[Floats], Floats]:
    """A network as it scores with test-time augmentation.

    Args:
        scores: preprocessed float32 images (N, C, H, W) -> logits (N, K).
        tta: `none` is `scores` itself; `flip` the mean of the logits of an image and of its mirror, left to
            right (Krizhevsky, Sutskever and Hinton 2012, section 4.1, who average ten crops and mirrors).
    """
    if tta == "none":
        return scores

    def both(x: Floats) -> Floats:
        mirrored = np.ascontiguousarray(x[..., ::-1])  # before a user's module may write over x
        return (scores(x) + scores(mirrored)) / np.float32(2)

    return both


def check(tta: TtaName, input_shape: tuple[int, ...]) -> None:
    """Refuse to mirror what is no image.

    Raises:
        UserError: samples that are features.
    """
    if tta != "none" and len(input_shape) != 3:
        raise UserError(f"tta {tta!r} is for images; these samples are features {input_shape}")
