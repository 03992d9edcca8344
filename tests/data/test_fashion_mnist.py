"""Fashion-MNIST: the slice, the system's folder, the full set. Downloads are in test_downloads.py."""

from __future__ import annotations

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data.dataset import Dataset
from nablab.data.sources import fashion_mnist
from nablab.data.sources.idx_set import IdxSet
from nablab.errors import UserError

StandIn = Any  # of conftest.py


@pytest.fixture
def genuine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> IdxSet:
    """The real files, with an empty cache."""
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return fashion_mnist.FILES


@pytest.fixture
def stand_in(stand_ins: dict[str, StandIn], genuine: IdxSet, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A small set taken for the genuine one, of which nothing is here."""
    stand_in = stand_ins["fashion-mnist"]
    stand_in.install(monkeypatch, ())
    return stand_in


@pytest.fixture
def system(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in as a package of the system puts it."""
    folder = tmp_path / "system"
    stand_in.write(folder)
    monkeypatch.setattr(fashion_mnist, "FILES", replace(fashion_mnist.FILES, system_folder=folder))
    return folder


def assert_full(dataset: Dataset | None, stand_in: StandIn) -> None:
    assert dataset is not None
    assert not dataset.is_slice
    for part, array in stand_in.arrays.items():
        np.testing.assert_array_equal(getattr(dataset, part), array)


def test_without_anything_it_is_the_slice(genuine: IdxSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "FILES", replace(genuine, system_folder=None))
    dataset = fashion_mnist.load()
    assert len(dataset.x_train) == 6_000
    assert fashion_mnist.available() == dataset.hint


def test_the_system_folder_serves_and_a_decoded_copy_is_kept(
    system: Path, stand_in: StandIn, tmp_path: Path
) -> None:
    assert fashion_mnist.available() == "the full set, from the system's package"
    assert_full(fashion_mnist.load(), stand_in)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 4
    for file in system.iterdir():
        file.unlink()
    assert fashion_mnist.available() == "the full set, in the cache"
    assert_full(fashion_mnist.load(), stand_in)


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_download_is_passed_over(damage: bytes | None, system: Path, stand_in: StandIn) -> None:
    other = stand_in.files[fashion_mnist.FILES.parts["y_test"].file] if damage is None else damage
    cache = fashion_mnist.FILES.cache
    cache.mkdir(parents=True)
    for name in stand_in.files:
        (cache / name).write_bytes(other)
    assert_full(fashion_mnist.load_full(), stand_in)
    for file in system.iterdir():
        file.unlink()
    for path in cache.rglob("*.npy"):
        path.unlink()
    assert fashion_mnist.load_full() is None


def test_a_cache_that_cannot_be_written_does_no_harm(system: Path, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    assert_full(fashion_mnist.load(), stand_in)


def test_first_loads_may_race(system: Path, stand_in: StandIn, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for dataset in pool.map(lambda _: fashion_mnist.load(), range(16)):
            assert_full(dataset, stand_in)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 4


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_files_are_taken_in_under_all_their_names(
    packed: bool, dotted: bool, stand_in: StandIn, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in stand_in.files.items():
        called = name.replace("-idx", ".idx") if dotted else name
        path = folder / (called if packed else called.removesuffix(".gz"))
        path.write_bytes(content if packed else gzip.decompress(content))
    assert fashion_mnist.SOURCE.take_in([folder]) == "the full set, in the cache"
    assert_full(fashion_mnist.load(), stand_in)


def test_a_folder_that_is_not_there_is_named(stand_in: StandIn, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file or folder: .*gone"):
        fashion_mnist.SOURCE.take_in([tmp_path / "gone"])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz is missing"):
        fashion_mnist.SOURCE.take_in([tmp_path])


def test_files_of_another_set_are_not_taken_in(stand_in: StandIn, tmp_path: Path) -> None:
    (changed, *others) = stand_in.write(tmp_path / "mine")
    plain = bytearray(gzip.decompress(changed.read_bytes()))
    plain[-1] ^= 1
    changed.write_bytes(gzip.compress(plain))
    with pytest.raises(UserError, match=f"{changed.name}: is not .* of fashion-mnist"):
        fashion_mnist.SOURCE.take_in([changed, *others])
    assert not (tmp_path / "cache").exists()


def test_the_archive_of_keras_is_taken_in(stand_in: StandIn, tmp_path: Path) -> None:
    arrays = {name: a[:, 0] if a.ndim == 4 else a for name, a in stand_in.arrays.items()}
    np.savez(tmp_path / "fashion_mnist.npz", **arrays)
    assert fashion_mnist.SOURCE.take_in([tmp_path / "fashion_mnist.npz"]) == "the full set, in the cache"
    assert_full(fashion_mnist.load(), stand_in)


def test_another_archive_is_not_taken_in(stand_in: StandIn, tmp_path: Path) -> None:
    arrays = {name: a[:, 0] if a.ndim == 4 else a for name, a in stand_in.arrays.items()}
    np.savez(tmp_path / "mine.npz", **arrays | {"y_test": arrays["y_test"][::-1]})
    with pytest.raises(UserError, match=r"mine.npz: y_test is not that of .* give --data .*mine.npz"):
        fashion_mnist.SOURCE.take_in([tmp_path / "mine.npz"])
    with pytest.raises(UserError, match=r"no such file or folder: .*gone.npz"):
        fashion_mnist.SOURCE.take_in([tmp_path / "gone.npz"])
    assert not (tmp_path / "cache").exists()


def test_the_second_load_of_the_real_one_is_quick(genuine: IdxSet) -> None:
    if fashion_mnist.load_full() is None:
        pytest.skip("the full Fashion-MNIST is not installed here")
    seconds = []
    for _ in range(5):
        start = time.process_time()  # and not the wall's: another program may keep the machine busy
        fashion_mnist.load()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1
