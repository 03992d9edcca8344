"""Which runs may be ranked together, and how one exam is chosen among several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nablab.analysis.exams import choose, exam_of
from nablab.errors import UserError
from nablab.runs.store import RunFolder

PRINT = "ae0f9751" + "0" * 56


def found(test_fraction: float) -> Any:
    """A run, as far as its exam goes."""
    data = SimpleNamespace(
        name="drawn", fingerprint=PRINT, test_fraction=test_fraction, n_test=round(100 * test_fraction)
    )
    record = SimpleNamespace(data=data, recipe={"split_seed": 0})
    return RunFolder(Path("results") / f"run-{test_fraction}"), record


def test_all_test_images_can_be_chosen_beside_some_of_them() -> None:
    both = [found(0.1), found(1.0)]
    assert [exam_of(record).id for _, record in both] == ["ae0f9751/0.1/0", "ae0f9751"]
    assert choose(both, "ae0f9751") == [both[1]]
    assert choose(both, "ae0f9751/0.1/0") == [both[0]]
    for wanted in (None, "drawn", "ae0f"):
        with pytest.raises(UserError, match="cannot be ranked together"):
            choose(both, wanted)
