"""Small real files of each format that nablab reads, made the same each time."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: Pillow's names of formats, by the suffix that files of them have.
PICTURES = {
    "png": "PNG",
    "jpg": "JPEG",
    "gif": "GIF",
    "webp": "WEBP",
    "bmp": "BMP",
    "tif": "TIFF",
    "ppm": "PPM",
    "tga": "TGA",
    "jp2": "JPEG2000",
    "pcx": "PCX",
    "ico": "ICO",
    "qoi": "QOI",
    "sgi": "SGI",
    "dds": "DDS",
    "icns": "ICNS",
    "xbm": "XBM",
    "blp": "BLP",
    "avif": "AVIF",
}
SIDE = 12

_TARS: dict[str, tuple[Literal["w", "w:gz", "w:bz2", "w:xz"], int]] = {
    "tar": ("w", tarfile.GNU_FORMAT),
    "pax": ("w", tarfile.PAX_FORMAT),
    "tar.gz": ("w:gz", tarfile.PAX_FORMAT),
    "tar.bz2": ("w:bz2", tarfile.PAX_FORMAT),
    "tar.xz": ("w:xz", tarfile.PAX_FORMAT),
}


@cache
def digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Twenty images (20, 28, 28) of the slice that ships, two of each class, with their labels (20,)."""
    with (resources.files("nablab.data") / "embedded" / "fashion-mnist.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        x, y = stored["x_test"], stored["y_test"]
    rows = np.concatenate([np.flatnonzero(y == label)[:2] for label in range(10)])
    return x[rows], y[rows].astype(np.uint8)


def idx() -> list[bytes]:
    """Images and labels, plain and gzipped."""
    plain = []
    for array in digits():
        small = array[:, ::4, ::4] if array.ndim == 3 else array
        plain.append(struct.pack(f">HBB{small.ndim}I", 0, 8, small.ndim, *small.shape) + small.tobytes())
    return plain + [gzip.compress(content, mtime=0) for content in plain]


def cifar_records(count: int) -> bytes:
    """Records of CIFAR-10's binary files: a label, then 3 x 32 x 32 bytes. Up to ten, one of a class."""
    x, y = digits()
    grown = np.zeros((len(x), 3, 32, 32), dtype=np.uint8)
    grown[:, :, 2:30, 2:30] = x[:, None]
    return b"".join(bytes([y[2 * i]]) + grown[2 * i].tobytes() for i in range(count))


def npy(array: NDArray[Any], *, pickled: bool = False, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=pickled)
    return file.getvalue()


@cache
def samples() -> dict[str, bytes]:
    """`X.npy` in the forms that users have it."""
    x = digits()[0][:, ::4, ::4]
    objects = np.empty(len(x), dtype=object)
    objects[:] = [row.tolist() for row in x]
    return {
        "bytes": npy(x),
        "channels first": npy(x[:, None]),
        "channels last": npy(np.repeat(x[..., None], 3, axis=-1)),
        "floats": npy((x / 255).astype(np.float32)),
        "doubles, other byte order": npy((x / 255).astype(">f8")),
        "halves": npy((x / 255).astype(np.float16)),
        "features": npy(x.reshape(len(x), -1).astype(np.float64)),
        "whole numbers": npy(x.astype(np.int64)),
        "truth values": npy(x > 100),
        "Fortran": npy(np.asfortranarray(x)),
        "version 2": npy(x, version=(2, 0)),
        "version 3": npy(x, version=(3, 0)),
        "objects": npy(objects, pickled=True),
        "records": npy(np.zeros(len(x), dtype=[("pixels", "u1", (7, 7)), ("odd", "f4")])),
        "texts": npy(np.array([f"sample {i}" for i in range(len(x))])),
        "complex": npy(x.astype(np.complex64)),
        "dates": npy(np.arange(len(x)).astype("M8[D]")),
        "nothing": npy(np.zeros((0, 7, 7), dtype=np.uint8)),
    }


@cache
def labels() -> dict[str, bytes]:
    """`Y.npy` in the forms that users have it."""
    y = digits()[1].astype(np.int64)
    return {
        "numbers": npy(y),
        "column": npy(y[:, None]),
        "floats": npy(y.astype(np.float64)),
        "one-hot": npy(np.eye(10)[y]),
        "texts": npy(np.array([f"class {label}" for label in y])),
        "objects": npy(y.astype(object), pickled=True),
        "byte texts": npy(np.array([b"class %d" % label for label in y])),
    }


@cache
def picture(suffix: str, number: int) -> bytes:
    """One picture of `SIDE` x `SIDE`; grey, colour, transparent, palette... by its number."""
    from PIL import Image

    rows = digits()[0][number % 20]
    grey = Image.fromarray(rows).resize((SIDE, SIDE))
    options: dict[str, Any] = {}
    if suffix == "png":
        grey = grey.convert(("L", "RGB", "RGBA", "P", "1", "LA", "I;16")[number % 7])
    elif suffix == "tif":
        grey = grey.convert(("L", "RGB", "F", "I")[number % 4])
        options["compression"] = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")[number % 4]
    elif suffix == "xbm":
        grey = grey.convert("1")
    elif suffix in ("blp", "gif"):
        grey = grey.convert("P")
    else:
        grey = grey.convert("RGB")
    if suffix == "gif" and number % 2:
        options |= {"save_all": True, "append_images": [grey.rotate(90)]}
    if suffix == "jpg":
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        options |= {"exif": exif, "progressive": number % 2 == 1}
    file = io.BytesIO()
    grey.save(file, PICTURES[suffix], **options)
    return file.getvalue()


@cache
def can_be_made(suffix: str) -> bool:
    """Whether this build of Pillow writes the format."""
    try:
        return bool(picture(suffix, 0))
    except (OSError, KeyError):
        return False


@cache
def archives() -> dict[str, bytes]:
    """The same three files in every kind of archive."""
    content = {"a/data_1.bin": cifar_records(2), "a/readme.txt": b"text\n" * 9, f"{'long' * 30}.bin": b"x"}
    made = {}
    for kind, (mode, form) in _TARS.items():
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode, format=form) as archive:
            for name, member in content.items():
                header = tarfile.TarInfo(name)
                header.size, header.mtime = len(member), 0
                archive.addfile(header, io.BytesIO(member))
        made[kind] = file.getvalue()
    for kind, method in (("stored.zip", zipfile.ZIP_STORED), ("zip", zipfile.ZIP_DEFLATED)):
        made[kind] = zipped(content, method)
    return made


def zipped(content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip, or with the names of arrays an `.npz`; the same bytes each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, member in content.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, member)
    return file.getvalue()
