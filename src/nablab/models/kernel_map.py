"""The RBF kernel's feature map, approximated from a sample of the training images (Nyström's method).

C. Williams and M. Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS 2000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_approximation import Nystroem


class KernelMap(Nystroem):  # type: ignore[misc]
    """scikit-learn's `Nystroem` with the width that its `SVC` takes by default.

    gamma = 1 / (features x variance of all values), which `Nystroem` itself does not know: its 1 / features
    is right for standardised images only, and pixels in [0, 1] would all look alike.
    """

    def fit(self, X: NDArray[Any], y: object = None) -> KernelMap:
        """Draws the sample; at most as many images as there are."""
        variance = float(np.var(X, dtype=np.float64))
        self.gamma = 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0
        self.n_components: int = min(self.n_components, len(X))
        super().fit(X, y)
        return self
