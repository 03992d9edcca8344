"""Rubrics: the default is the course's division, and a mistake in one is one line that names it."""

from __future__ import annotations

import pytest

from nablab.errors import UserError
from nablab.grading.marking import CRITERIA
from nablab.grading.rubric import default_rubric, parse_rubric, read_rubric

GOOD = 'title = "t"\n[[parts]]\nname = "p"\npoints = 3\n[parts.criteria]\ncurves = 1\n'


def test_the_default_is_5_2_and_3():
    rubric = default_rubric(CRITERIA)
    assert [part.points for part in rubric.parts] == [5, 2, 3]
    assert rubric.new_models == 3
    assert rubric.given_models == ("net_linear", "lenet_tiny", "lenet", "fashion_cnn")
    assert {name for part in rubric.parts for name in part.criteria} <= set(CRITERIA)


def test_every_criterion_says_what_it_is():
    assert all(measure.__doc__ for measure in CRITERIA.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "Invalid value"),
        ('title = "t"', "parts"),
        ('title = "t"\nparts = []', "no \\[\\[parts\\]\\]"),
        ("parts = 3", "title"),
        (GOOD.replace("title", "titel"), "'titel'; did you mean title"),
        (GOOD.replace("points", "pionts"), "'pionts'; did you mean points"),
        (GOOD.replace("curves", "curvs"), "'curvs'; did you mean curves"),
        (GOOD.replace("points = 3", 'points = "many"'), "parts.0.points"),
        (GOOD.replace("points = 3", "points = -1"), "-1 points"),
        (GOOD.replace("points = 3", "points = nan"), "nan points"),
        (GOOD.replace("curves = 1", "curves = 0"), "weight 0"),
        (GOOD.replace("curves = 1", ""), "no criteria"),
        ("new_models = -1\n" + GOOD, "new_models"),
    ],
)
def test_a_mistake_is_one_line(text, said):
    with pytest.raises(UserError, match=said) as error:
        parse_rubric(text, "mine.toml", CRITERIA)
    assert str(error.value).startswith("mine.toml")
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_rubric(tmp_path / "gone.toml", CRITERIA)
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"bad\.toml"):
        read_rubric(tmp_path / "bad.toml", CRITERIA)
