"""The way from a mirror to the data set of every source that is downloaded: stand-ins, a local server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data.sources import SOURCES, Source
from nablab.errors import CannotWrite, NablabError, UserError

StandIn = Web = Any  # of conftest.py
Way = Callable[..., Source]

DOWNLOADED = [name for name, source in SOURCES.items() if source.download is not None]


@pytest.fixture(params=DOWNLOADED)
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return str(request.param)


@pytest.fixture
def stand_in(name: str, stand_ins: dict[str, StandIn], web: Web) -> StandIn:
    stand_ins[name].write(web.folder)
    return stand_ins[name]


@pytest.fixture
def source(name: str, stand_in: StandIn, web: Web, monkeypatch: pytest.MonkeyPatch) -> Way:
    """The source, taking the stand-in for genuine, when given the ways of its mirrors."""

    def with_mirrors(*ways: str) -> Source:
        stand_in.install(monkeypatch, [way if "/" in way else f"{web.address}{way}/" for way in ways])
        return SOURCES[name]

    return with_mirrors


def kept(tmp_path: Path) -> list[str]:
    """The names of all files in the cache."""
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def assert_loads(source: Source, stand_in: StandIn) -> None:
    dataset = source.load()
    assert not dataset.is_slice
    for part, array in stand_in.arrays.items():
        np.testing.assert_array_equal(getattr(dataset, part), array)


def test_broken_mirrors_are_passed_by(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fetched = source("http://127.0.0.1:9/", "missing", "wrong", "short", "good")
    here = fetched.fetch(lambda *state: told.append(state))
    assert "in the cache" in here
    assert here == fetched.available()
    for file, content in stand_in.files.items():
        assert (file, len(content), len(content)) in told
    assert all(0 < done <= total for _, done, total in told)
    assert_loads(fetched, stand_in)
    parts = [f"{part}.npy" for part in stand_in.arrays]
    assert kept(tmp_path) == sorted([*stand_in.files, *parts, "decoded.json"])


def test_what_is_here_is_not_fetched_again(source: Way, stand_in: StandIn) -> None:
    source("good").fetch()
    assert_loads(source(), stand_in)
    assert "in the cache" in source().fetch()


def test_a_lost_decoded_copy_comes_from_the_download(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    source("good").fetch()
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.unlink()
    assert "as downloaded" in source().available()
    assert_loads(source(), stand_in)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == len(stand_in.arrays)


def test_a_lost_download_does_not_matter(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    source("good").fetch()
    for file in stand_in.files:
        next((tmp_path / "cache").rglob(file)).unlink()
    assert_loads(source(), stand_in)


def test_a_damaged_download_is_fetched_again(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    source("good").fetch()
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.unlink()
    for file in stand_in.files:
        path = next((tmp_path / "cache").rglob(file))
        path.write_bytes(path.read_bytes()[:-9])
    source("good").fetch()
    assert_loads(source(), stand_in)


def test_when_no_mirror_works_each_is_named_and_nothing_is_left(
    source: Way, stand_in: StandIn, tmp_path: Path
) -> None:
    with pytest.raises(NablabError) as caught:
        source("http://127.0.0.1:9/", "missing", "wrong", "short").fetch()
    message = str(caught.value)
    assert f"could not download {next(iter(stand_in.files))}" in message
    for reason in ("127.0.0.1:9: ConnectionError", "HTTP 404", "SHA-256 differs", "cut short"):
        assert reason in message
    assert "\n" not in message
    assert kept(tmp_path) == []


def test_an_interrupted_download_leaves_nothing_half(source: Way, tmp_path: Path) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        if done >= total // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source("stuck").fetch(interrupt)
    assert kept(tmp_path) == []


def test_a_cache_that_is_a_file_is_named(source: Way, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(CannotWrite, match="set NABLAB_CACHE"):
        source("good").fetch()


def test_files_that_a_person_got_are_taken_in(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    files = stand_in.write(tmp_path / "mine")
    told = source().take_in(files)
    assert told == source().available()
    assert "in the cache" in told
    assert_loads(source(), stand_in)
    for path in files:
        path.unlink()
    assert_loads(source(), stand_in)


def test_other_files_are_not_taken_in(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    files = stand_in.write(tmp_path / "mine")
    last = files[-1]
    whole = last.read_bytes()
    for content in (whole[:-9], b"", b"junk"):
        last.write_bytes(content)
        with pytest.raises(UserError, match=last.name):
            source().take_in(files)
    last.unlink()
    with pytest.raises(UserError, match=f"no such file or folder: .*{last.name}"):
        source().take_in(files)
    assert kept(tmp_path) == []


def test_taking_in_needs_a_cache(source: Way, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(CannotWrite):
        source().take_in(stand_in.write(tmp_path / "mine"))


def test_ctrl_c_stops_a_download_and_leaves_nothing(web: Web, tmp_path: Path) -> None:
    (web.folder / "file").write_bytes(bytes(100_000))
    script = """
import sys
from pathlib import Path
from nablab.data.fetch import download
download("file", "0" * 64, [sys.argv[1]], Path(sys.argv[2]), lambda *state: print(*state, flush=True))
"""
    started = subprocess.Popen(
        [sys.executable, "-c", script, f"{web.address}stuck/", str(tmp_path / "cache")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline().startswith("file ")  # it is on its way
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=20)
    assert "KeyboardInterrupt" in said
    assert kept(tmp_path) == []
