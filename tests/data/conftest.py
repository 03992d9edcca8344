"""Tests of data use a cache of their own, never the user's."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NABLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
