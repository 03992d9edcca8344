"""How a lab's exercises are declared, found and checked.

@exercise("c1", "Which learning rate is fastest?", asks="a number")
def c1(answer):
    return None if right(answer) else "one line: what is wrong, without what would be right"
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.lessons.catalog import Lesson, lesson

#: Looks at an answer: None when it is right, else one line that says what is wrong with it.
Checker = Callable[[Any], str | None]


@dataclass(frozen=True)
class Exercise:
    """A question of a lab.

    Attributes:
        name: the row that it belongs to, in lower case, and a letter where a row has several: `b6`, `a2b`.
        question: what is asked, in a line.
        asks: what an answer is: a number, an array, a function of ...
        look: what looks at an answer.
    """

    name: str
    question: str
    asks: str
    look: Checker

    @property
    def row(self) -> str:
        """The row of the document that it belongs to."""
        return row_of(self.name)


@dataclass(frozen=True)
class Verdict:
    """What a check found: true when the answer is right.

    Attributes:
        name: the exercise.
        problem: what is wrong, in a line; empty when nothing is.
    """

    name: str
    problem: str = ""

    def __bool__(self) -> bool:
        return not self.problem

    def __str__(self) -> str:
        return f"✗ {self.name}: {self.problem}" if self.problem else f"✓ {self.name}: right"

    def _ipython_display_(self) -> None:
        """Show nothing: as the last value of a cell it would repeat the line that `check` printed."""


_EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, question: str, *, asks: str) -> Callable[[Checker], Checker]:
    """Declare the decorated function as the check of an exercise.

    Raises:
        ValueError: no lab has a row of that name, or the name is taken.
    """
    row_of(name)

    def declare(look: Checker) -> Checker:
        taken = _EXERCISES.get(name)
        if taken is not None and taken.look.__module__ != look.__module__:
            raise ValueError(f"there are two exercises {name!r}")
        _EXERCISES[name] = Exercise(name, question, asks, look)
        return look

    return declare


def row_of(name: str) -> str:
    """The row of the document that an exercise of that name belongs to.

    >>> row_of("b6"), row_of("a2b"), row_of("e1b")
    ('B6', 'A2', 'E1b')
    """
    rows = {row.lower(): row for row in _lesson_of(name).rows}
    row = rows.get(name) or (rows.get(name[:-1]) if name[-1:].isalpha() else None)
    if row is None:
        raise ValueError(f"{name!r} names no row of lab {name[0]}: {', '.join(rows)}")
    return row


def exercises(letter: str) -> tuple[Exercise, ...]:
    """The exercises of a lab, in the order in which they are declared.

    Raises:
        UserError: there is no such lab.
    """
    letter = lesson(letter).letter
    home = f"nablab.lessons.exercises.{letter}"
    try:
        import_module(home)
    except ModuleNotFoundError as error:
        if error.name != home:
            raise
    return tuple(one for one in _EXERCISES.values() if one.name.startswith(letter))


def check(name: str, answer: Any) -> Verdict:
    """Look at an answer to an exercise: prints a line, and returns a verdict that is true when it is right.

    An answer is a value, an array, a function or a class, as the exercise asks. The line says what is wrong
    with a wrong one, not what would be right.

    Raises:
        UserError: there is no such exercise.
    """
    found = find(name)
    verdict = Verdict(found.name, _problem(found, answer))
    print(verdict)
    return verdict


def find(name: str) -> Exercise:
    """The exercise of that name, in either case.

    Raises:
        UserError: there is none.
    """
    known = {one.name: one for one in exercises(_lesson_of(name).letter)}
    found = known.get(name.lower())
    if found is None:
        hint = did_you_mean(name, known) if known else ""
        raise UserError(f"there is no exercise {name!r}{hint}")
    return found


def _problem(found: Exercise, answer: Any) -> str:
    """What is wrong with an answer; that it cannot be tried is one such thing."""
    if answer is None or answer is ...:
        return f"there is no answer yet; it asks for {found.asks}"
    try:
        with _generators_kept():
            return found.look(answer) or ""
    except Exception as error:
        said = " ".join(str(error).split())
        return f"trying it raised {type(error).__name__}: {said} (it asks for {found.asks})"


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Checks draw and set seeds: what a notebook draws after one is what it would have drawn without it."""
    import numpy as np

    torch: Any = sys.modules.get("torch")
    of_numpy, of_torch = np.random.get_state(), torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        if of_torch is not None:
            torch.set_rng_state(of_torch)


def _lesson_of(name: str) -> Lesson:
    return lesson(name[:1])
