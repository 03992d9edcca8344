"""What a student wrote: which of the ✍ questions are answered, and in how many words. Never how well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nablab.grading.outline import Names, Place, headings_of
from nablab.grading.truths import Truths
from nablab.report.notebook_cells import Material, cells

#: How nablab begins the block that it leaves to the student.
_MARK = "✍ **Your answer**"


@dataclass(frozen=True)
class Answer:
    """The student's own words under one heading that nablab's notebook asks a question under.

    Attributes:
        heading: of the section.
        where: the cell of the words, or of the prompt where there are none; empty without either.
        words: of the student's own, here.
        different: of them.
        left: whether the prompt still stands there.
    """

    heading: str
    where: str
    words: int
    different: int
    left: bool

    def __str__(self) -> str:
        at = f" ({self.where})" if self.where else ""
        if not self.words:
            return f"{self.heading}: no answer; {'left as the prompt' if self.left else 'nothing there'}{at}"
        return f"{self.heading}: {self.words} words, {self.different} different{at}; quality not judged"


@dataclass(frozen=True)
class Named:
    """Where a student's sentences name a model, and how many words those paragraphs have."""

    where: str
    words: int


def find_answers(places: Sequence[Place], truths: Truths) -> tuple[Answer, ...]:
    """The answers to the questions that nablab's notebook asks, in its order."""
    generated = _Generated(truths)
    answers = []
    for heading in generated.asked:
        own: list[str] = []
        where, left = "", False
        for place in places:
            if place.cell.kind != "markdown" or _plain(heading) not in map(_plain, place.headings):
                continue
            words = _words(generated.own(place.cell.source))
            if words and not own:
                where = place.cell.where
            own += words
            if _MARK in place.cell.source:
                left, where = True, where or place.cell.where
        answers.append(Answer(heading, where, len(own), len({word.lower() for word in own}), left))
    return tuple(answers)


def find_named(places: Sequence[Place], truths: Truths, names: Names) -> dict[str, Named]:
    """By model, the student's paragraphs that name it."""
    generated = _Generated(truths)
    found: dict[str, Named] = {}
    for place in places:
        if place.cell.kind != "markdown":
            continue
        text = generated.own(place.cell.source)
        for paragraph in re.split(r"\n[ \t]*\n", text):
            labels = {label for _, _, label in names.found(paragraph)}
            if place.model:
                labels.add(place.model)
            for label in labels:
                before = found.get(label, Named(place.cell.where, 0))
                found[label] = Named(before.where, before.words + len(_words(paragraph)))
    return {label: named for label, named in found.items() if named.words}


class _Generated:
    """What nablab wrote itself, so that it is not taken for the student's."""

    def __init__(self, truths: Truths) -> None:
        self._lines: set[str] = set()
        self.asked: list[str] = []
        heading = ""
        for cell in cells(Material(truths.view, "", "", {}, {})):
            if cell.kind != "markdown":
                continue
            for level, text in headings_of(cell.source):
                heading = text if level == 2 else heading
            if _MARK in cell.source:
                self.asked.append(heading)
            self._lines |= {_plain(line) for line in cell.source.splitlines()}
        self._lines.discard("")

    def own(self, source: str) -> str:
        """A Markdown text without nablab's lines, and without headings."""
        kept = []
        for line in source.splitlines():
            line = line.replace(_MARK, "")
            bare = _plain(line)
            if not bare or bare in self._lines or line.lstrip().startswith("#"):
                kept.append("")
                continue
            question = next((q for q in self._lines if len(q) > 20 and bare.startswith(q)), "")
            kept.append(bare[len(question) :] if question else line)
        return "\n".join(kept)


def _plain(line: str) -> str:
    """A line without quotation marks, bullets, section numbers and letter case."""
    return " ".join(re.sub(r"^[\s>*-]+|^\d+\.\s", "", re.sub(r"[`*]", "", line)).lower().split())


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", text)
