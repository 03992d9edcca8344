"""Picture files that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from nablab.data.checks.finding import Finding
from nablab.data.checks.naming import portion
from nablab.data.checks.rule import Rule
from nablab.data.checks.survey import Survey


def find(survey: Survey) -> Iterator[Finding]:
    """One finding with all of them: training stops at the first."""
    if survey.broken:
        total = len(survey.broken) + len(survey.headers)
        yield Finding(
            RULE.name,
            "serious",
            f"{portion(len(survey.broken), total, 'picture files is/are')} not readable; "
            f"{survey.broken[0][1]}",
            "get them again or remove them; what follows is about the others",
            files=tuple(str(file) for file, _ in survey.broken),
        )


RULE = Rule("unreadable", "Can every picture file be read?", find)
