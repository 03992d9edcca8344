"""What a lab holds against what should be, in every way that it can be given."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nablab import autograd, lessons
from nablab.errors import UserError
from nablab.lessons.figures import MODE, Lab


@pytest.fixture
def lab() -> Lab:
    return lessons.begin("a")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (4.5, 4.5),
        (6, 6),
        (np.full((2, 2), 4.5), 4.5),
        ([1, 2, 3], [1, 2, 3]),
        (torch.ones(2, requires_grad=True), 1),
        (autograd.ones(2, requires_grad=True), [1, 1]),
        (True, True),
        ("AddBackward", "AddBackward"),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
    ],
)
def test_what_is_as_expected_is_met(lab: Lab, found, expected, capsys) -> None:
    lab.figure("A1", "a thing", found, expected=expected)
    assert capsys.readouterr().out.startswith("✓ A1  a thing: ")
    assert lab.figures[0].met


@pytest.mark.parametrize(
    ("found", "bounds"),
    [
        (4.5000001, {"expected": 4.5}),
        ([1, 2, 4], {"expected": [1, 2, 3]}),
        (math.nan, {"expected": 1, "tolerance": math.inf}),
        (math.nan, {"between": (-math.inf, math.inf)}),
        ([4, math.nan], {"between": (0, 9)}),
        ([], {"expected": 1}),
        ([], {"between": (0, 1)}),
        ("Add", {"expected": "AddBackward"}),
        (True, {"expected": 1}),
        (False, {"expected": True}),
        (87.01, {"between": (80, 87)}),
        ([80, 79.9], {"between": (80, 87)}),
        (1.11, {"expected": 1, "tolerance": 0.1}),
    ],
)
def test_what_is_not_raises_and_names_row_found_and_expected(lab: Lab, found, bounds) -> None:
    with pytest.raises(AssertionError, match=r"^A7 accuracy: found .*, expected ."):
        lab.figure("A7", "accuracy", found, **bounds)
    assert not lab.figures[0].met


def test_ranges_and_tolerances_include_their_ends(lab: Lab) -> None:
    lab.figure("A7", "least", 80, between=(80, 87))
    lab.figure("A7", "greatest", 87, between=(80, 87))
    lab.figure("A7", "no end", 1e9, between=(80, math.inf))
    lab.figure("A7", "near", 1.25, expected=1, tolerance=0.25)
    assert [figure.expected for figure in lab.figures] == ["80 to 87", "80 to 87", "at least 80", "1 ± 0.25"]


def test_a_line_says_what_was_published_and_on_which_data(lab: Lab, capsys) -> None:
    lab.figure("A7", "accuracy in %", 83.9, between=(80, 87), published=83.7, on="a tenth", note="As it is.")
    assert capsys.readouterr().out == (
        "✓ A7  accuracy in %: 83.9 (expected 80 to 87, published 83.7, on a tenth). As it is.\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.333333"),
        (431080, "431,080"),
        (2.5e-9, "2.5e-09"),
        (np.full((2, 3), 4.5), "4.5 (2×3)"),
        ([1, 1], "1 (2 of them)"),
        ([1, 2.5], "[1, 2.5]"),
        (np.arange(100), "0 to 99 (100 of them)"),
        ([True, False], "[True, False]"),
        (math.inf, "inf"),
    ],
)
def test_values_in_words(lab: Lab, value, text: str) -> None:
    lab.figure("A1", "value", value, expected=value)
    assert lab.figures[0].found == text


def test_a_figure_that_is_held_again_counts_once(lab: Lab) -> None:
    for steps in (2, 3):
        lab.figure("A1", "steps", steps, expected=steps)
    assert [figure.found for figure in lab.figures] == ["3"]


def test_the_summary_follows_the_document(lab: Lab, capsys) -> None:
    lab.shown("A9", "curves")
    lab.figure("A1", "one", 1, expected=1)
    capsys.readouterr()
    lab.summary()
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["A1", "A9"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lab: lab.figure("A99", "x", 1, expected=1),
        lambda lab: lab.shown("B1", "x"),
        lambda lab: lab.figure("A1", "x", 1),
        lambda lab: lab.figure("A1", "x", 1, expected=1, between=(0, 1)),
    ],
)
def test_mistakes_of_an_author_are_told(lab: Lab, wrong) -> None:
    with pytest.raises(UserError):
        wrong(lab)
    assert lab.figures == ()


def test_the_mode_comes_from_the_environment(monkeypatch) -> None:
    monkeypatch.delenv(MODE, raising=False)
    assert lessons.begin("b").quick
    monkeypatch.setenv(MODE, "full")
    lab = lessons.begin("B")
    assert (lab.full, lab.quick, lab.lesson.letter) == (True, False, "b")
    monkeypatch.setenv(MODE, "fast")
    with pytest.raises(UserError, match="NABLAB_LAB is 'fast'"):
        lessons.begin("b")
    monkeypatch.delenv(MODE)
    with pytest.raises(UserError, match="no lab 'z'"):
        lessons.begin("z")
