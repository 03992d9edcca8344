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
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from nablab.data import keyed
from nablab.data.affine import affine
from nablab.data.dataset import Array
from nablab.data.flip_shift import flip, shift
from nablab.data.resized_crop import random_windows, resized_crop
from nablab.errors import UserError, did_you_mean

Floats = NDArray[np.float64]

# Which column of the uniform numbers drives what: fixed, so that adding `erase` leaves the shifts alone.
# A new one is appended: what was drawn for the others stays what it was, in any version.
_FLIP, _SHIFT_Y, _SHIFT_X, _ROTATE, _SCALE, _BRIGHTNESS, _ERASE_Y, _ERASE_X = range(8)
_CROP, _COLUMNS = slice(8, 12), 12


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training image: turned and scaled, cropped, mirrored, moved, brightened, erased.

    Attributes:
        flip: mirrored left to right, half of the time.
        shift: moved by a whole number of pixels from -shift to shift, down and right independently; what
            libraries call a random crop after padding.
        crop: a window of a share from `crop` to 1 of the area, anywhere within, enlarged to the size of the
            image (random resized crop: Szegedy et al. 2015); bilinear. Its proportions are the image's,
            wider or narrower by up to 4/3.
        rotate: turned clockwise about its centre, by an angle from -rotate to rotate degrees; bilinear.
        scale: magnified by a factor from 1 - scale to 1 + scale about its centre; bilinear.
        brightness: its distance from the darkest value times a factor from 1 - brightness to 1 + brightness.
        erase: a square of this side, anywhere within, takes the darkest value (cutout: DeVries and
            Taylor 2017, with the square kept inside).
        value_range: the smallest value, which fills what is uncovered, and the largest.
    """

    flip: bool = False
    shift: int = 0
    crop: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    erase: int = 0
    value_range: tuple[float, float] = (0.0, 255.0)

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return bool(str(self))

    @property
    def interpolates(self) -> bool:
        """Whether values between pixels are needed: PyTorch computes those, with its number of threads."""
        return bool(self.crop or self.rotate or self.scale)

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
        columns = _COLUMNS if self.crop else _CROP.start
        draws = keyed.uniforms(seed, "augmentation", epoch, positions, columns)
        x = x_NCHW
        if self.rotate or self.scale:
            x = self._turned(x, draws)
        if self.crop:
            x = resized_crop(x, random_windows(draws[:, _CROP], self.crop, *x.shape[2:]))
        flipped = draws[:, _FLIP] < 0.5 if self.flip else None
        if self.shift:
            moves = np.floor(draws[:, _SHIFT_Y : _SHIFT_X + 1] * (2 * self.shift + 1)).astype(np.intp)
            down, right = (moves - self.shift).T
            x = shift(x, down, right, self.value_range[0], flipped)
        elif flipped is not None:
            x = flip(x, flipped)
        if self.brightness:
            x = self._brightened(x, draws)
        if x is x_NCHW:
            x = x_NCHW.copy()
        if self.erase:
            self._erase(x, draws)
        return x

    def _turned(self, x: Array, draws: Floats) -> Array:
        angle = np.deg2rad(self.rotate) * (2 * draws[:, _ROTATE] - 1)
        factor = 1 + self.scale * (2 * draws[:, _SCALE] - 1)
        cosine, sine = np.cos(angle) / factor, np.sin(angle) / factor
        matrices = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
        return affine(x, matrices, self.value_range[0])

    def _brightened(self, x: Array, draws: Floats) -> Array:
        low, high = self.value_range
        factor = (1 + self.brightness * (2 * draws[:, _BRIGHTNESS] - 1)).astype(np.float32)
        bright = x.astype(np.float32)
        if low:
            bright -= np.float32(low)
        bright *= factor[:, None, None, None]
        if low:
            bright += np.float32(low)
        np.clip(bright, low, high, out=bright)
        return np.rint(bright, out=bright).astype(np.uint8) if x.dtype == np.uint8 else bright

    def _erase(self, x: Array, draws: Floats) -> None:
        """In place."""
        side, (height, width) = self.erase, x.shape[2:]
        top = np.floor(draws[:, _ERASE_Y] * (height - side + 1)).astype(np.intp)
        left = np.floor(draws[:, _ERASE_X] * (width - side + 1)).astype(np.intp)
        squares = sliding_window_view(x, (side, side), axis=(2, 3), writeable=True)
        squares[np.arange(len(x)), :, top, left] = self.value_range[0]


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


def _area(name: str, number: str | None, input_shape: tuple[int, ...]) -> float:
    try:
        value = float(number or "")
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise UserError(
            f"augmentation {name!r} needs the smallest share of the area, above 0 and below 1, as in "
            f"{name}:0.6, not {number}"
        )
    return value


_READERS: dict[str, Callable[[str, str | None, tuple[int, ...]], Any]] = {
    "flip": _flag,
    "shift": _pixels,
    "crop": _area,
    "rotate": _number(180),
    "scale": _number(0.9),
    "brightness": _number(1),
    "erase": _pixels,
}
