"""The cache folder: the user's choice, else the platform's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pooch
import pytest

from nablab.data.cache import cache_folder


def test_the_users_choice_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NABLAB_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


@pytest.mark.parametrize("folder", [None, "", " ", "/somewhere"])
def test_otherwise_it_is_where_pooch_would_put_it(
    folder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NABLAB_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if folder is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
    assert cache_folder() == Path(pooch.os_cache("nablab"))


def test_a_load_from_the_cache_imports_nothing_that_downloads() -> None:
    heavy = ("pooch", "requests", "urllib3", "email", "PIL", "sklearn")
    script = (
        "import sys; from nablab.data.sources import fashion_mnist; fashion_mnist.load_slice()\n"
        f"print(*sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
