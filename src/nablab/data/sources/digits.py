"""Handwritten digits of 8x8 pixels, as scikit-learn ships them."""

from __future__ import annotations

import numpy as np

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.sources.source import Source
from nablab.data.split import cut_off_test

_LICENCE = "CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits, 1998)"


def load() -> Dataset:
    """1,797 grey images of 8x8, values 0 to 16; a fifth, stratified and the same each time, is the test set.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998,
    https://doi.org/10.24432/C50P49, through `sklearn.datasets.load_digits`.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x_NCHW = bunch.images.astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    train, test = cut_off_test(labels, None)
    return make_dataset(
        "digits",
        x_NCHW[train],
        labels[train],
        x_NCHW[test],
        labels[test],
        tuple(str(digit) for digit in range(10)),
        source="UCI handwritten digits, 8x8, as scikit-learn ships them",
        value_range=(0.0, 16.0),
        licence=_LICENCE,
    )


SOURCE = Source(
    name="digits",
    title="Handwritten digits",
    description="1,797 grey images of 8x8 pixels, 10 classes",
    licence=_LICENCE,
    load=load,
    available=lambda: "all of it, with scikit-learn",
)
