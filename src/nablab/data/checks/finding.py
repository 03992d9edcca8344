"""What a rule found wrong with a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nablab.errors import UserError, did_you_mean

Part = Literal["train", "test"]

#: `serious`: results on this data cannot be trusted as they are; `warning`: they may be worse or better than
#: they should be; `note`: worth knowing.
Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")


@dataclass(frozen=True)
class Row:
    """One sample: `x_train[index]` or `x_test[index]` of the data set as it is here."""

    part: Part
    index: int


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with its evidence and what to do.

    Attributes:
        rule: the name of the rule that found it, as in `RULES`.
        severity: how much it matters.
        claim: what is wrong, in one sentence with its numbers.
        remedy: what to do, in one sentence.
        groups: the rows concerned, the worst first; rows that belong together (copies of one image) are in
            one group.
        captions: what is to be said of each group, or empty.
        files: picture files concerned, where that is known before they are rows.
    """

    rule: str
    severity: Severity
    claim: str
    remedy: str
    groups: tuple[tuple[Row, ...], ...] = ()
    captions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise UserError(f"no severity {self.severity!r}{did_you_mean(self.severity, SEVERITIES)}")
        if self.captions and len(self.captions) != len(self.groups):
            raise UserError(f"{self.rule}: {len(self.captions)} captions for {len(self.groups)} groups")

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows concerned, each once, training rows first, ascending."""
        unique = {row for group in self.groups for row in group}
        return tuple(sorted(unique, key=lambda row: (row.part == "test", row.index)))
