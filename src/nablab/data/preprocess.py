"""From stored pixels to what a network is fed: x -> (x - shift) / scale, fitted on training images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array
from nablab.errors import UserError, did_you_mean

Kind = Literal["standardize", "unit", "center", "none"]

_CHUNK = 2**21  # numbers whose float64 copy is in memory at a time
_CONSTANT = 1e-9  # a deviation below this share of the mean is rounding, not a deviation


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
        along = (1, -1) + (1,) * (x.ndim - 2)
        out = np.array(x, dtype=np.float32, order="C")
        out -= np.asarray(self.shift, dtype=np.float32).reshape(along)
        out /= np.asarray(self.scale, dtype=np.float32).reshape(along)
        return out

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` gave, also after a way through JSON."""
        shift, scale = (tuple(float(number) for number in values[name]) for name in ("shift", "scale"))
        return Preprocessing(_kind(values["kind"]), shift, scale)


def fit(kind: str, x_train: Array, value_range: tuple[float, float]) -> Preprocessing:
    """The preprocessing of a kind, fitted on training samples (N, C, H, W) or (N, D).

    `standardize`: mean 0 and deviation 1 over the training samples, by channel or feature (one that is
    constant is only shifted). `unit`: `value_range` to [0, 1]. `center`: `value_range` to [-0.5, 0.5].
    `none`: as they are.

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
        mean, deviation = moments(x_train)
        return Preprocessing(
            known, tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1).tolist())
        )
    shift, scale = {
        "unit": (low, width),
        "center": (low + width / 2, width),
        "none": (0.0, 1.0),
    }[known]
    return Preprocessing(known, (float(shift),) * columns, (float(scale),) * columns)


def moments(x: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and (population) standard deviation by channel (C,) of images, or by feature (D,).

    Two passes in float64 over a part of the rows at a time: exact, without a float64 copy of all.
    """
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    samples = x.size / x.shape[1]
    mean = sum(part.sum(axis=axes) for part in _parts(x)) / samples
    along = (1, -1) + (1,) * (x.ndim - 2)
    squares = sum(np.square(part - mean.reshape(along)).sum(axis=axes) for part in _parts(x))
    return mean, np.sqrt(squares / samples)


def _parts(x: Array) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _CHUNK // max(1, x[0].size))
    for start in range(0, len(x), rows):
        yield x[start : start + rows].astype(np.float64)


def _kind(name: str) -> Kind:
    for kind in get_args(Kind):
        if kind == name:
            return kind  # type: ignore[no-any-return]
    raise UserError(f"no preprocessing {name!r}{did_you_mean(name, get_args(Kind))}")
