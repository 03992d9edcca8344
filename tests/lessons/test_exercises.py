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


def in_place(x: Any) -> Any:
    x += 2
    return 6 * x / x.size


def half_in_place(h: Any) -> Any:
    h *= h
    return (1 - h) / 2


def dropped_in_place(h: Any, p: float, rng: Any) -> Any:
    h *= rng.random(h.shape) >= p
    h /= 1 - p
    return h


def surprise_in_float32(classes: int) -> float:
    import torch

    return torch.nn.functional.cross_entropy(torch.zeros(1, classes), torch.tensor([0])).item()


def as_numpy(x: Any) -> Any:
    x.grad = None
    (3 * x.log()).sum().backward()
    return x.grad.numpy()


def zeroed(params: Any, lr: float) -> None:
    import torch

    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad.zero_()


def standardised_in_torch(train: Any, test: Any) -> Any:
    import torch

    train, test = torch.tensor(train), torch.tensor(test)
    mean, deviation = train.mean(), train.std()  # over n - 1
    return (train - mean) / deviation, (test - mean) / deviation


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("a1", in_place),
        ("b5", half_in_place),
        ("b12", dropped_in_place),
        ("d5c", surprise_in_float32),
        ("b9", as_numpy),
        ("d4", zeroed),
        ("a5", standardised_in_torch),
        ("c1b", lambda x: np.float32(0.5) / np.float32(x @ x)),
    ],
)
def test_a_right_answer_of_another_kind_passes(name: str, answer: Any) -> None:
    verdict = lessons.check(name, answer)
    assert verdict, verdict.problem


def unlucky_and_right() -> Any:
    """A class whose first network happens to say nothing negative; the others may."""
    import torch

    right, made = solutions("e").e4(), []

    def make(*given: Any, **more: Any) -> Any:
        net = right(*given, **more)
        made.append(net)
        if len(made) == 7:  # the first whose scores are looked at
            with torch.no_grad():
                list(net.parameters())[-1].fill_(100)
        return net

    return make


def test_a_right_class_is_not_refused_by_chance() -> None:
    verdict = lessons.check("e4", unlucky_and_right())
    assert verdict, verdict.problem


def test_what_is_wrong_is_said_as_it_is() -> None:
    def rows(W: Any, b: Any, x: Any, y: Any) -> Any:
        dW, db = solutions("a").a3()(W, b, x, y)
        return dW, db[None]

    assert "db has shape (1, 3), b (3,)" in lessons.check("a3", rows).problem

    def masks(y: Any, share: float, seed: int) -> Any:
        held = np.random.default_rng(seed).random(len(y)) < share
        return ~held, held

    assert "row numbers are asked for" in lessons.check("c3", masks).problem


def test_a_generator_that_never_ends_is_refused() -> None:
    def endless(count: int, size: int, rng: Any) -> Any:
        while True:
            yield rng.integers(0, count, size)

    assert "rows are missing" in lessons.check("e3", endless).problem


def test_a_check_leaves_the_generators_as_they_were() -> None:
    import torch

    torch.manual_seed(3)
    np.random.seed(3)
    wanted = torch.rand(1).item(), np.random.random()
    torch.manual_seed(3)
    np.random.seed(3)
    for name in ("e4", "d1b", "b10b"):
        lessons.check(name, getattr(solutions(name[0]), name)())
    assert (torch.rand(1).item(), np.random.random()) == wanted


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
