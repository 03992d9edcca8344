"""The images that a delivery's records are about, where they are here: what was answered is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.sources import SOURCES, fashion_mnist, mnist
from nablab.errors import NablabError
from nablab.grading.verdict import Finding, plain
from nablab.runs.record import DataRecord, RunRecord


def find_images(
    data: DataRecord, given: Dataset | None = None
) -> tuple[Dataset | None, list[Finding], list[str]]:
    """The data set of records, findings about it, and notes.

    Only known sources are looked up by the name that a record holds: a path in someone's record is not
    followed. The full set and the slice of a source are both tried.

    Args:
        given: what the person who checks says it is (`--data`).
    """
    name = data.name if data.name in SOURCES else data.reference
    candidates = [given] if given is not None else _of_source(name)
    for dataset in candidates:
        if dataset.fingerprint == data.fingerprint:
            return dataset, [], []
    if not candidates:
        return None, [], [
            f"the images ({plain(data.name, 60)}) are not here, so no model was asked again: --data"
        ]  # fmt: skip
    if given is None and all(_is_another_form(dataset, data) for dataset in candidates):
        there, here = plain(data.source, 120), plain(candidates[0].source, 120)
        note = f"its images ({there}) are not here, only {here}: no model was asked again; nablab data fetch"
        return None, [], [note]
    here = " or ".join(dataset.fingerprint[:16] for dataset in candidates)
    return None, [
        Finding(
            "data", "records",
            f"fingerprint {plain(data.fingerprint[:16])} of {plain(data.name, 60)} is not that of the images "
            f"here ({here}): trained and measured on other data, or changed",
        )
    ], []  # fmt: skip


def _is_another_form(dataset: Dataset, data: DataRecord) -> bool:
    """Whether a data set is a slice, or has not as many images as the one that was trained on."""
    return dataset.is_slice or len(dataset.x_train) != data.train_total


def _of_source(name: str) -> list[Dataset]:
    """The forms of a known source that are here: as it loads, and its slice beside the full set."""
    if name not in SOURCES:
        return []
    found = []
    try:
        found.append(SOURCES[name].load())
        if name == "fashion-mnist" and not found[0].is_slice:
            found.append(fashion_mnist.load_slice())
        if name == "mnist" and (digits := mnist.load_digits()) is not None:
            found.append(digits)
    except NablabError:
        pass  # not here: the caller says so
    return found


def check_same_data(records: Sequence[RunRecord]) -> list[Finding]:
    """Findings where runs of one delivery are on different data."""
    prints = sorted({record.data.fingerprint for record in records})
    if len(prints) < 2:
        return []
    kinds = ", ".join(plain(one[:16]) for one in prints)
    return [Finding("data", "records", f"its runs are on different data (fingerprints {kinds})")]


def asked(dataset: Dataset, indices: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The rows of `x_test` at these positions of the full test set; None where one is not here, or twice."""
    places = {int(number): row for row, number in enumerate(dataset.test_ids)}
    if len(np.unique(indices)) < len(indices) or any(int(index) not in places for index in indices):
        return None
    return np.array([places[int(index)] for index in indices], dtype=np.int64)


def test_rows(record: RunRecord, dataset: Dataset) -> NDArray[np.int64]:
    """The positions in the full test set that a run with this record is measured on.

    Raises:
        UserError: a recipe or fraction that no run has.
    """
    from nablab.data.split import split

    cut = split(
        dataset,
        fraction=record.data.fraction,
        validation=float(record.recipe["validation"]),
        split_seed=int(record.recipe["split_seed"]),
        test_fraction=record.data.test_fraction,
    )
    return np.asarray(dataset.test_ids[cut.test], dtype=np.int64)


def load_given(path: Path | str | Dataset | None) -> Dataset | None:
    """The data that the person who checks named."""
    from nablab.data import load

    return None if path is None else load(path)
