"""The stored images that decided: for a few test images, the neighbours that a run asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.runs.arrays import read_arrays, write_arrays

DECIDING = "deciding.npz"

#: Test images of each kind, wrong and right ones.
OF_EACH = 4
#: Neighbours of each at most.
_AT_MOST = 10

_NAMES = ("tests", "truths", "said", "pictures", "neighbours", "distances", "labels", "stored")


@dataclass(frozen=True, eq=False)
class Deciding:
    """A few test images T, wrong answers first, and the k nearest training images of each.

    Attributes:
        tests: (T,) positions in the full test set.
        truths: (T,) their classes.
        said: (T,) what the run said.
        pictures: (T, C, H, W) the test images as the data holds them.
        neighbours: (T, k) positions in the full training set, the nearest first.
        distances: (T, k) float64.
        labels: (T, k) classes of the neighbours.
        stored: (T, k, C, H, W) the neighbours as the data holds them.
    """

    tests: NDArray[np.int64]
    truths: NDArray[np.int64]
    said: NDArray[np.int64]
    pictures: NDArray[Any]
    neighbours: NDArray[np.int64]
    distances: NDArray[np.float64]
    labels: NDArray[np.int64]
    stored: NDArray[Any]


def choose_tests(y: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the test images to show: the first wrong answers, then right ones, each of other classes.

    >>> choose_tests(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])).tolist()
    [1, 0, 2]
    """
    chosen: list[int] = []
    for wanted in (False, True):
        places = np.flatnonzero((said == y) == wanted)
        firsts = np.sort(np.unique(y[places], return_index=True)[1])
        chosen += places[firsts[:OF_EACH]].tolist()
    return np.array(chosen, dtype=np.int64)


def write_deciding(
    folder: Path,
    estimator: Any,
    tests: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]],
    dataset: Dataset,
    trained: NDArray[np.int64],
) -> None:
    """Store what decided, where the estimator asks neighbours and the data are images.

    Args:
        estimator: fitted; a pipeline that ends in one that has `kneighbors` counts.
        tests: rows of `dataset.x_test`, these images preprocessed, and what the run said of them.
        trained: rows of `dataset.x_train` that it was fitted on, in their order.
    """
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if not hasattr(last, "kneighbors") or len(dataset.input_shape) != 3:
        return
    rows, x, said = tests
    flat = x.reshape(len(x), -1)
    found = last.kneighbors(estimator[:-1].transform(flat) if hasattr(estimator, "steps") else flat)
    distances, places = (np.asarray(part)[:, :_AT_MOST] for part in found)
    near = trained[places]
    write_arrays(
        folder / DECIDING,
        tests=dataset.test_ids[rows],
        truths=dataset.y_test[rows],
        said=said,
        pictures=dataset.x_test[rows],
        neighbours=dataset.train_ids[near],
        distances=distances.astype(np.float64),
        labels=dataset.y_train[near],
        stored=np.asarray(dataset.x_train[near.ravel()]).reshape(*near.shape, *dataset.input_shape),
    )


def read_deciding(folder: Path) -> Deciding | None:
    """What decided; None for runs that ask no neighbours.

    Raises:
        UserError: the file is damaged.
    """
    if not (folder / DECIDING).exists():
        return None
    values = read_arrays(folder / DECIDING, _NAMES)
    if len({len(value) for value in values}) > 1:
        raise UserError(f"{folder / DECIDING} is damaged")
    return Deciding(*values)
