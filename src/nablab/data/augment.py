"""Random changes of images that leave their class as it is, drawn anew each epoch, a batch at a time.

Meant for raw pixels, before preprocessing: what moves in from outside is then the smallest value an image
may hold, and brightness scales what the camera measured. What is done to an image depends on (seed, epoch,
position in the training order) alone, so that neither batch size nor a resumed run changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nablab.data import keyed
from nablab.data.affine import affine
from nablab.data.dataset import Array
from nablab.errors import UserError, did_you_mean

Floats = NDArray[np.float64]

# Which column of the uniform numbers drives what: fixed, so that adding `erase` leaves the shifts alone.
_FLIP, _SHIFT_Y, _SHIFT_X, _ROTATE, _SCALE, _BRIGHTNESS, _ERASE_Y, _ERASE_X = range(8)


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training image: turned and scaled, mirrored, moved, brightened, then erased.

    Attributes:
        flip: mirrored left to right, half of the time.
        shift: moved by a whole number of pixels from -shift to shift, down and right independently.
        rotate: turned clockwise about its centre, by an angle from -rotate to rotate degrees; bilinear.
        scale: magnified by a factor from 1 - scale to 1 + scale about its centre; bilinear.
        brightness: its distance from the darkest value times a factor from 1 - brightness to 1 + brightness.
        erase: a square of this side, anywhere within, takes the darkest value (cutout: DeVries and
            Taylor 2017, with the square kept inside).
        value_range: the smallest value, which fills what is uncovered, and the largest.
    """

    flip: bool = False
    shift: int = 0
    rotate: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    erase: int = 0
    value_range: tuple[float, float] = (0.0, 255.0)

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return bool(str(self))

    def __str__(self) -> str:
        """The canonical text, which `parse` reads."""
        parts = []
        for name in _READERS:
            value = getattr(self, name)
            if value:
                parts.append(name if value is True else f"{name}:{value:g}")
        return ",".join(parts)

    def apply(self, x_NCHW: Array, *, seed: int, epoch: int, positions: ArrayLike) -> Array:
        """The images changed, each by its own draw; same shape and type, the input is left as it is.

        Args:
            x_NCHW: uint8 or float32 images.
            positions: (N,) the position of each in the training order, its key together with seed and epoch.
        """
        draws = keyed.uniforms(seed, "augmentation", epoch, positions, 8)
        x = x_NCHW
        if self.rotate or self.scale:
            x = self._turned(x, draws)
        if self.flip:
            x = np.where((draws[:, _FLIP] < 0.5)[:, None, None, None], x[..., ::-1], x)
        if self.shift:
            x = self._shifted(x, draws)
        if self.brightness:
            x = self._brightened(x, draws)
        if self.erase:
            x = self._erased(x, draws)
        return x if x is not x_NCHW else x_NCHW.copy()

    def _turned(self, x: Array, draws: Floats) -> Array:
        angle = np.deg2rad(self.rotate) * (2 * draws[:, _ROTATE] - 1)
        factor = 1 + self.scale * (2 * draws[:, _SCALE] - 1)
        cosine, sine = np.cos(angle) / factor, np.sin(angle) / factor
        matrices = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
        return affine(x, matrices, self.value_range[0])

    def _shifted(self, x: Array, draws: Floats) -> Array:
        most, (height, width) = self.shift, x.shape[2:]
        moves = np.floor(draws[:, _SHIFT_Y : _SHIFT_X + 1] * (2 * most + 1)).astype(np.intp)
        border = ((0, 0), (0, 0), (most, most), (most, most))
        padded = np.pad(x, border, constant_values=self.value_range[0])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        # A window that starts higher up shows the image lower down: 0 moves it down by `most`.
        moved: Array = windows[np.arange(len(x)), :, 2 * most - moves[:, 0], 2 * most - moves[:, 1]]
        return moved

    def _brightened(self, x: Array, draws: Floats) -> Array:
        low, high = self.value_range
        factor = (1 + self.brightness * (2 * draws[:, _BRIGHTNESS] - 1)).astype(np.float32)
        bright = (x - np.float32(low)) * factor[:, None, None, None] + np.float32(low)
        return _as_type(np.clip(bright, low, high), x.dtype)

    def _erased(self, x: Array, draws: Floats) -> Array:
        side, (height, width) = self.erase, x.shape[2:]
        tops = np.floor(draws[:, _ERASE_Y] * (height - side + 1))[:, None]
        lefts = np.floor(draws[:, _ERASE_X] * (width - side + 1))[:, None]
        rows, columns = np.arange(height), np.arange(width)
        in_rows = (rows >= tops) & (rows < tops + side)
        in_columns = (columns >= lefts) & (columns < lefts + side)
        inside = in_rows[:, None, :, None] & in_columns[:, None, None, :]
        return np.where(inside, np.asarray(self.value_range[0], dtype=x.dtype), x)


def _as_type(values: NDArray[Any], kind: np.dtype[Any]) -> Array:
    return np.rint(values).astype(kind) if kind == np.uint8 else values.astype(kind, copy=False)


def parse(
    text: str, input_shape: tuple[int, ...], value_range: tuple[float, float] = (0.0, 255.0)
) -> Augmentation:
    """The augmentation that a text such as `flip,shift:2,rotate:10,scale:0.1` means; empty is none.

    Args:
        input_shape: of a sample; only images (C, H, W) can be augmented.
        value_range: the smallest and largest value of the images it will be applied to.

    >>> str(parse("shift:2, flip", (1, 28, 28)))
    'flip,shift:2'

    Raises:
        UserError: a name, a number or a size that does not fit; a name given twice.
    """
    values: dict[str, Any] = {}
    if text.strip() and len(input_shape) != 3:
        raise UserError(f"augmentation {text!r} is for images; these samples are features {input_shape}")
    for item in (part.strip() for part in text.split(",") if part.strip()):
        name, colon, number = (part.strip() for part in item.lower().partition(":"))
        if name not in _READERS:
            raise UserError(f"no augmentation {name!r}{did_you_mean(name, _READERS)}")
        if name in values:
            raise UserError(f"augmentation {name!r} is given twice")
        values[name] = _READERS[name](name, number if colon else None, input_shape)
    return Augmentation(**values, value_range=value_range)


def _flag(name: str, number: str | None, input_shape: tuple[int, ...]) -> bool:
    if number is not None:
        raise UserError(f"augmentation {name!r} takes no number, not {number!r}")
    return True


def _pixels(name: str, number: str | None, input_shape: tuple[int, ...]) -> int:
    most = min(input_shape[1:], default=1) - 1
    if number is None or not number.isdecimal() or not 1 <= int(number) <= most:
        raise UserError(
            f"augmentation {name!r} needs whole pixels from 1 to {most}, as in {name}:2, not {number}"
        )
    return int(number)


def _number(most: float) -> Callable[[str, str | None, tuple[int, ...]], float]:
    def read(name: str, number: str | None, input_shape: tuple[int, ...]) -> float:
        try:
            value = float(number or "")
        except ValueError:
            value = -1.0
        if not 0 < value <= most:
            raise UserError(f"augmentation {name!r} needs a number above 0, up to {most:g}, not {number}")
        return value

    return read


_READERS: dict[str, Callable[[str, str | None, tuple[int, ...]], Any]] = {
    "flip": _flag,
    "shift": _pixels,
    "rotate": _number(180),
    "scale": _number(0.9),
    "brightness": _number(1),
    "erase": _pixels,
}
