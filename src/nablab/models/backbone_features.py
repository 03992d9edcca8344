"""The features of a frozen backbone as a transformer of scikit-learn's kind, computed once an image."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from nablab.data.cache import cache_folder
from nablab.errors import UserError
from nablab.models.backbone_names import FEATURES, code_of
from nablab.models.backbones import Backbone, current_backbone
from nablab.models.feature_cache import FeatureCache
from nablab.models.named_code import check_named

Shape = tuple[int, ...]

#: Images that go through the backbone at a time.
_AT_ONCE = 64
#: So few are computed whatever the cache has: they are those whose prediction is timed.
_NEVER_KEPT = 256


class BackboneFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Images (N, C·H·W), flattened, with values in [0, 1], to features (N, D) float32.

    Images are brought to the backbone's size (bilinear with antialiasing, the whole picture), grey ones
    repeated for each of its channels, and scaled by its mean and deviation. Nothing in it is trained.

    What was computed is kept in the cache folder, by all that the backbone is (`Backbone.key`) and each
    image's own pixels, so that other fractions, seeds and penalties compute nothing again.

    Args:
        backbone: what `load_backbone` takes.
        image_shape: (C, H, W); a fit by nablab sets it.
        folder: of the cache; None is nablab's.
    """

    def __init__(
        self, backbone: str = "", image_shape: Shape | None = None, folder: str | None = None
    ) -> None:
        self.backbone = backbone
        self.image_shape = image_shape
        self.folder = folder

    def fit(self, X: NDArray[Any], y: object = None) -> BackboneFeatures:
        """Learns nothing but the shape of the images, and which weights and code the backbone has.

        Raises:
            ValueError: features in place of images.
        """
        if self.image_shape is None or len(self.image_shape) != 3:
            raise ValueError(f"{self.backbone} takes images, not features")
        self.shape_ = tuple(int(side) for side in self.image_shape)
        backbone = self._named_backbone()
        self.sha256_, self.key_ = backbone.sha256, backbone.key
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """The features (N, D).

        Raises:
            UserError: the backbone has other weights, or other code, than when this was fitted; or its user
                never named it.
        """
        backbone = self._backbone()
        if len(X) <= _NEVER_KEPT:
            return self._computed(backbone, X)
        cache = FeatureCache(self._cache_file(backbone))
        keys = [hashlib.blake2b(x.tobytes(), digest_size=16).digest() for x in X]
        missing = cache.missing(keys)
        if missing:
            cache.add([keys[row] for row in missing], self._computed(backbone, X[missing]))
        return cache.rows(keys)

    def nablab_cost(self) -> tuple[int, int, str]:
        """Parameters, MACs and how they are counted, for one image: the whole backbone's."""
        backbone = self._backbone()
        parameters = sum(value.numel() for value in backbone.module.parameters())
        counter = FlopCounterMode(display=False)
        with counter:
            self._forward(backbone, np.zeros((1, math.prod(self.shape_)), np.float32))
        macs = counter.get_total_flops() // 2
        return parameters, macs, f"{self.backbone}, weights {self.sha256_[:12]} ({macs:,})"

    def _backbone(self) -> Backbone:
        backbone = self._named_backbone()
        if backbone.sha256 != self.sha256_:
            raise UserError(
                f"the weights of {self.backbone} are others than when this was fitted "
                f"({backbone.sha256[:12]}, then {self.sha256_[:12]}); restore them, or fit again"
            )
        if backbone.key != getattr(self, "key_", backbone.key):  # runs of earlier versions have none
            raise UserError(
                f"{self.backbone} computes features otherwise than when this was fitted: its code, size, "
                "mean or std has changed; restore it, or fit again"
            )
        return backbone

    def _named_backbone(self) -> Backbone:
        """The backbone, unless only a file names it that somebody else may have written."""
        check_named(FEATURES + self.backbone, code_of(self.backbone))
        return current_backbone(self.backbone)

    def _computed(self, backbone: Backbone, X: NDArray[Any]) -> NDArray[np.float32]:
        starts = range(0, len(X), _AT_ONCE)
        return np.concatenate([self._forward(backbone, X[start : start + _AT_ONCE]) for start in starts])

    def _forward(self, backbone: Backbone, X: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            x = torch.from_numpy(np.asarray(X, np.float32).reshape(-1, *self.shape_))
            features = backbone.module(prepared(x, backbone))
        if not isinstance(features, Tensor) or features.shape[:1] != x.shape[:1]:
            raise UserError(f"{self.backbone} does not return features (N, D) for images (N, C, H, W)")
        return features.flatten(1).float().numpy()

    def _cache_file(self, backbone: Backbone) -> Path:
        folder = cache_folder() / "features" if self.folder is None else Path(self.folder)
        return folder / f"{backbone.key[:32]}-{'x'.join(map(str, self.shape_))}.npz"


def prepared(x: Tensor, backbone: Backbone) -> Tensor:
    """Images (N, C, H, W) in [0, 1] as the backbone expects them: its channels, its size, its scale.

    Raises:
        UserError: colours that it does not take.
    """
    if x.shape[1] == 1 and backbone.channels > 1:
        x = x.expand(-1, backbone.channels, -1, -1)
    if x.shape[1] != backbone.channels:
        raise UserError(
            f"the backbone takes {backbone.channels} channels, not {x.shape[1]}; use --color grey"
        )
    if backbone.size is not None and x.shape[2:] != (backbone.size, backbone.size):
        side = (backbone.size, backbone.size)
        x = interpolate(x, side, mode="bilinear", align_corners=False, antialias=True)
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (backbone.mean, backbone.std))
    return (x - mean) / std
