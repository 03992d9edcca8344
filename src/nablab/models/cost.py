"""What a network costs, by its layer table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nablab.models.model import LayerRow


@dataclass(frozen=True)
class Cost:
    """Sums over a network, for one image forward.

    MACs (multiply-accumulates) count convolutions and linear layers, without the additions of biases;
    normalisation, activations and pooling are not counted.
    """

    parameters: int
    macs: int

    @property
    def flops(self) -> int:
        """Floating point operations: a multiplication and an addition for each MAC."""
        return 2 * self.macs


def count(rows: Iterable[LayerRow]) -> Cost:
    """The sums of a layer table.

    >>> from nablab.models.language import parse
    >>> from nablab.models.shapes import trace
    >>> count(trace(parse("100-ReLU-K"), (1, 28, 28), 10))
    Cost(parameters=79510, macs=79400)
    """
    rows = tuple(rows)
    return Cost(sum(row.parameters for row in rows), sum(row.macs for row in rows))
