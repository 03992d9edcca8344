from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nablab.api.planning import Request, default_folder, make_plan, read_duration, reserved
from nablab.errors import UserError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("2m5s", 125),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "ten", "10 m", "m", "-5", "0", "5d", "1h30", -1, True, float("inf"), "1m1h"]
)
def test_what_is_not_a_duration(text: str | float) -> None:
    with pytest.raises(UserError, match="write 90s, 10m or 1h30m"):
        read_duration(text)


def test_two_that_begin_in_the_same_second_have_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan(Request(["net_linear"], "digits"))
    outs = [reserved(plan).out for _ in range(3)]
    assert outs == [plan.out, Path(f"{plan.out}-2"), Path(f"{plan.out}-3")]
    assert all(out.is_dir() for out in outs)


def test_default_folders_are_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_folder("digits", ["lenet"])
    first.mkdir(parents=True)
    second = default_folder("digits", ["lenet"])
    assert first.parent == Path("runs")
    assert first.name.endswith("-lenet")
    assert not second.exists()
    assert default_folder("digits", ["a", "b"]).name.endswith("-digits")
    assert default_folder("digits", ["nets/a.py:Net"]).name.endswith("-nets_a.py_Net")


def test_numbers_may_be_numpy_s_and_one_fraction_alone(tmp_path: Path) -> None:
    def planned(**asked: object) -> tuple[tuple[float, ...], tuple[int, ...]]:
        plan = make_plan(Request(["K"], "digits", out=tmp_path / "out", **asked))  # type: ignore[arg-type]
        return plan.fractions, plan.seeds

    assert planned(fractions=0.5, seeds=np.int64(2)) == ((0.5,), (0, 1))
    assert planned(fractions=np.array([0.1, 0.5]), seeds=np.arange(1, 3)) == ((0.1, 0.5), (1, 2))
    for asked in ({"fractions": "0.1"}, {"seeds": 3.0}, {"seeds": "3"}):
        with pytest.raises(UserError, match=repr(next(iter(asked.values())))):
            planned(**asked)
