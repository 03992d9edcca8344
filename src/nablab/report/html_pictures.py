"""The small pictures in a report: each test image is in the page once, as PNG, and shown from many places."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

from nablab.report.view_types import Picture

#: Larger pictures are made smaller for the report; they are shown at less than that.
MAX_SIDE = 96


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture that the page holds; `width` and `height` are those of the PNG."""

    index: int  #: of the test image
    width: int
    height: int
    uri: str  #: data:image/png;base64,...


def embed(index: int, picture: Picture) -> EmbeddedPicture:
    """The picture as a PNG data URI, scaled down where a side is longer than `MAX_SIDE`.

    Args:
        index: of the test image.
        picture: uint8, (H, W) grey or (H, W, 3) RGB.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return EmbeddedPicture(
        index, *image.size, "data:image/png;base64," + b64encode(buffer.getvalue()).decode()
    )
