"""The generators of random numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from nablab.autograd import devices


class Generator(np.random.Generator):
    """NumPy's generator, which `manual_seed` starts anew. The numbers are not PyTorch's.

    >>> a, b = Generator().manual_seed(3), Generator().manual_seed(3)
    >>> bool(a.random() == b.random())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        devices.device(device)
        super().__init__(np.random.PCG64())

    def manual_seed(self, seed: int) -> Self:
        self.bit_generator.state = np.random.PCG64(seed % 2**64).state
        return self


_default = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the generator of `randn`, `rand`, `randperm`, `dropout` and the layers' initial weights anew."""
    return _default.manual_seed(seed)


def default_generator() -> np.random.Generator:
    """The generator that is drawn from where none is given."""
    return _default
