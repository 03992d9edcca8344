"""The verdict, as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    """Why a gradient is wrong.

    Attributes:
        code: `factor`, `zero`, `activation`, `output`, `carried back`, `incoming`, `follows`, `transposed`,
            `reshaped`, `flipped`, `swapped`, `absolute`, `clipped`, `uniform`, `stepped`, `penalty`,
            `entries`, `samples`, `mixed`, `shape`, `missing`, `not finite` or `unrelated`.
        text: one sentence for people.
        factor: claimed = factor x right, where that is the cause.
    """

    code: str
    text: str
    factor: float | None = None


@dataclass(frozen=True)
class Finding:
    """The verdict on one parameter.

    Attributes:
        name: of the parameter.
        shape: its shape.
        right: whether claim and central differences agree.
        relative_error: |claimed - measured| / max of both, Euclidean; None without a claim to compare.
        cosine: of the angle between them; None where one is zero.
        compared: entries that were measured one by one.
        kinks: entries set aside, since the loss has a kink there.
        cause: why it is wrong; None where it is right.
        remark: what else is to be known of a right one; empty for nothing.
    """

    name: str
    shape: tuple[int, ...]
    right: bool
    relative_error: float | None
    cosine: float | None
    compared: int
    kinks: int = 0
    cause: Cause | None = None
    remark: str = ""

    @property
    def text(self) -> str:
        """The verdict in words."""
        return (
            f"wrong: {self.cause.text}" if self.cause else "; ".join(("right", *filter(None, [self.remark])))
        )


@dataclass(frozen=True)
class CourtReport:
    """The verdicts on all parameters.

    Attributes:
        findings: one for each parameter, in their order.
        loss: at the point where the gradient was tried.
        step: of the central differences.
        single: whether the loss is computed in single precision, which hides errors below about 0.1 %.
        notes: what holds for all of them.
    """

    findings: tuple[Finding, ...]
    loss: float
    step: float
    single: bool = False
    notes: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether every parameter's gradient is right."""
        return all(finding.right for finding in self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that are not right."""
        return tuple(finding for finding in self.findings if not finding.right)

    @property
    def summary(self) -> str:
        """The verdict in a line."""
        count = len(self.findings)
        if self.right:
            return "the gradient is right" + (f" for all {count} parameters" if count > 1 else "")
        names = ", ".join(finding.name for finding in self.wrong)
        return f"the gradient is wrong for {names} ({len(self.wrong)} of {count} parameters)"

    def __getitem__(self, name: str) -> Finding:
        """The finding of a parameter, by its name."""
        return {finding.name: finding for finding in self.findings}[name]

    def document(self) -> dict[str, Any]:
        """As plain data, for JSON; what is not a finite number is null."""
        return {
            "right": self.right,
            "summary": self.summary,
            "loss": self.loss,
            "step": self.step,
            "single_precision": self.single,
            "notes": list(self.notes),
            "parameters": [_finite(asdict(f) | {"text": f.text}) for f in self.findings],
        }

    def __str__(self) -> str:
        width = max(len(finding.name) for finding in self.findings)
        lines = [f"{finding.name:<{width}}  {finding.text}" for finding in self.findings]
        return "\n".join([self.summary, *lines, *self.notes])


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }
