"""From stored pixels to what a network is fed: x -> (x - shift) / scale, fitted on training images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nablab.data.samples import Array, LazyRows, RowNumbers, Samples, blocks
from nablab.errors import UserError, did_you_mean

Kind = Literal["standardize", "unit", "center", "none"]

_CHUNK = 2**21  # numbers whose float64 copy is in memory at a time
_CACHED = 2**17  # numbers that are preprocessed at a time, so that each step finds them in the cache


@dataclass(frozen=True)
class Preprocessing:
    """A fitted preprocessing, stored with the run.

    Attributes:
        kind: which of `fit`'s it is.
        shift: what is taken away, one number a channel of images (C,) or a feature (D,).
        scale: what the rest is divided by, as `shift`; never 0.
    """

    kind: Kind
    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, x: Array) -> NDArray[np.float32]:
        """The samples (N, C, H, W) or (N, D) as a network is fed them: float32, C-contiguous, same shape.

        Raises:
            UserError: another number of channels or features than it was fitted on.
        """
        if x.shape[1] != len(self.shift):
            raise UserError(f"preprocessing is for {len(self.shift)} channels or features, not {x.shape[1]}")
        shift, scale = _operand(self.shift, x.ndim), _operand(self.scale, x.ndim)
        out = np.empty(x.shape, dtype=np.float32)
        shifts, scales = bool(np.any(shift)), bool(np.any(scale != 1))
        rows = max(1, _CACHED // max(1, math.prod(x.shape[1:])))
        for start in range(0, len(x), rows):
            part = out[start : start + rows]
            part[...] = x[start : start + rows]
            if shifts:
                part -= shift
            if scales:
                part /= scale
        return out

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` gave, also after a way through JSON."""
        shift, scale = (tuple(float(number) for number in values[name]) for name in ("shift", "scale"))
        return Preprocessing(_kind(values["kind"]), shift, scale)


def _operand(numbers: tuple[float, ...], ndim: int) -> NDArray[np.float32]:
    """One number a channel or feature, to be broadcast; one for all, which is faster, where they agree."""
    same = len(set(numbers)) == 1
    operand = np.asarray(numbers[:1] if same else numbers, dtype=np.float32)
    return operand.reshape(()) if same else operand.reshape((1, -1) + (1,) * (ndim - 2))


def fit(
    kind: str, x_train: Samples, value_range: tuple[float, float], rows: RowNumbers | None = None
) -> Preprocessing:
    """The preprocessing of a kind, fitted on training samples (N, C, H, W) or (N, D).

    `standardize`: mean 0 and deviation 1 over the training samples, by channel or feature (one that is
    constant is only shifted). `unit`: `value_range` to [0, 1]. `center`: `value_range` to [-0.5, 0.5].
    `none`: as they are.

    Args:
        rows: of `x_train`, that count; None is all.

    >>> import numpy as np
    >>> fit("unit", np.zeros((5, 1, 28, 28), np.uint8), (0, 255))
    Preprocessing(kind='unit', shift=(0.0,), scale=(255.0,))

    Raises:
        UserError: no such kind.
    """
    known = _kind(kind)
    columns = int(x_train.shape[1])
    low, high = value_range
    width = high - low if high > low else 1.0
    if known == "standardize":
        mean, deviation = moments(x_train, rows)
        return Preprocessing(
            known, tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1).tolist())
        )
    shift, scale = {
        "unit": (low, width),
        "center": (low + width / 2, width),
        "none": (0.0, 1.0),
    }[known]
    return Preprocessing(known, (float(shift),) * columns, (float(scale),) * columns)


def moments(x: Samples, rows: RowNumbers | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and (population) standard deviation by channel (C,) of images, or by feature (D,).

    In float64 over some rows at a time, so without a float64 copy of all: of an array in two passes, of rows
    in a file in one, in the order in which they are stored.

    Args:
        rows: that count; None is all.
    """
    if isinstance(x, LazyRows):
        return _moments_in_one_pass((x if rows is None else x.select(rows)).forwards())
    count = (len(x) if rows is None else len(rows)) * math.prod(x.shape[2:])
    mean = sum(part.sum(axis=_others(part)) for part in _parts(x, rows)) / count
    squares = sum(np.square(part - _along(mean, x.ndim)).sum(axis=_others(part)) for part in _parts(x, rows))
    return mean, np.sqrt(squares / count)


def _moments_in_one_pass(x: LazyRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each part, put together.

    With d the difference of two means, their sums of squared deviations come to S + T + d^2 n m / (n + m):
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979.
    """
    count, mean, squares = 0.0, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for block in blocks(x):
        part = block.astype(np.float64)
        more = part.size / x.shape[1]
        its_mean = part.sum(axis=_others(part)) / more
        part -= _along(its_mean, part.ndim)
        its_squares = np.square(part, out=part).sum(axis=_others(part))
        apart = its_mean - mean
        squares += its_squares + apart**2 * (count * more / (count + more))
        count += more
        mean += apart * (more / count)
    return mean, np.sqrt(squares / count)


def _parts(x: Samples, rows: RowNumbers | None) -> Iterator[NDArray[np.float64]]:
    return (block.astype(np.float64) for block in blocks(x, rows, numbers=_CHUNK))


def _others(x: Array) -> tuple[int, ...]:
    """All axes but that of channels or features."""
    return tuple(axis for axis in range(x.ndim) if axis != 1)


def _along(by_column: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
    """Numbers by channel or feature, in a shape that stretches over samples."""
    return by_column.reshape((1, -1) + (1,) * (ndim - 2))


def _kind(name: str) -> Kind:
    for kind in get_args(Kind):
        if kind == name:
            return kind  # type: ignore[no-any-return]
    raise UserError(f"no preprocessing {name!r}{did_you_mean(name, get_args(Kind))}")
