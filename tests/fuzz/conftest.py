"""One worker for all tests: it begins once, and another takes its place where it dies."""

from collections.abc import Iterator

import pytest

from .pool import Worker


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker() as begun:
        yield begun
