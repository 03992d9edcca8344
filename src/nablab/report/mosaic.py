"""Many small pictures in one, with nothing between them: pixels that are transparent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nablab.report.view_types import Picture

RGBA = NDArray[np.uint8]  #: (H, W, 4)


def scaled(picture: Picture, side: int) -> NDArray[np.uint8]:
    """The picture as RGB (h, w, 3), its longer side at most `side`.

    A small one is enlarged by a whole number, so that its pixels stay squares; a large one is resampled.
    """
    from PIL import Image

    image = Image.fromarray(picture).convert("RGB")
    longest = max(image.size)
    if longest > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    elif (times := side // longest) > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    return np.asarray(image)


def mosaic(rows: Sequence[Sequence[Picture]], side: int, gap: int) -> RGBA:
    """Rows of pictures, each scaled to `side`, `gap` pixels apart; shorter rows end in transparent pixels."""
    tiles = [[scaled(picture, side) for picture in row] for row in rows]
    height = max((tile.shape[0] for row in tiles for tile in row), default=0)
    width = max((tile.shape[1] for row in tiles for tile in row), default=0)
    columns = max((len(row) for row in tiles), default=0)
    size = [max(0, times * (length + gap) - gap) for times, length in ((len(rows), height), (columns, width))]
    out = np.zeros((*size, 4), np.uint8)
    for i, row in enumerate(tiles):
        for j, tile in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            place = out[top : top + tile.shape[0], left : left + tile.shape[1]]
            place[..., :3] = tile
            place[..., 3] = 255
    return out
