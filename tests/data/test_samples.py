"""Rows that stay in a file: indexed as an array is, and the same data set as one read into memory."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nablab.data import load, preprocess
from nablab.data.dataset import Dataset
from nablab.data.mapped import MappedArray
from nablab.data.samples import (
    LazyRows,
    blocks,
    first_not_finite,
    limits,
    resident_bytes,
    select,
    spans,
)
from nablab.errors import UserError

RNG = np.random.default_rng(0)
VALUES = RNG.normal(0, 100, (40, 2, 3, 4))
ROWS = RNG.permutation(40)[:25]
ARRAY = VALUES[ROWS].astype(np.float32)
LAZY = LazyRows(VALUES, ROWS, np.dtype(np.float32), spans(VALUES))

PICTURES = RNG.integers(0, 256, (60, 5, 6, 3))
LABELS = np.arange(60) % 4
#: What X.npy may hold, and what is made of it.
STORED: dict[str, tuple[np.ndarray, type]] = {
    "bytes, channels last": (PICTURES.astype(np.uint8), np.uint8),
    "bytes, channels first": (PICTURES.astype(np.uint8).transpose(0, 3, 1, 2).copy(), np.uint8),
    "bytes, grey": (PICTURES[..., 0].astype(np.uint8), np.uint8),
    "whole numbers": (PICTURES, np.uint8),
    "negative ones": (PICTURES.astype(np.int16) - 9, np.float32),
    "truth": (PICTURES[..., 0] > 100, np.uint8),
    "floats": (PICTURES / 255, np.float32),
    "floats of the other end": ((PICTURES / 255).astype(">f8"), np.float32),
    "half floats": ((PICTURES / 255).astype(np.float16), np.float32),
    "features": (PICTURES.reshape(60, -1) / 7, np.float32),
}


@pytest.fixture
def lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file were large."""
    monkeypatch.setattr("nablab.data.sources.arrays.READ_BYTES", 0)


def folder(path: Path, x: np.ndarray, y: Any = LABELS) -> Path:
    (path / "set").mkdir()
    np.save(path / "set" / "X.npy", x)
    np.save(path / "set" / "Y.npy", y)
    return path / "set"


@pytest.mark.parametrize(
    "rows",
    [0, -1, np.int64(7), slice(None), slice(3, 17, 2), slice(0), [4, 4, 1], np.array([20, 0, 9]), ROWS < 10],
    ids=str,
)
def test_rows_are_those_of_the_array(rows: Any) -> None:
    ours, theirs = LAZY[rows[:25] if isinstance(rows, np.ndarray) else rows], ARRAY[rows]
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.flags.c_contiguous


@given(rows=st.lists(st.integers(-25, 24)), then=st.data())
def test_a_selection_of_a_selection(rows: list[int], then: st.DataObject) -> None:
    first = np.array(rows, dtype=np.int64)
    places = then.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    second = np.array(places, dtype=np.int64)
    chosen = LAZY.select(first).select(second)
    np.testing.assert_array_equal(chosen[:], ARRAY[first][second])
    np.testing.assert_array_equal(select(LAZY, first)[:], select(ARRAY, first))


def test_it_says_what_the_array_would() -> None:
    assert (LAZY.shape, LAZY.ndim, LAZY.size, LAZY.nbytes) == (ARRAY.shape, 4, ARRAY.size, ARRAY.nbytes)
    assert (len(LAZY), LAZY.dtype) == (25, np.float32)
    np.testing.assert_array_equal(np.asarray(LAZY), ARRAY)
    np.testing.assert_array_equal(np.stack(list(LAZY)), ARRAY)
    np.testing.assert_array_equal(LAZY.astype(np.uint8)[:3], VALUES[ROWS[:3]].astype(np.uint8))
    assert limits(LAZY) == limits(ARRAY) == (float(ARRAY.min()), float(ARRAY.max()))
    assert limits(LazyRows(VALUES, ROWS, np.dtype(np.float32))) == limits(ARRAY)


@pytest.mark.parametrize("rows", [25, -26, (0, 1), (slice(None), 0), np.zeros(24, bool), 1.5], ids=str)
def test_what_are_no_rows_is_refused(rows: Any) -> None:
    with pytest.raises(IndexError):
        LAZY[rows]


@pytest.mark.parametrize("samples", [LAZY, ARRAY], ids=["lazy", "array"])
@pytest.mark.parametrize("numbers", [1, 24, 60, 10**6])
def test_blocks_are_all_rows_once(samples: Any, numbers: int) -> None:
    some = np.array([3, 1, 24])
    np.testing.assert_array_equal(np.concatenate(list(blocks(samples, numbers=numbers))), ARRAY)
    np.testing.assert_array_equal(np.concatenate(list(blocks(samples, some, numbers=numbers))), ARRAY[some])
    assert all(block.size <= max(numbers, 24) for block in blocks(samples, numbers=numbers))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
def test_the_first_row_that_is_not_finite(wrong: float) -> None:
    values = VALUES.copy()
    values[ROWS[[9, 17]], 1, 2, 3] = wrong
    lazy = LazyRows(values, ROWS, np.dtype(np.float32), spans(values))
    with np.errstate(over="ignore"):
        assert first_not_finite(lazy) == first_not_finite(values[ROWS].astype(np.float32)) == 9
    assert first_not_finite(LAZY) is first_not_finite(ARRAY) is None


def same(ours: Dataset, theirs: Dataset) -> None:
    for part in ("train", "test"):
        lazy, array = getattr(ours, f"x_{part}"), getattr(theirs, f"x_{part}")
        assert isinstance(lazy, LazyRows)
        assert isinstance(array, np.ndarray)
        assert lazy.dtype == array.dtype
        np.testing.assert_array_equal(lazy[:], array)
        np.testing.assert_array_equal(getattr(ours, f"y_{part}"), getattr(theirs, f"y_{part}"))
    for field in ("value_range", "classes", "name", "source", "fingerprint", "input_shape"):
        assert getattr(ours, field) == getattr(theirs, field)


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("archived", [False, True], ids=["npy", "npz"])
def test_a_large_file_is_the_data_set_that_a_small_one_is(
    tmp_path: Path, kind: str, archived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, dtype = STORED[kind]
    path = folder(tmp_path, x)
    if archived:
        path = tmp_path / "set.npz"
        np.savez(path, X=x, y=LABELS)
    small = load(path)
    assert small.x_train.dtype == dtype
    monkeypatch.setattr("nablab.data.sources.arrays.READ_BYTES", 0)
    large = load(path)
    same(large, small)
    assert resident_bytes(large.x_train) == (x.nbytes if archived else 0)
    assert resident_bytes(small.x_train) == small.x_train.nbytes
    for rows in (None, np.array([30, 2, 11])):
        for ours, theirs in zip(
            preprocess.moments(large.x_train, rows), preprocess.moments(small.x_train, rows), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_moments_put_together_from_parts_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nablab.data.samples.blocks.__kwdefaults__", {"numbers": 50})
    far = LazyRows(VALUES + 1e6, ROWS, np.dtype(np.float64))
    mean, deviation = preprocess.moments(far)
    np.testing.assert_allclose(mean, far[:].mean(axis=(0, 2, 3)), rtol=1e-14)
    np.testing.assert_allclose(deviation, far[:].std(axis=(0, 2, 3)), rtol=1e-12)


@pytest.mark.usefixtures("lazily")
def test_test_sets_of_another_type_become_floats_too(tmp_path: Path) -> None:
    x, floats = PICTURES.astype(np.uint8), PICTURES / 255
    np.savez(tmp_path / "a.npz", X=x, y=LABELS, X_test=floats, y_test=LABELS)
    dataset = load(tmp_path / "a.npz")
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.float32
    assert dataset.value_range == (0, 255)
    np.testing.assert_array_equal(dataset.x_train[:], x.transpose(0, 3, 1, 2))


@pytest.mark.usefixtures("lazily")
def test_faults_of_large_files_are_found(tmp_path: Path) -> None:
    bad = PICTURES / 255
    bad[31, 0, 0, 0] = np.nan
    (tmp_path / "nan").mkdir()
    with pytest.raises(UserError, match=r"sample \d+ holds NaN or infinity"):
        load(folder(tmp_path / "nan", bad))
    (tmp_path / "fortran").mkdir()
    with pytest.raises(UserError, match=r"in Fortran order.*np.ascontiguousarray\(x\)"):
        load(folder(tmp_path / "fortran", np.asfortranarray(PICTURES)))
    np.savez(tmp_path / "a.npz", X=np.asfortranarray(PICTURES), y=LABELS)
    assert load(tmp_path / "a.npz").input_shape == (3, 5, 6)  # in memory, where it can be turned


@pytest.mark.usefixtures("lazily")
def test_what_was_hashed_is_not_hashed_again_unless_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(tmp_path, PICTURES.astype(np.uint8))
    dataset = load(path)
    first = dataset.fingerprint
    monkeypatch.setattr(Dataset, "_hash", lambda self: "hashed again")
    assert load(path).fingerprint == replace(dataset, name="another").fingerprint == first
    assert replace(dataset, y_test=dataset.y_test[::-1]).fingerprint == "hashed again"
    assert replace(dataset, classes=tuple("abcd")).fingerprint == "hashed again"
    np.save(path / "Y.npy", LABELS[::-1])
    assert load(path).fingerprint == "hashed again"
    np.save(path / "Y.npy", LABELS)
    assert load(path).fingerprint == first
    np.save(path / "X.npy", PICTURES.astype(np.uint8)[::-1])
    assert load(path).fingerprint == "hashed again"


def test_a_small_file_may_change_after_it_was_loaded(tmp_path: Path) -> None:
    path = folder(tmp_path, PICTURES.astype(np.uint8))
    dataset = load(path)
    before = dataset.x_train.copy()
    with (path / "X.npy").open("r+b") as file:
        file.seek(200)
        file.write(bytes(2000))
    np.testing.assert_array_equal(dataset.x_train, before)


def test_a_place_survives_json(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PICTURES)
    from nablab.data.sources.npy import locate

    place = locate(tmp_path / "a.npy")
    turned = place.open().transpose(0, 3, 1, 2)
    seen = MappedArray.from_dict(json.loads(json.dumps(place.seen_as(turned).to_dict())))
    np.testing.assert_array_equal(seen.open(), turned)


def test_names_of_classes_beside_the_arrays(tmp_path: Path) -> None:
    path = folder(tmp_path, PICTURES)
    (path / "classes.txt").write_bytes("\ufeffzéro\r\none \nred fox\nthree\n".encode())
    assert load(path).classes == ("zéro", "one", "red fox", "three")
    (path / "classes.txt").write_text("a\nb\nc")
    with pytest.raises(UserError, match="label 3 at position 3 is out of range; there are 3 classes"):
        load(path)
    for wrong in (b"a\n\nc\nd", b"a\nb\nb\nc", b"\n", b"a\n" * 10**6, b"\xff\xfe"):
        (path / "classes.txt").write_bytes(wrong)
        with pytest.raises(UserError, match=r"classes.txt: (must hold the names|cannot be read as text)"):
            load(path)


def test_one_hot_labels_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nablab.data.samples.blocks.__kwdefaults__", {"numbers": 28})
    y = np.eye(4)[LABELS]
    path = folder(tmp_path, PICTURES, y)
    np.testing.assert_array_equal(np.sort(load(path).y_train), np.sort(LABELS[:48]))
    y[44] = 0
    np.save(path / "Y.npy", y)
    with pytest.raises(UserError, match="label row 44 is not one-hot"):
        load(path)
