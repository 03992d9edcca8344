"""Pictures of different sizes and shapes, which --size brings to one square."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.finding import Finding
from nablab.data.checks.rule import Rule
from nablab.data.checks.survey import Survey

#: How much wider, for its height, one picture may be than another before squeezing both is a warning.
SQUEEZED = 1.25


def find(survey: Survey) -> Iterator[Finding]:
    """A note; a warning where the widest twentieth is 1.25 times as wide for its height as the narrowest."""
    if survey.one_size:
        return
    sizes = np.array([(header.width, header.height) for header in survey.headers])
    aspect = sizes[:, 0] / sizes[:, 1]
    kinds = len(np.unique(sizes, axis=0))
    narrow, wide = np.quantile(aspect, [0.05, 0.95])
    by_area = np.argsort(sizes.prod(axis=1), kind="stable")
    small, large = sizes[by_area[0]], sizes[by_area[-1]]
    yield Finding(
        RULE.name,
        "warning" if wide / narrow > SQUEEZED else "note",
        f"{len(sizes):,} pictures come in {kinds:,} sizes, from {small[0]}x{small[1]} to "
        f"{large[0]}x{large[1]} pixels, {aspect.min():.2f} to {aspect.max():.2f} times as wide as high",
        "--size brings all to one square, squeezing what is none; cut them to one shape first if it matters",
        files=tuple(str(survey.headers[row].path) for row in (by_area[0], by_area[-1])),
    )


RULE = Rule("sizes", "Do pictures differ in size?", find)
