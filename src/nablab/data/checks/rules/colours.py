"""Grey pictures among coloured ones, which may tell the class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.data.checks.chance import beyond_chance
from nablab.data.checks.finding import Finding
from nablab.data.checks.naming import percent, portion
from nablab.data.checks.rule import Rule
from nablab.data.checks.survey import Survey

#: How much more often, in points, one class may be grey than another before colour tells the class.
TELLING = 0.2


def find(survey: Survey) -> Iterator[Finding]:
    """A warning where grey is much more frequent in one class than in another; else a note.

    Grey is what the file says it is: a grey picture saved in colour counts as coloured.
    """
    grey = np.array([header.is_grey for header in survey.headers], dtype=np.bool_)
    if not grey.any() or grey.all():
        return
    classes, labels = survey.listing.classes, survey.labels
    counts = np.stack([np.bincount(labels[kind], minlength=len(classes)) for kind in (grey, ~grey)])
    present = np.flatnonzero(counts.sum(axis=0))
    shares = counts[0, present] / counts[:, present].sum(axis=0)
    most, least = present[shares.argmax()], present[shares.argmin()]
    telling = shares.max() - shares.min() >= TELLING and beyond_chance(counts)
    fewer = grey if grey.mean() <= 0.5 else ~grey
    yield Finding(
        RULE.name,
        "warning" if telling else "note",
        f"{portion(int(grey.sum()), len(grey), 'pictures is/are')} grey and the others coloured "
        f"({classes[most]}: {percent(shares.max(), 0)} grey, {classes[least]}: {percent(shares.min(), 0)})",
        "read all as grey with --color grey" + (": now a network may tell classes by it" if telling else ""),
        files=tuple(str(survey.headers[row].path) for row in np.flatnonzero(fewer)),
    )


RULE = Rule("colours", "Are grey pictures mixed with coloured ones?", find)
