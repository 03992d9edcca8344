"""One picture file, decoded with care: it may be huge, broken, on its side, or no picture at all."""

from __future__ import annotations

import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nablab.data.sources.bounded_file import BoundedFile
from nablab.data.sources.npy import refuse_special_file
from nablab.data.sources.room import Room
from nablab.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

Color = Literal["grey", "rgb"]

#: Pictures of more pixels are refused before they are decoded: a small file can hold gigabytes of one colour.
MOST_PIXELS = 50_000_000
#: The limit for WebP, JPEG 2000, AVIF and progressive JPEG, whose decoders take 12 to 25 bytes a pixel.
MOST_PIXELS_HUNGRY = 20_000_000

# In however many threads: decoded, flattened and copied, a picture of MOST_PIXELS takes as much.
_ROOM = Room(500_000_000)
# Pillow takes memory in blocks of 16 MiB, which glibc keeps for the thread that gives them back, for each
# thread its own; blocks of more than 32 MiB go back to the system. Small pictures take what they need.
_BLOCK = 64 * 2**20
_HUNGRY = frozenset({"WEBP", "JPEG2000", "AVIF"})
_STRIP = 256  # rows

# Formats that run another program (EPS), or that Pillow names without being able to decode them.
_NOT_DECODED = frozenset({"EPS", "PDF", "MPEG", "HDF5", "GRIB", "BUFR", "WMF"})

# Pictures that Pillow alone does not read: errors name them, lest a part of a class is left out unseen.
_CONVERTED = frozenset({".heic", ".heif", ".avif", ".jxl"})


@dataclass(frozen=True)
class Header:
    """What a picture says of itself before it is decoded; width and height as shown (EXIF orientation).

    `turned` is whether EXIF says that it is stored turned or mirrored.
    """

    path: Path
    width: int
    height: int
    is_grey: bool
    turned: bool = False


@lru_cache(maxsize=1)
def _formats() -> tuple[frozenset[str], tuple[str, ...]]:
    """The suffixes of picture files, and Pillow's names for what may be in them."""
    from PIL import Image

    Image.core.set_block_size(_BLOCK)  # type: ignore[attr-defined]
    suffixes = Image.registered_extensions()  # this also loads all of Pillow's formats
    formats = tuple(sorted(set(Image.OPEN) - _NOT_DECODED))
    return frozenset(suffix for suffix, name in suffixes.items() if name in formats), formats


def is_picture_name(path: Path) -> bool:
    """Whether a file is a picture by its suffix; hidden files are none."""
    return not path.name.startswith(".") and path.suffix.lower() in _formats()[0] | _CONVERTED


def read_header(path: Path) -> Header:
    """Size and colour of a picture.

    Raises:
        UserError: not readable, or of more than `MOST_PIXELS`.
    """
    with _opened(path) as picture:
        width, height = picture.size
        orientation = _orientation(picture)
        if orientation in (5, 6, 7, 8):  # those that lie on their side
            width, height = height, width
        grey = picture.mode in ("1", "L", "LA") or _has_16_bits(picture)
        return Header(path, width, height, grey, turned=orientation in range(2, 9))


def _orientation(picture: Image.Image) -> int:
    """How EXIF says that a picture is stored; 1 is upright, as is one whose EXIF cannot be read.

    Pillow decodes all of a PNG to look behind its pixels too, where EXIF may be and hardly ever is.
    """
    from PIL import Image

    file = getattr(picture, "fp", None)
    in_front = picture.format == "PNG" and file is not None and not _tells_more_behind(file)
    try:
        exif = Image.Image.getexif(picture) if in_front else picture.getexif()
        return int(exif.get(0x0112, 1))
    except (SyntaxError, ValueError, TypeError, struct.error):
        return 1


def _tells_more_behind(file: IO[bytes]) -> bool:
    """Whether chunks that can hold EXIF follow the pixels of a PNG (PNG specification, 5.3: length, type)."""
    here, behind = file.tell(), False
    try:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            behind = behind or head[4:] == b"IDAT"
            if behind and head[4:] in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
        return False
    finally:
        file.seek(here)


def _has_16_bits(picture: Image.Image) -> bool:
    """Whether a picture is grey with 16 bits; those of PGM come as 32, brought to the range of 16."""
    return picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM")


def read_picture(path: Path, size: int | None, color: Color) -> NDArray[np.uint8]:
    """A picture as (C, H, W) bytes, upright, on white where it is transparent.

    Args:
        size: height and width it is brought to (cubic, antialiased, not cropped); None leaves it.
        color: `grey` gives C = 1 (ITU-R 601-2 luma), `rgb` C = 3. Of 16-bit grey, the upper 8 bits count.

    Raises:
        UserError: as `read_header`; a 32-bit picture, whose range cannot be known.
    """
    from PIL import Image, ImageOps

    with _opened(path) as picture:
        needed = picture.width * picture.height * _ROOM.size // _most_pixels(picture)
        if size is not None:
            picture.draft(None, (2 * size, 2 * size))  # a JPEG is decoded at a half, a quarter... of its size
        with _ROOM.taken(needed):
            if _orientation(picture) != 1:
                ImageOps.exif_transpose(picture, in_place=True)
            upright = _of_mode(_flattened(picture, path), "L" if color == "grey" else "RGB")
            if size is not None:
                upright = upright.resize((size, size), Image.Resampling.BICUBIC)
            if upright is not picture:
                picture.close()  # gives up its pixels, which may be 200 MB
            return _planes(upright)


def _planes(picture: Image.Image) -> NDArray[np.uint8]:
    """(C, H, W), a channel at a time: all at once would be three copies."""
    pixels = np.empty((len(picture.getbands()), picture.height, picture.width), dtype=np.uint8)
    for channel, plane in enumerate(pixels):
        plane[:] = np.asarray(picture.getchannel(channel))
    return pixels


def _of_mode(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in a mode; itself where it is (Pillow would copy it)."""
    return picture if picture.mode == mode else picture.convert(mode)


def _flattened(picture: Image.Image, path: Path) -> Image.Image:
    """The picture without transparency and with 8 bits a channel."""
    from PIL import Image

    if _has_16_bits(picture):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise UserError(f"{path}: has 32 bits a pixel; save it with 8 or 16, or give the images as .npz")
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        return _on_white(picture)
    return picture


def _on_white(picture: Image.Image) -> Image.Image:
    """What shows through is white. By strips, since it takes three copies in RGBA."""
    from PIL import Image

    flat = Image.new("RGB", picture.size)
    for top in range(0, picture.height, _STRIP):
        bottom = min(top + _STRIP, picture.height)
        strip = picture.crop((0, top, picture.width, bottom)).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        flat.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return flat


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An opened picture of a size that may be decoded; whatever goes wrong with it names the file."""
    from PIL import Image, UnidentifiedImageError

    refuse_special_file(path)
    try:
        # Warnings are of odd metadata, and of sizes, which are checked here.
        with _SILENCE, BoundedFile(path) as file, Image.open(file, formats=_formats()[1]) as picture:
            most = _most_pixels(picture)
            if picture.width * picture.height > most:
                raise UserError(_too_large(path, f"{picture.width}x{picture.height} pixels", most))
            yield picture
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(path, "far more pixels", MOST_PIXELS)) from error
    except Exception as error:  # decoders of broken files raise nearly anything
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else error
        suffix = path.suffix.lower()
        if suffix in _CONVERTED - _formats()[0]:
            raise UserError(f"{path}: {suffix} is not read; save it as .jpg or .png, or remove it") from error
        raise UserError(f"{path}: cannot be read ({reason}); repair or remove it") from error


class _Silence:
    """Ignores warnings for as long as any thread is within: `catch_warnings` alone serves one thread.

    Two threads that leave it in another order than they came would leave the filters of one to the other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._filters: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1
            if self._filters is None:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0 and self._filters is not None:
                self._filters.__exit__(None, None, None)
                self._filters = None


_SILENCE = _Silence()


def _is_hungry(picture: Image.Image) -> bool:
    return picture.format in _HUNGRY or "progressive" in picture.info


def _most_pixels(picture: Image.Image) -> int:
    return MOST_PIXELS_HUNGRY if _is_hungry(picture) else MOST_PIXELS


def _too_large(path: Path, what: str, most: int) -> str:
    return f"{path}: has {what}, more than the {most:,} that are read; make it smaller"
