"""Estimators as text: what is read, what is refused, and that nothing is run."""

from __future__ import annotations

import contextlib
import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nablab.errors import UserError
from nablab.models.estimator_text import MOST, Choices, EstimatorText, expand, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("True", True),
        ("None", None),
        ("poly", "poly"),
        ("'poly'", "poly"),
        ("newton-cg", "newton-cg"),
        ("one-vs-rest", "one-vs-rest"),
        ("[100, 50]", [100, 50]),
        ("(100,)", (100,)),
        ("{0: 1, a: 2.5}", {0: 1, "a": 2.5}),
        ("1|10|100", Choices((1, 10, 100))),
        ("newton-cg|lbfgs", Choices(("newton-cg", "lbfgs"))),
        ("sklearn.a.B(x=1)", EstimatorText("sklearn.a.B", (("x", 1),))),
        ("[(a, sklearn.a.B())]", [("a", EstimatorText("sklearn.a.B"))]),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read(f"sklearn.x.Y(key={text})") == EstimatorText("sklearn.x.Y", (("key", value),))


def test_what_is_printed_is_read_back() -> None:
    text = read("sklearn.x.Y(a=1|2, b=[1, (2,)], c={0: z}, d=None, e=newton-cg, f=w)")
    assert read(f"sklearn.x.{text}") == text


@pytest.mark.parametrize(
    "value",
    [
        "__import__('os').system('touch x')",
        "(lambda: 1)()",
        "[x for x in y]",
        "1 + 2",
        "9**9**9",
        "a[0]",
        "f'{x}'",
        "(a := 1)",
        "b'x'",
        "1j",
        "...",
        "{**a}",
        "{[1]: 2}",
        "1-a",
        "a if b else c",
        "not True",
        "*a",
    ],
)
def test_what_is_no_value_is_refused(value: str) -> None:
    with pytest.raises(UserError):
        read(f"sklearn.x.Y(key={value})")


@pytest.mark.parametrize(
    "text",
    ["sklearn.x.Y(", "sklearn.x.Y(1)", "sklearn.x.Y(a=1,a=2)", "sklearn.x.Y(**a)", "sklearn.x.Y(a=1)(b=2)",
     "3", "sklearn.x.Y(a=1); import os", "sklearn.x.Y(a=1", "", "\x00",
     "sklearn.x.Y(a=" + "(" * 1500, "a" * 2001],
)  # fmt: skip
def test_what_is_no_estimator_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read(text)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet=string.ascii_letters + "_.()[]{}=,|-'\"0123456789 :*", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    modules = set(sys.modules)
    with contextlib.suppress(UserError):
        read(f"sklearn.svm.SVC({text})")
    assert set(sys.modules) == modules


def test_choices_are_expanded_inside_of_everything() -> None:
    text = read("sklearn.m.O(estimator=sklearn.l.L(C=1|2),k=[a|b])")
    assert [str(one) for one in expand(text)] == [
        "O(estimator=L(C=1), k=[a])",
        "O(estimator=L(C=1), k=[b])",
        "O(estimator=L(C=2), k=[a])",
        "O(estimator=L(C=2), k=[b])",
    ]


def test_choices_are_expanded_inside_of_a_dictionary() -> None:
    text = read("sklearn.svm.SVC(class_weight={0: 1|2, 1: 3|4|5})")
    assert len(expand(text)) == 6
    assert str(expand(text)[1]) == "SVC(class_weight={0: 1, 1: 4})"
    many = ", ".join(f"{key}: 1|2" for key in range(7))
    with pytest.raises(UserError, match="128 combinations"):
        expand(read(f"sklearn.svm.SVC(class_weight={{{many}}})"))


def test_too_many_combinations_are_refused_before_they_are_made() -> None:
    many = "|".join(map(str, range(11)))
    with pytest.raises(UserError, match=rf"1331 combinations.*at most {MOST}"):
        expand(read(f"sklearn.x.Y(a={many},b={many},c={many})"))
