"""Whether counts may differ by chance alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The chance that sampling alone shows a difference where there is none: findings should be few and true.
CHANCE = 0.001


def beyond_chance(counts: NDArray[np.int64]) -> bool:
    """Whether the rows (R, K) of counts are more unlike than samples of one whole are but for `CHANCE`.

    K. Pearson's chi-squared test of homogeneity; columns without any count are left out.

    >>> beyond_chance(np.array([[50, 50], [45, 55]])), beyond_chance(np.array([[90, 10], [10, 90]]))
    (False, True)
    """
    from scipy.stats import chi2_contingency  # type: ignore[import-untyped]

    some = counts[:, counts.sum(axis=0) > 0]
    return some.shape[1] > 1 and bool(chi2_contingency(some).pvalue <= CHANCE)
