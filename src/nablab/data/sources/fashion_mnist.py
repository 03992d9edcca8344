"""Fashion-MNIST: the slice that ships, or the full set where it is found."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.fetch import Progress
from nablab.data.sources.idx_set import IdxSet, Part
from nablab.data.sources.source import Source

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

#: The addresses are those that the data set's own page names, the folder is that of Debian's package
#: dataset-fashion-mnist. The page publishes MD5s; the SHA-256 of the downloads are TensorFlow Datasets'
#: (`url_checksums/fashion_mnist.txt`), those of the contents were taken from Debian's files.
FILES = IdxSet(
    name=NAME,
    mirrors=(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    system_folder=Path("/usr/share/datasets/fashion-mnist"),
    parts={
        "x_train": Part(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            (60_000, 28, 28),
        ),
        "y_train": Part(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            (60_000,),
        ),
        "x_test": Part(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            (10_000, 28, 28),
        ),
        "y_test": Part(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            (10_000,),
        ),
    },
)


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
    arrays = FILES.read()
    if arrays is None:
        return None
    return make_dataset(
        NAME,
        arrays["x_train"][:, None],
        arrays["y_train"],
        arrays["x_test"][:, None],
        arrays["y_test"],
        CLASSES,
        source=f"Fashion-MNIST ({MAKER}), full set",
        licence=LICENCE,
    )


def load_slice() -> Dataset:
    """The 6,000 + 1,000 images that ship with nablab."""
    with (resources.files("nablab.data") / "embedded" / f"{NAME}.npz").open("rb") as file:
        stored = dict(np.load(file, allow_pickle=False))
    total, test_total = (FILES.parts[name].shape[0] for name in ("x_train", "x_test"))
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
    where = FILES.where()
    return f"the full set, {where}" if where else load_slice().hint


def fetch(progress: Progress | None) -> str:
    """Download the full set into the cache unless it is here, and say what is here then."""
    FILES.fetch(progress)
    return available()


def take_in(files: Sequence[Path], progress: Progress | None) -> str:
    """Decode the four files, or those in a folder, into the cache, and say what is here then."""
    FILES.take_in(files)
    return available()


SOURCE = Source(
    name=NAME,
    title="Fashion-MNIST",
    description="grey images of clothes, 28x28, 10 classes, 60,000 + 10,000; a tenth ships with nablab",
    licence=LICENCE,
    load=load,
    available=available,
    download=fetch,
    importer=take_in,
)
