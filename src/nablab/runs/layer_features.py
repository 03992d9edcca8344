"""The outputs of a layer of a trained network, as a transformer of scikit-learn's kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from nablab.errors import RunFailed
from nablab.runs.features import run_folder, weights_hash

#: Images that go through the network at a time.
_AT_ONCE = 250


class LayerFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Images (N, ...), flattened, preprocessed as the run's, to the outputs of a layer (N, F), flattened.

    The network is in evaluation mode, with the weights that its run kept.

    Args:
        run: the folder of a run.
        layer: the name of one of its layers.
    """

    def __init__(self, run: str, layer: str) -> None:
        self.run = run
        self.layer = layer

    def fit(self, X: object, y: object = None) -> LayerFeatures:
        """Learns nothing; reads the network.

        Raises:
            UserError: the run, or its weights, cannot be read.
        """
        from nablab.models.torch_net import as_written
        from nablab.runs.predict import load_module

        folder = run_folder(self.run)
        self.record_ = folder.record()
        self.sha256_ = weights_hash(folder)
        self.module_ = as_written(load_module(folder, self.record_))
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """The outputs of the layer, of 250 images at a time.

        Raises:
            RunFailed: the layer gives no array an image, as some of users' modules do.
        """
        import torch

        images = np.asarray(X, np.float32).reshape(len(X), *self.record_.data.input_shape)
        said: list[Any] = [None]  # by the last call of the layer
        pieces: list[NDArray[np.float32]] = []

        def keep(_module: object, _inputs: object, out: Any) -> None:
            # A copy: what comes after may write over it.
            said[0] = out.flatten(1).numpy().copy() if torch.is_tensor(out) and out.ndim > 1 else None

        hook = self.module_.get_submodule(self.layer).register_forward_hook(keep)
        try:
            with torch.no_grad():
                for start in range(0, len(images), _AT_ONCE):
                    piece = images[start : start + _AT_ONCE]
                    self.module_(torch.from_numpy(piece.copy()))  # it may write over its input
                    if said[0] is None or len(said[0]) != len(piece):
                        raise RunFailed(f"layer {self.layer} of {self.run} gives no features of each image")
                    pieces.append(said[0])
        finally:
            hook.remove()
        return np.concatenate(pieces)

    def nablab_cost(self) -> tuple[int, int, str]:
        """Parameters and MACs of the network up to the layer, and how they are counted."""
        rows = self.record_.model.layers
        end = next(place for place, row in enumerate(rows) if row.path == self.layer) + 1
        macs = sum(row.macs for row in rows[:end])
        return sum(row.parameters for row in rows[:end]), macs, f"{macs:,} up to layer {self.layer}"
