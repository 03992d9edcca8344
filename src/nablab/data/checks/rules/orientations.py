"""Upright and lying pictures side by side, and pictures that only EXIF turns upright."""

from __future__ import annotations

from collections.abc import Iterator

from nablab.data.checks.finding import Finding
from nablab.data.checks.naming import counted, portion
from nablab.data.checks.rule import Rule
from nablab.data.checks.survey import Survey


def find(survey: Survey) -> Iterator[Finding]:
    """Two notes: nablab applies EXIF, and what it cannot know is how else a picture was meant."""
    upright = [header for header in survey.headers if header.height > header.width]
    lying = [header for header in survey.headers if header.height < header.width]
    if upright and lying:
        fewer = min(upright, lying, key=len)
        yield Finding(
            RULE.name,
            "note",
            f"{counted(len(upright), 'picture is/are')} higher than wide, {len(lying):,} "
            f"{'is' if len(lying) == 1 else 'are'} wider than high",
            "look whether some lie on their side; --augmentation rotate:10 helps only a little there",
            files=tuple(str(header.path) for header in fewer),
        )
    turned = [header for header in survey.headers if header.turned]
    if turned:
        yield Finding(
            RULE.name,
            "note",
            f"{portion(len(turned), len(survey.headers), 'pictures is/are')} stored turned or mirrored",
            "nothing here: nablab goes by EXIF; other programs may not, so turn the files if you share them",
            files=tuple(str(header.path) for header in turned),
        )


RULE = Rule("orientations", "Do pictures stand and lie?", find)
