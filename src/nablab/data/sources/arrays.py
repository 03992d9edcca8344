"""Data sets in NumPy files: one `.npz`, or `X.npy` with `Y.npy`, of which a large X stays on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset, make_dataset
from nablab.data.mapped import MappedArray
from nablab.data.samples import READ_BYTES, Array, LazyRows, Samples, limits, select, spans
from nablab.data.sources.labels import check_labels, read_labels
from nablab.data.sources.layouts import LAYOUTS, Layout, Pair, by_role, layout_of
from nablab.data.sources.npy import locate, open_npy
from nablab.data.sources.npz import names_in_npz, read_npz
from nablab.data.split import cut_off_test
from nablab.errors import UserError

_MOST_CHANNELS = 4
_MOST_NAME_BYTES = 2**20
_NAMES_FILE = "classes.txt"


def load_npz(path: Path) -> Dataset:
    """A `.npz` with `X` and `y`, and optionally `X_test`, `y_test` and `classes` (names); case is ignored.

    Other names that are usual are taken, too, such as Keras' `x_train` and MedMNIST's `train_images`: see
    `layouts.LAYOUTS`. What is there for validation counts as training. Without a test set, a stratified fifth
    is cut off, the same each time. See `as_samples` and `labels.read_labels` for the shapes that are taken.

    Raises:
        UserError: what is missing, or does not fit; arrays of more than 1 GiB together.
    """
    layout = layout_of(names_in_npz(path), str(path))
    named = read_npz(path, layout.train, layout.optional)
    return _assemble(path.name, path.stem, by_role(named, layout, path.name), layout)


def npy_pair(folder: Path) -> tuple[Path, Path] | None:
    """`X.npy` and `Y.npy` in a folder, in upper or lower case; None unless both are there.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        names = {entry.name.lower(): entry for entry in sorted(folder.iterdir())}
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
    pair = names.get("x.npy"), names.get("y.npy")
    return (pair[0], pair[1]) if pair[0] and pair[1] else None


def load_npy_pair(x_path: Path, y_path: Path) -> Dataset:
    """`X.npy` (samples) with `Y.npy` (whole numbers or one-hot rows); a stratified fifth is the test set.

    `classes.txt` beside them may name the classes, one a line. An X of more than 256 MiB stays in its file:
    it may be larger than memory, and only the rows that are asked for are read.

    Raises:
        UserError: what does not fit; a large X in Fortran order.
    """
    place = locate(x_path)
    stored = {"x": place.open(), "y": open_npy(y_path)}
    names = _names_beside(x_path)
    if names is not None:
        stored["classes"] = names
    folder = x_path.resolve().parent.name or "arrays"
    return _assemble(f"{x_path.name} and {y_path.name} in {folder}", folder, stored, x_file=place)


def as_samples(values: NDArray[Any], where: str, file: MappedArray | None = None) -> Samples:
    """Samples as a `Dataset` holds them: uint8 or float32, images (N, C, H, W) or features (N, D).

    Taken are features (N, D), grey images (N, H, W), and images with 1 to 4 channels first or last (the
    smaller of the two axes; the first where they are equal). Whole numbers from 0 to 255 become uint8.

    Args:
        file: where `values` is mapped from; None for an array in memory.

    Returns:
        an array, or `LazyRows` of what is larger than 256 MiB.

    Raises:
        UserError: another shape or type of values.
    """
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where}: values are {values.dtype}; expected numbers")
    if values.ndim not in (2, 3, 4) or 0 in values.shape:
        raise UserError(
            f"{where}: shape {values.shape}; expected features (N, D), grey images (N, H, W) or images with "
            "channels first or last"
        )
    if values.nbytes > READ_BYTES:
        return _lazily(values, where, file)
    return np.ascontiguousarray(_with_channels_first(_with_known_type(values), where))


def _lazily(values: NDArray[Any], where: str, file: MappedArray | None) -> LazyRows:
    """Samples that stay where they are. Bytes are not looked at, other values once, for their range."""
    images = _with_channels_first(values, where)
    if not values[0].flags.c_contiguous:
        if file:
            raise UserError(
                f"{where}: {values.nbytes / 2**30:.1f} GiB in Fortran order, in which the values of a sample "
                "lie far apart; save it as np.save(name, np.ascontiguousarray(x))"
            )
        return _lazily(np.ascontiguousarray(values), where, None)
    found = None if values.dtype == np.uint8 else spans(values)
    is_whole = values.dtype.kind in "biu"
    is_bytes = found is None or (is_whole and found[:, 0].min() >= 0 and found[:, 1].max() <= 255)
    dtype: np.dtype[Any] = np.dtype(np.uint8 if is_bytes else np.float32)
    rows = np.arange(len(values), dtype=np.int64)
    return LazyRows(images, rows, dtype, found, file.seen_as(images) if file else None)


def _with_known_type(values: NDArray[Any]) -> Array:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind in "biu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which Dataset refuses
        return values.astype(np.float32)


def _with_channels_first(x: Array, where: str) -> Array:
    if x.ndim == 2:
        return x
    if x.ndim == 3:
        return x[:, None]
    first, last = x.shape[1], x.shape[3]
    if min(first, last) > _MOST_CHANNELS:
        raise UserError(
            f"{where}: shape {x.shape} has neither first nor last 1 to {_MOST_CHANNELS} channels; "
            "expected (N, C, H, W) or (N, H, W, C)"
        )
    return x if first <= last else x.transpose(0, 3, 1, 2)


def _assemble(
    where: str,
    name: str,
    stored: dict[str, NDArray[Any]],
    layout: Layout = LAYOUTS[0],
    x_file: MappedArray | None = None,
) -> Dataset:
    x: Samples = as_samples(stored["x"], f"{where}: {layout.train[0]}", x_file)
    read = read_labels(stored["y"], f"{where}: {layout.train[1]}")
    y, names = _in_order_of_classes(stored, *read, where)
    _same_length(x, y, where, layout.train)
    if "x_test" in stored:
        x_test = as_samples(stored["x_test"], f"{where}: {layout.test[0]}")
        y_test, test_names = read_labels(stored["y_test"], f"{where}: {layout.test[1]}")
        _same_length(x_test, y_test, where, layout.test)
        y_test = _in_terms_of(names, y_test, test_names, where)
        if x.dtype != x_test.dtype:
            x, x_test = x.astype(np.float32), x_test.astype(np.float32)
    classes = _class_names(stored, y, names, where)
    if "x_test" not in stored:
        check_labels(y, y[:0], classes, where)
        train, test = cut_off_test(y, None, where)
        x, y, x_test, y_test = select(x, train), y[train], select(x, test), y[test]
    check_labels(y, y_test, classes, where)
    is_bytes = stored["x"].dtype == np.uint8
    value_range = (0.0, 255.0) if is_bytes else limits(x)
    return make_dataset(
        name, x, y, x_test, y_test, classes, source=f"NumPy: {where}", value_range=value_range
    )


def _names_beside(x_path: Path) -> NDArray[np.str_] | None:
    """The names in `classes.txt`, one a line; None where there is no such file."""
    path = x_path.parent / _NAMES_FILE
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_NAME_BYTES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text in UTF-8") from error
    names = [line.strip() for line in text.rstrip().split("\n")]
    if len(text) > _MOST_NAME_BYTES or "" in names or len(set(names)) < len(names):
        raise UserError(f"{path}: must hold the names of the classes, one a line and each once")
    return np.array(names)


def _class_names(
    stored: dict[str, NDArray[Any]], y: NDArray[np.int64], names: tuple[str, ...], where: str
) -> tuple[str, ...]:
    """The names: from texts as labels, from `classes`, or the numbers themselves."""
    if names:
        return names
    if "classes" not in stored:
        one_hot = stored["y"].ndim == 2 and stored["y"].shape[1] > 1
        count = stored["y"].shape[1] if one_hot else int(y.max()) + 1
        return tuple(str(number) for number in range(count))
    return _given_classes(stored, where)


def _given_classes(stored: dict[str, NDArray[Any]], where: str) -> tuple[str, ...]:
    """The names in `classes`."""
    given = stored["classes"]
    if given.ndim != 1 or given.dtype.kind not in "Uiu" or len(np.unique(given)) != len(given):
        raise UserError(f"{where}: classes must be a list of different names")
    return tuple(str(name) for name in given)


def _in_order_of_classes(
    stored: dict[str, NDArray[Any]], y: NDArray[np.int64], names: tuple[str, ...], where: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels that came as texts, with their names, in the order of `classes` where that is there too."""
    if not names or "classes" not in stored:
        return y, names
    classes = _given_classes(stored, where)
    if set(classes) != set(names):
        odd = sorted(set(classes) ^ set(names))[0]
        only = "classes" if odd in classes else "y"
        raise UserError(f"{where}: {odd[:80]!r} is in {only} alone; classes must name the labels, each once")
    return np.array([classes.index(name) for name in names])[y], classes


def _in_terms_of(
    names: tuple[str, ...], y_test: NDArray[np.int64], test_names: tuple[str, ...], where: str
) -> NDArray[np.int64]:
    """Test labels that came as texts, numbered as the training labels are."""
    if bool(names) != bool(test_names):
        raise UserError(f"{where}: y and y_test must both be numbers or both be names")
    unknown = sorted(set(test_names) - set(names))
    if unknown:
        raise UserError(f"{where}: the test label {unknown[0]!r} does not occur in y")
    return np.array([names.index(name) for name in test_names])[y_test] if names else y_test


def _same_length(x: Samples, y: NDArray[np.int64], where: str, pair: Pair) -> None:
    if len(x) != len(y):
        raise UserError(f"{where}: {pair[0]} has {len(x):,} samples, {pair[1]} {len(y):,} labels")
