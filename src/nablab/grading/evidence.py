"""Everything about one delivery that marks are given by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nablab.grading.explanations import Answer, Named
from nablab.grading.pieces import Pieces
from nablab.grading.rubric import Rubric
from nablab.grading.truths import Truths
from nablab.grading.verdict import Finding
from nablab.models.catalog import find
from nablab.report.view_types import SectionView


@dataclass(frozen=True)
class Evidence:
    """What was found out, before it is marked.

    Attributes:
        truths: the runs, redone.
        pieces: of the notebook, and where.
        answers: to nablab's questions.
        named: the student's paragraphs about each model.
        findings: so far: about order, records, data, numbers, pictures.
        broken: labels of models whose records do not hold, and of which runs.
        numbers: that were looked at.
        asked: runs whose weights were asked about the test images again, and of how many.
    """

    rubric: Rubric
    truths: Truths
    pieces: Pieces
    answers: tuple[Answer, ...]
    named: Mapping[str, Named]
    findings: tuple[Finding, ...]
    broken: Mapping[str, str]
    numbers: int
    asked: tuple[int, int] = (0, 0)

    @property
    def sections(self) -> tuple[SectionView, ...]:
        return self.truths.view.sections

    def given(self) -> dict[str, str]:
        """By catalog name that the rubric asks for, the label it was trained under; empty for none."""
        return {
            name: next((s.label for s in self.sections if is_given(s, name)), "")
            for name in self.rubric.given_models
        }

    def new(self) -> tuple[str, ...]:
        """The student's own: networks and modules (and heads on frozen backbones) that are not given."""
        return tuple(
            section.label
            for section in self.sections
            if (section.kind != "estimator" or section.reference.startswith("features:"))
            and not any(is_given(section, name) for name in self.rubric.given_models)
        )

    def trained(self, label: str) -> str:
        """Why a model does not count as trained; empty where it does."""
        if label in self.broken:
            return f"not counted: {self.broken[label]}"
        done = {run.fraction for run in self.truths.results.done(label)}
        if not done:
            return "no run of it finished"
        missing = [f for f in self.rubric.fractions if f not in done]
        return f"not trained at {', '.join(f'{100 * f:g} %' for f in missing)}" if missing else ""


def is_given(section: SectionView, name: str) -> bool:
    """Whether a model is the one that the catalog has under this name, or one of the student's called so.

    A network whose layers are known to be others is not, whatever it is called.
    """
    entry = find(name)
    if entry is not None and section.spec is not None:
        return section.spec == str(entry.spec)
    return section.label == name
