"""Histograms of oriented gradients (HOG), the features that pedestrians were found by before networks.

N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. scikit-learn has
none; this is a transformer of its kind, over whole arrays of images.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

Shape = tuple[int, ...]

#: Images at a time: their votes, nine numbers a pixel, then stay in the processor's cache.
_AT_ONCE = 32
#: Keeps the norm of a block without any gradient from being 0, in units of the pixels.
_EPSILON = 1e-5


class HogFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Images (N, C·H·W), flattened, to block-normalised histograms of gradient orientations (N, F) float32.

    As in the paper: centred differences [-1, 0, 1] without smoothing; at each pixel of a colour image the
    channel with the largest gradient; unsigned orientations; votes of the gradient's magnitude, shared
    linearly among the two nearest orientations and the four nearest cells; overlapping blocks of cells,
    each normalised by L2-Hys (L2, clipped at 0.2, L2 again). Left out is the Gaussian window over a block.

    F = (cells down - block + 1) (cells across - block + 1) block² orientations: 1,296 for 28 x 28 pixels.

    Args:
        orientations: bins of [0°, 180°).
        cell: pixels of a cell's side; None: 4, or 8 where the shorter side has 48 pixels or more, and fewer
            where that leaves no block. What is left over at the right and the bottom votes for the last
            cells.
        block: cells of a block's side.
        clip: largest value in a block before it is normalised again.
        image_shape: (C, H, W); None: square images, grey or RGB by the number of features. A fit by nablab
            sets it.
    """

    def __init__(
        self,
        orientations: int = 9,
        cell: int | None = None,
        block: int = 2,
        clip: float = 0.2,
        image_shape: Shape | None = None,
    ) -> None:
        self.orientations = orientations
        self.cell = cell
        self.block = block
        self.clip = clip
        self.image_shape = image_shape

    def fit(self, X: NDArray[Any], y: object = None) -> HogFeatures:
        """Learns nothing but the shape of the images.

        Raises:
            ValueError: features instead of images, or images smaller than a block.
        """
        self.shape_ = _shape(X.shape[1], self.image_shape)
        side = min(self.shape_[1:])
        self.cell_ = self.cell or max(1, min(8 if side >= 48 else 4, side // self.block))
        if min(self.cells) < self.block:
            height, width = self.shape_[1:]
            least = self.cell_ * self.block
            raise ValueError(f"HOG needs images of {least} x {least} pixels at least, not {height} x {width}")
        self.n_features_in_ = X.shape[1]
        return self

    @property
    def cells(self) -> tuple[int, int]:
        """Cells down and across."""
        return self.shape_[1] // self.cell_, self.shape_[2] // self.cell_

    @property
    def features(self) -> int:
        """F, how many numbers an image becomes."""
        down, across = (cells - self.block + 1 for cells in self.cells)
        return down * across * self.block**2 * self.orientations

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """The features (N, F) of images (N, C·H·W)."""
        out = np.empty((len(X), self.features), np.float32)
        height, width = self.shape_[1:]
        rows, columns = (
            shares(side, cells, self.cell_) for side, cells in zip((height, width), self.cells, strict=True)
        )
        for start in range(0, len(X), _AT_ONCE):
            images = np.asarray(X[start : start + _AT_ONCE], np.float32).reshape(-1, *self.shape_)
            cells = np.asarray(rows @ votes(images, self.orientations) @ columns.T, np.float32)
            out[start : start + len(images)] = self._blocks(cells.transpose(0, 2, 3, 1))
        return out

    def nablab_cost(self) -> tuple[int, int, str]:
        """Parameters, MACs and how they are counted, for one image.

        2 MACs for the square of each value's gradient; 8 for a pixel's votes, which go to two orientations in
        four cells; 4 for each feature, whose block is squared and scaled twice.
        """
        channels, height, width = self.shape_
        macs = height * width * (2 * channels + 8) + 4 * self.features
        counted = f"{height * width:,} pixels x {2 * channels + 8} + {self.features:,} HOG features x 4"
        return 0, macs, counted

    def _blocks(self, cells_NYXO: NDArray[np.float32]) -> NDArray[np.float32]:
        windows = np.lib.stride_tricks.sliding_window_view(cells_NYXO, (self.block, self.block), axis=(1, 2))
        blocks = windows.reshape(len(windows), -1, self.orientations * self.block**2)
        normed = _normalised(np.minimum(_normalised(blocks), self.clip))
        return normed.reshape(len(normed), -1)


def votes(images_NCHW: NDArray[np.float32], orientations: int) -> NDArray[np.float32]:
    """What each pixel gives to each orientation, (N, orientations, H, W).

    The centres of the bins are at half a bin, one and a half, ...; a gradient between two of them gives to
    both, the last and the first being neighbours. Beyond the border pixels repeat.
    """
    padded = np.pad(images_NCHW, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    squares = down**2 + across**2
    if images_NCHW.shape[1] > 1:
        strongest = squares.argmax(axis=1, keepdims=True)
        down, across, squares = (np.take_along_axis(a, strongest, axis=1) for a in (down, across, squares))
    magnitude = np.sqrt(squares[:, 0])
    place = np.arctan2(down[:, 0], across[:, 0]) * np.float32(orientations / math.pi) - np.float32(0.5)
    below = np.floor(place)
    upper = place - below
    out = np.zeros((len(images_NCHW), orientations, *images_NCHW.shape[2:]), np.float32)
    for bin_, share in ((below, 1 - upper), (below + 1, upper)):
        # Never the same bin twice, so no vote overwrites another's.
        index = (bin_.astype(np.int64) % orientations)[:, None]
        given = (magnitude * share)[:, None]
        np.put_along_axis(out, index, np.take_along_axis(out, index, axis=1) + given, axis=1)
    return out


def shares(side: int, cells: int, cell: int) -> NDArray[np.float32]:
    """How much of a pixel's vote goes to each cell along one axis, (cells, side); columns sum to 1.

    >>> shares(4, 2, 2).tolist()
    [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    """
    place = np.clip((np.arange(side) + 0.5) / cell - 0.5, 0, cells - 1)
    near = np.maximum(0, 1 - np.abs(place - np.arange(cells)[:, None]))
    return np.asarray(near, np.float32)


def _normalised(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + np.float32(_EPSILON**2))
    return np.asarray(blocks / norm)


def _shape(features: int, given: Shape | None) -> Shape:
    if given is not None:
        if len(given) != 3 or math.prod(given) != features:
            raise ValueError(f"HOG is of images, not of {' x '.join(map(str, given))} features")
        return given
    for channels in (1, 3):
        side = math.isqrt(features // channels)
        if channels * side**2 == features:
            return (channels, side, side)
    raise ValueError(f"{features} features are no square image; give image_shape")
