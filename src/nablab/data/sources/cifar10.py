"""CIFAR-10, from its binary archive: the usual one is a pickle, which could run code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from nablab.data.cache import cache_folder
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.decoded import Arrays, Expected, has_decoded, read_decoded, read_or_decode, write_decoded
from nablab.data.fetch import Progress, download
from nablab.data.sources.npy import refuse_special_file
from nablab.data.sources.source import Source, not_here
from nablab.errors import NablabError, UserError

NAME = "cifar10"
ARCHIVE = "cifar-10-binary.tar.gz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LICENCE = "none stated by its makers, who ask to cite Krizhevsky (2009)"
WAYS = (
    f"`nablab data fetch {NAME}` downloads it (162 MB); or get {ARCHIVE} (the binary version) from "
    f"https://www.cs.toronto.edu/~kriz/cifar.html, then `nablab data import {NAME} {ARCHIVE}`"
)

TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
NAMES = "batches.meta.txt"
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes


@dataclass(frozen=True)
class Binary:
    """What the archive must be, and where it is downloaded from.

    Attributes:
        archive: its SHA-256.
        batches: the SHA-256 of each of the six batches in it.
        images: in each batch.
        mirrors: addresses to download from, tried in turn.
    """

    archive: str
    batches: Mapping[str, str]
    images: int
    mirrors: tuple[str, ...]

    @property
    def expected(self) -> dict[str, Expected]:
        """What the decoded arrays must look like."""
        n = self.images
        return {
            "x_train": Expected((len(TRAIN) * n, *_SHAPE)),
            "y_train": Expected((len(TRAIN) * n,)),
            "x_test": Expected((n, *_SHAPE)),
            "y_test": Expected((n,)),
        }


#: The data set's page gives an MD5 only (c32a1d4ab5d03f1284b67883e8d87530), and TensorFlow Datasets
#: (`url_checksums/cifar10.txt`) and torchvision-ruby this SHA-256 of the same 170,052,171 bytes; those of the
#: batches are torchvision-ruby's. The second address is the page's new home, the third MindSpore's copy.
BINARY = Binary(
    archive="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    batches={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
    images=10_000,
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/",
        "https://cave.cs.toronto.edu/kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ),
)


def load() -> Dataset:
    """Colour images of 32x32, 10 classes, 50,000 + 10,000, memory-mapped from the cache.

    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University of
    Toronto, 2009; https://www.cs.toronto.edu/~kriz/cifar.html.

    Raises:
        UserError: it is not here; says how to get it.
    """
    arrays = read_or_decode(_decoded(), BINARY.expected, _decode_download)
    if arrays is None:
        raise not_here(NAME, WAYS)
    return make_dataset(
        NAME,
        arrays["x_train"],
        arrays["y_train"],
        arrays["x_test"],
        arrays["y_test"],
        CLASSES,
        source="CIFAR-10 (Alex Krizhevsky, University of Toronto)",
        licence=LICENCE,
    )


def available() -> str:
    """Whether it is here, in one line; goes by names and sizes, which is quick."""
    if has_decoded(_decoded(), BINARY.expected):
        return "all of it, in the cache"
    if (_cache() / ARCHIVE).is_file():
        return "all of it, as downloaded into the cache"
    return f"not here: `nablab data fetch {NAME}`"


def fetch(progress: Progress | None) -> str:
    """Download the archive into the cache unless it is here, and say what is here then.

    Raises:
        NablabError: no mirror gave the right file, or the cache folder cannot be written to.
    """
    if read_decoded(_decoded(), BINARY.expected) is None:
        download(ARCHIVE, BINARY.archive, BINARY.mirrors, _cache(), progress)
        if read_or_decode(_decoded(), BINARY.expected, _decode_download) is None:
            raise NablabError(f"{_cache() / ARCHIVE}: was downloaded and cannot be read; remove it")
    return available()


def take_in(files: Sequence[Path], progress: Progress | None) -> str:
    """Decode the archive, or the folder it was unpacked to, into the cache, and say what is here then.

    Raises:
        UserError: another file, or a folder in which one is missing or not the genuine one.
        NablabError: the cache folder cannot be written to.
    """
    if len(files) != 1:
        raise UserError(
            f"{NAME}: expected {ARCHIVE} or the folder it was unpacked to, not {len(files)} files"
        )
    path = files[0]
    if not path.exists():
        raise UserError(f"no such file or folder: {path}")
    if path.suffix.lower() == ".npz":
        raise UserError(
            f"{path}: {NAME} is imported from {ARCHIVE} alone; to use this file as it is, give --data {path}"
        )
    write_decoded(_decoded(), decode_folder(path) if path.is_dir() else decode_archive(path))
    return available()


def decode_archive(path: Path) -> Arrays:
    """The arrays in the archive, without unpacking it to disk.

    Raises:
        UserError: it cannot be read, or is not the genuine one.
    """
    from nablab.data.archive import read_members  # slow to import, and not needed where it is decoded

    refuse_special_file(path)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if found != BINARY.archive:
        raise UserError(
            f"{path}: is not the {ARCHIVE} that CIFAR-10's page offers (its SHA-256 differs); "
            "cut short, or another version?"
        )
    limit = 2 * (len(TRAIN) + 1) * BINARY.images * _RECORD + 2**20
    return _decode(read_members(path, lambda name: _base(name) in _FILES, limit_bytes=limit), path)


def decode_folder(folder: Path) -> Arrays:
    """The arrays in the folder to which the archive was unpacked, or in the one above it.

    Raises:
        UserError: a file is missing, or is not the genuine one.
    """
    inner = folder / "cifar-10-batches-bin"
    return _decode(_genuine_files(inner if inner.is_dir() else folder), folder)


_FILES = (*TRAIN, TEST, NAMES)


def _genuine_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in _FILES:
        refuse_special_file(folder / name)
        try:
            with (folder / name).open("rb") as file:
                content = file.read(BINARY.images * _RECORD + 1)
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be read ({error.strerror or error})") from error
        wanted = BINARY.batches.get(name)
        if wanted is not None and hashlib.sha256(content).hexdigest() != wanted:
            raise UserError(
                f"{folder / name}: is not CIFAR-10's (its SHA-256 differs); unpack {ARCHIVE} anew"
            )
        yield name, content


def _decode(files: Iterable[tuple[str, bytes]], where: Path) -> Arrays:
    """Fill the arrays from the contents of `TRAIN`, `TEST` and `NAMES`, in any order."""
    n = BINARY.images
    arrays = {
        name: np.empty([axis or 0 for axis in expected.shape], dtype=np.uint8)
        for name, expected in BINARY.expected.items()
    }
    missing = set(_FILES)
    for path, content in files:
        name = _base(path)
        missing.discard(name)
        if name == NAMES:
            _check_names(content, where)
            continue
        records = _records(content, f"{where}: {name}")
        part, start = ("test", 0) if name == TEST else ("train", n * TRAIN.index(name))
        arrays[f"y_{part}"][start : start + n] = records[:, 0]
        arrays[f"x_{part}"][start : start + n] = records[:, 1:].reshape(n, *_SHAPE)
    if missing:
        raise UserError(f"{where}: holds no {', no '.join(sorted(missing))}")
    _check_counts(arrays, where)
    return arrays


def _records(content: bytes, where: str) -> NDArray[np.uint8]:
    """The records (images, 3073) of a batch: each a label from 0 to 9 and the pixels of three planes."""
    if len(content) != BINARY.images * _RECORD:
        raise UserError(
            f"{where}: has {len(content):,} bytes; expected {BINARY.images:,} records of {_RECORD:,}"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)


def _check_names(content: bytes, where: Path) -> None:
    """That the names of the classes, one a line in the order of the labels, are the known ones."""
    names = tuple(content.decode("ascii", errors="replace").split())
    if names != CLASSES:
        raise UserError(f"{where}: {NAMES} does not name the ten classes of CIFAR-10")


def _check_counts(arrays: Arrays, where: Path) -> None:
    """That each class has as many images as the others in both parts, as the data set's page says."""
    for name in ("y_train", "y_test"):
        counts = np.bincount(arrays[name], minlength=len(CLASSES))
        if len(counts) > len(CLASSES) or len(set(counts.tolist())) > 1:
            raise UserError(f"{where}: its labels ({name}) are not those of CIFAR-10, as many of each class")


def _decode_download() -> Arrays | None:
    with suppress(UserError):  # absent, or damaged since it was downloaded: as if it were not here
        return decode_archive(_cache() / ARCHIVE)
    return None


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _cache() -> Path:
    return cache_folder() / NAME


def _decoded() -> Path:
    return _cache() / "decoded"


SOURCE = Source(
    name=NAME,
    title="CIFAR-10",
    description="colour images of animals and vehicles, 32x32, 10 classes, 50,000 + 10,000",
    licence=LICENCE,
    load=load,
    available=available,
    download=fetch,
    wanted=WAYS,
    importer=take_in,
)
