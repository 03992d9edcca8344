"""What stands several times in a row: nothing is lost, nothing that differs is joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nablab.models.catalog import CATALOG
from nablab.models.language import parse
from nablab.models.printing import short_text, to_text
from nablab.models.repeats import repeats


def never(_: str) -> bool:
    return False


@given(st.text("ab", max_size=24), st.integers(2, 4))
def test_the_stretches_are_the_sequence(text: str, least: int) -> None:
    found = repeats(text, leads=lambda letter: letter == "b", least=least)
    assert "".join(times * str(stretch) for stretch, times in found) == text
    assert all(times == 1 or times >= least for _, times in found)
    assert all(len(stretch) == 1 for stretch, times in found if times == 1)


@given(st.text("abc", min_size=1, max_size=4), st.integers(3, 9))
def test_a_repeat_is_found_whole(unit: str, times: int) -> None:
    ((stretch, found),) = repeats(unit * times, leads=never)
    assert len(stretch) * found == len(unit) * times
    assert len(stretch) <= len(unit)


@pytest.mark.parametrize(
    ("text", "leads", "expected"),
    [
        ("", "", []),
        ("aab", "", [("a", 1), ("a", 1), ("b", 1)]),
        ("xaaay", "", [("x", 1), ("a", 3), ("y", 1)]),
        ("rBrBrBrx", "B", [("r", 1), ("Br", 3), ("x", 1)]),  # rB three times would leave an r behind
        ("BrBrBrBx", "B", [("Br", 3), ("B", 1), ("x", 1)]),
        ("abababa", "", [("ab", 3), ("a", 1)]),  # nothing leads: from the first on
        ("ababab", "b", [("ab", 3)]),  # to begin at b would cost a repeat
        ("aaabaaabaaab", "", [("aaab", 3)]),
    ],
)
def test_cases(text: str, leads: str, expected: list[tuple[str, int]]) -> None:
    assert repeats(text, leads=lambda letter: letter in leads) == expected


@pytest.mark.parametrize("name", CATALOG)
def test_short_texts_mean_the_same_network(name: str) -> None:
    spec = CATALOG[name].spec
    assert parse(short_text(spec)) == spec
    assert len(short_text(spec)) <= len(to_text(spec))


@pytest.mark.parametrize(
    "text",
    [
        "3x100-K",
        "3x(100-ReLU)-K",
        "8C3-ReLU-4x(Res(3x(8C3-ReLU)|8C1)-ReLU)-K",
        "8C3-ReLU-100-ReLU-100-ReLU-K",
        "5xRes(3xTanh)-K",
    ],
)
def test_short_texts_are_what_people_write(text: str) -> None:
    assert short_text(parse(text)) == text


def test_the_short_text_of_a_deep_network_is_short() -> None:
    assert len(short_text(CATALOG["wrn_40_4"].spec)) < 400 < 900 < len(to_text(CATALOG["wrn_40_4"].spec))
