"""Fashion-MNIST: the slice that ships, or the full set where it is found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.data.cache import cache_folder
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.fetch import Progress, download
from nablab.data.sources.idx import read_idx
from nablab.data.sources.source import Source
from nablab.errors import NablabError, UserError

NAME = "fashion-mnist"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
LICENCE = "MIT, copyright 2017 Zalando SE"
MAKER = "Zalando Research"

#: Where Debian's package dataset-fashion-mnist puts the four files.
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
#: The addresses that the data set's own page names.
MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

Parts = dict[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Part:
    """One of the four files.

    Attributes:
        file: its name, everywhere.
        download: SHA-256 of the file that is downloaded.
        contents: SHA-256 of the values in it, however they are packed (Debian packs them anew).
        shape: of the array.
    """

    file: str
    download: str
    contents: str
    shape: tuple[int, ...]


PARTS: Mapping[str, Part] = {
    "x_train": Part(
        "train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        (60_000, 28, 28),
    ),
    "y_train": Part(
        "train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        (60_000,),
    ),
    "x_test": Part(
        "t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        (10_000, 28, 28),
    ),
    "y_test": Part(
        "t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        (10_000,),
    ),
}


def load() -> Dataset:
    """The full set where it is found (cache, then Debian's package), else the slice that ships.

    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017. Grey images of 28x28, 10 classes, 60,000 + 10,000; the
    slice is the first tenth of each order under split_seed 0, and its `hint` says how to get the rest.
    Never uses the network. The full set is memory-mapped from a decoded copy in the cache, which the
    first load writes.
    """
    return load_full() or load_slice()


def load_full() -> Dataset | None:
    """The full set, or None where it is neither in the cache nor on the system."""
    parts = _read_decoded()
    if parts is None:
        for _, folder in _folders():
            parts = _decode(folder)
            if parts is not None:
                _write_decoded(parts)
                break
        else:
            return None
    return make_dataset(
        NAME,
        parts["x_train"][:, None],
        parts["y_train"],
        parts["x_test"][:, None],
        parts["y_test"],
        CLASSES,
        source=f"Fashion-MNIST ({MAKER}), full set",
        licence=LICENCE,
    )


def load_slice() -> Dataset:
    """The 6,000 + 1,000 images that ship with nablab."""
    with (resources.files("nablab.data") / "embedded" / f"{NAME}.npz").open("rb") as file:
        stored = dict(np.load(file, allow_pickle=False))
    total, test_total = PARTS["x_train"].shape[0], PARTS["x_test"].shape[0]
    return Dataset(
        name=NAME,
        x_train=stored["x_train"][:, None],
        y_train=stored["y_train"].astype(np.int64),
        x_test=stored["x_test"][:, None],
        y_test=stored["y_test"].astype(np.int64),
        classes=CLASSES,
        value_range=(0.0, 255.0),
        source=f"Fashion-MNIST ({MAKER}), the slice that ships with nablab",
        train_total=total,
        test_total=test_total,
        train_ids=stored["train_ids"].astype(np.int64),
        test_ids=stored["test_ids"].astype(np.int64),
        ordered_by=0,
        hint=(
            f"only the slice that ships ({len(stored['x_train']):,} + {len(stored['x_test']):,} of "
            f"{total:,} + {test_total:,} images) is here; `nablab data fetch {NAME}` gets the rest"
        ),
        licence=LICENCE,
    )


def available() -> str:
    """Which part is here, in one line."""
    if _read_decoded() is not None:
        return "the full set, in the cache"
    for what, folder in _folders():
        if _is_complete(folder):
            return f"the full set, {what}"
    return load_slice().hint


def fetch(progress: Progress | None) -> str:
    """Download the full set into the cache unless it is here, and say what is here then.

    Raises:
        NablabError: no mirror could be reached, or the cache folder cannot be written to.
    """
    if load_full() is None:
        for part in PARTS.values():
            download(part.file, part.download, MIRRORS, _cache(), progress)
        load_full()
    return available()


def _cache() -> Path:
    return cache_folder() / NAME


def _folders() -> Iterator[tuple[str, Path]]:
    yield "as downloaded into the cache", _cache()
    yield "from the system's package", SYSTEM_FOLDER


def _is_complete(folder: Path) -> bool:
    return all((folder / part.file).is_file() for part in PARTS.values())


def _decode(folder: Path) -> Parts | None:
    """The four arrays in a folder of IDX files, or None where they are not all there and genuine."""
    if not _is_complete(folder):
        return None
    try:
        parts = {name: read_idx(folder / part.file) for name, part in PARTS.items()}
    except UserError:
        return None
    return parts if _are_genuine(parts) else None


def _read_decoded() -> Parts | None:
    """The decoded copy, memory-mapped, or None where there is none or it is damaged."""
    try:
        parts: dict[str, NDArray[Any]] = {
            name: np.asarray(np.load(_decoded(name), mmap_mode="r", allow_pickle=False)) for name in PARTS
        }
    except (OSError, ValueError, EOFError):
        return None
    return parts if _are_genuine(parts) else None


def _write_decoded(parts: Parts) -> None:
    """Each file is put in place whole, and all writers write the same: two processes may race."""
    try:
        for name, array in parts.items():
            atomic.write_with(_decoded(name), partial(np.save, arr=array, allow_pickle=False))
    except NablabError:
        return  # a cache that cannot be written only costs the next load its half second


def _decoded(name: str) -> Path:
    return _cache() / "decoded" / f"{name}.npy"


def _are_genuine(parts: Mapping[str, NDArray[Any]]) -> bool:
    """Whether these are Fashion-MNIST's own values. All 55 MB are hashed: some 35 ms."""
    return all(
        parts[name].dtype == np.uint8
        and parts[name].shape == part.shape
        and hashlib.sha256(np.ascontiguousarray(parts[name]).data).hexdigest() == part.contents
        for name, part in PARTS.items()
    )


SOURCE = Source(
    name=NAME,
    title="Fashion-MNIST",
    description="grey images of clothes, 28x28, 10 classes, 60,000 + 10,000; a tenth ships with nablab",
    licence=LICENCE,
    load=load,
    available=available,
    download=fetch,
)
