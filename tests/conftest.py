"""Results that several tests read: trained once a process, on scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests name is kept apart from what the user of this account did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def digits_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison: two networks and nearest neighbours, one fraction, two seeds.

    Tests read it and don't change it; those that must, copy it first.
    """
    import nablab

    folder = tmp_path_factory.mktemp("digits") / "results"
    nablab.compare(
        ["net_linear", "mlp", "knn"],
        "digits",
        seeds=2,
        epochs=2,
        jobs=1,
        threads=1,
        out=folder,
        progress=False,
    )
    return folder
