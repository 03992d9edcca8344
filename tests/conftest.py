"""Results that several tests read: trained once a process, on scikit-learn's digits."""

from __future__ import annotations

from pathlib import Path

import pytest


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
