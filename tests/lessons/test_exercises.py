"""Every exercise of every lab: its solution passes, mistakes do not, and no refusal gives the answer."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nablab import lessons
from nablab.errors import UserError
from nablab.lessons import LESSONS
from nablab.lessons.exercises import register
from nablab.lessons.exercises.register import Exercise, exercise, exercises, row_of

ALL = [one for lesson in LESSONS for one in exercises(lesson.letter)]


@cache
def solutions(letter: str) -> ModuleType:
    return import_module(f"nablab.lessons.solutions.{letter}")


def named(value: Any) -> str:
    return value.name if isinstance(value, Exercise) else str(value)


@pytest.mark.parametrize("letter", [lesson.letter for lesson in LESSONS])
def test_every_lab_has_exercises_and_solutions_for_just_those(letter: str) -> None:
    names = {one.name for one in exercises(letter)}
    solved = {
        name
        for name, value in vars(solutions(letter)).items()
        if callable(value) and re.fullmatch(rf"{letter}\d+[a-z]?", name)
    }
    assert names, "it has no exercise"
    assert solved == names == set(solutions(letter).wrong)


@pytest.mark.parametrize("one", ALL, ids=named)
def test_the_solution_passes(one: Exercise) -> None:
    verdict = lessons.check(one.name, getattr(solutions(one.name[0]), one.name)())
    assert verdict, verdict.problem


@pytest.mark.parametrize("one", ALL, ids=named)
def test_an_exercise_says_what_it_asks_for_and_refuses_several_mistakes(one: Exercise) -> None:
    assert one.question.strip()
    assert one.asks.strip()
    assert len(solutions(one.name[0]).wrong[one.name]) >= 2


@pytest.mark.parametrize("one", ALL, ids=named)
def test_mistakes_are_refused_in_a_line_that_does_not_give_the_answer(one: Exercise) -> None:
    kept = solutions(one.name[0])
    for number, wrong in enumerate(kept.wrong[one.name]):
        verdict = lessons.check(one.name, wrong)
        assert not verdict, f"mistake {number} passes"
        assert "\n" not in verdict.problem
        assert len(verdict.problem) > 10
        assert not gives_away(verdict.problem, getattr(kept, one.name)()), verdict.problem


def gives_away(problem: str, answer: Any) -> bool:
    """Whether a number or a text that is the answer stands in the line."""
    if isinstance(answer, str):
        return answer.lower() in problem.lower()
    if isinstance(answer, bool) or not np.isscalar(answer):
        return False
    numbers = re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", problem)
    return any(float(number.replace(",", "")) == float(answer) for number in numbers)


def test_a_line_that_gives_the_answer_is_found() -> None:
    assert gives_away("it is 46,258, not less", 46258)
    assert gives_away("the right name is LeNet", "lenet")
    assert not gives_away("too large by 46", 46258)
    assert not gives_away("in layer conv2", 2)


@pytest.mark.parametrize("one", ALL, ids=named)
@pytest.mark.parametrize(
    "nonsense", [None, ..., "", "no answer", -1e9, [], object(), lambda *a, **k: None, type("T", (), {})]
)
def test_nonsense_is_refused_and_never_raises(one: Exercise, nonsense: Any) -> None:
    assert not lessons.check(one.name, nonsense)


def test_an_answer_that_cannot_be_tried_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setattr(register, "_EXERCISES", dict(register._EXERCISES))

    @exercise("d5z", "What?", asks="a function")
    def d5z(answer: Any) -> str | None:
        answer(1)
        return None

    assert not lessons.check("d5z", lambda: 0)
    assert "trying it raised TypeError" in capsys.readouterr().out
    assert lessons.check("D5Z", lambda x: x)


def test_a_verdict_is_said_once(capsys) -> None:
    verdict = lessons.check(ALL[0].name, ...)
    said = capsys.readouterr().out
    assert said == f"{verdict}\n"
    assert "there is no answer yet" in said
    verdict._ipython_display_()
    assert capsys.readouterr().out == ""


def test_names_lead_to_rows() -> None:
    assert [row_of(name) for name in ("a1", "a10", "a2b", "e1b", "c6")] == ["A1", "A10", "A2", "E1b", "C6"]
    for wrong in ("a14", "c7", "b"):
        with pytest.raises(ValueError, match="names no row"):
            row_of(wrong)


def test_two_exercises_do_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="two exercises"):
        exercise(ALL[0].name, "Again?", asks="a number")(lambda answer: None)


@pytest.mark.parametrize("name", ["c99", "z1", "", "nothing"])
def test_an_unknown_exercise_is_the_users_mistake(name: str) -> None:
    with pytest.raises(UserError):
        lessons.check(name, 1)
