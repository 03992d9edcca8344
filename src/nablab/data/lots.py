"""Pictures decoded a lot at a time, so that work that is cut off goes on where it was.

What a lot comes to is one small file, put in place whole and named after all that it depends on: the
pictures, their sizes and times, and what is done to them. So whatever ends the work, `kill -9` included, only
the lots that are missing are decoded anew, and so is a picture that changed meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.data.sources.picture import Color, read_picture
from nablab.errors import UserError

_MOST_PICTURES = 64  # in a lot: some tenths of a second
_MOST_BYTES = 2**25  # in a lot of large ones; a few are in memory at a time
_MEANING = 1  # to be raised when the same picture comes to other pixels


@dataclass(frozen=True, eq=False)
class Lot:
    """Some pictures decoded: those that can be read (K, C, H, W), and why the others can't (N,)."""

    pixels: NDArray[np.uint8]
    reasons: tuple[str, ...]  #: empty for what was read


@dataclass(frozen=True)
class Lots:
    """What is to be decoded, to what, and where lots wait.

    Attributes:
        files: the pictures.
        size: height and width they are brought to; None leaves them.
        color: as `picture.read_picture`.
        shape: (C, H, W) of what they come to; one of another shape counts as unreadable.
        folder: where lots wait.
    """

    files: tuple[Path, ...]
    size: int | None
    color: Color
    shape: tuple[int, int, int]
    folder: Path

    @property
    def slices(self) -> list[slice]:
        """Which files make up each lot."""
        length = max(1, min(_MOST_PICTURES, _MOST_BYTES // math.prod(self.shape)))
        return [slice(start, start + length) for start in range(0, len(self.files), length)]

    def lot(self, part: slice) -> Lot:
        """One of `slices`: what is waiting of it, else decoded now and put there."""
        files = self.files[part]
        path = self.folder / f"{self._key(files)}.npz"
        waiting = self._waiting(path, len(files))
        if waiting is not None:
            return waiting
        lot = self._decoded(files)
        content = partial(np.savez, pixels=lot.pixels, reasons=np.array(lot.reasons, dtype=np.str_))
        atomic.write_with(path, content)
        return lot

    def _key(self, files: Sequence[Path]) -> str:
        about = [_MEANING, self.size, self.color, self.shape, [_state(file) for file in files]]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]

    def _waiting(self, path: Path, count: int) -> Lot | None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                pixels, reasons = stored["pixels"], tuple(stored["reasons"].tolist())
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None
        fits = len(reasons) == count and pixels.shape == (reasons.count(""), *self.shape)
        return Lot(pixels, reasons) if fits and pixels.dtype == np.uint8 else None

    def _decoded(self, files: Sequence[Path]) -> Lot:
        pixels = np.empty((len(files), *self.shape), dtype=np.uint8)
        reasons: list[str] = []
        for file in files:
            try:
                pixels[reasons.count("")] = self._picture(file)
                reasons.append("")
            except UserError as error:
                if not os.path.lexists(file):
                    raise UserError(f"{file}: is gone since it was listed; try again") from error
                reasons.append(" ".join(str(error).removeprefix(f"{file}: ").split()))
        return Lot(pixels[: reasons.count("")], tuple(reasons))

    def _picture(self, file: Path) -> NDArray[np.uint8]:
        picture = read_picture(file, self.size, self.color)
        if picture.shape != self.shape:  # it changed since its header was read
            raise UserError(f"{file}: is now {picture.shape[2]}x{picture.shape[1]}")
        return picture


def _state(file: Path) -> tuple[str, int, int]:
    """What tells a picture from another, or from what it was before."""
    try:
        status = file.stat()
    except OSError:
        return str(file.absolute()), -1, -1
    return str(file.absolute()), status.st_size, status.st_mtime_ns
