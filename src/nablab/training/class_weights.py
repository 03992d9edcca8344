"""What each class weighs in the objective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balanced(class_counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """n / (classes x count) for each class, as scikit-learn's `balanced`; 0 for a class without images.

    >>> balanced(np.array([30, 10])).round(3)
    array([0.667, 2.   ], dtype=float32)
    """
    share = class_counts.sum() / (len(class_counts) * np.maximum(class_counts, 1))
    return np.where(class_counts > 0, share, 0).astype(np.float32)
