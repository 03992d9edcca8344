"""A network of the layer language as a module of our own engine, the twin of `torch_net`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import autograd
from nablab.autograd import AutogradError, Tensor, nn
from nablab.autograd.nn import functional
from nablab.errors import UserError
from nablab.models import spec as layers
from nablab.models.modules import Engine
from nablab.models.shapes import Placed, Shape, walk
from nablab.models.spec import Spec

#: Images that are scored at a time: so few that their activations stay in the processor's cache.
_SCORED_AT_ONCE = 250


def build(spec: Spec, input_shape: Shape, classes: int) -> nn.Module:
    """The module of a network. Maps float32 images (N, C, H, W), or features (N, D), to logits (N, K).

    The names in its state dict are those of `initial_weights` and of `torch_net.build`'s module, so that the
    weights of either are the other's. Dropout draws from the `generator` of each `nn.Dropout`.

    Raises:
        UserError: the network does not fit, as `nablab.models.shapes.trace`.

    >>> from nablab.models.language import parse
    >>> build(parse("8C3-ReLU-K"), (1, 4, 4), 2)(autograd.zeros(5, 1, 4, 4)).shape
    (5, 2)
    """
    return _ENGINE.chain(walk(spec, tuple(input_shape), classes)).float()


def load(network: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Write parameters and buffers into a network, by their names.

    Raises:
        UserError: other names, or other shapes.
    """
    try:
        network.load_state_dict(weights)
    except AutogradError as error:
        raise UserError(f"these weights are of another network: {error}") from None


def scores(network: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (N, K) in evaluation mode, N at least 1."""
    if network.training:
        network.eval()
    with autograd.no_grad():
        pieces = [
            network(autograd.from_numpy(x[start : start + _SCORED_AT_ONCE])).numpy()
            for start in range(0, len(x), _SCORED_AT_ONCE)
        ]
    return np.concatenate(pieces)


class _Residual(nn.Module):
    def __init__(self, body: nn.Module, project: nn.Module | None, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.body, self.project, self.shortcut = body, project, shortcut

    def forward(self, x: Tensor) -> Tensor:
        way = self.project or self.shortcut
        skipped = x if way is None else way(x)
        out: Tensor = self.body(x) + skipped
        return out


class _Linear(nn.Linear):
    """Flattens images in the order (C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.ndim == 2 else x.flatten(1))


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of images and of vectors, in training also of a batch that is one vector.

    A single value has no variance to learn from: it is normalised by the running statistics.
    """

    _dims = (2, 4)  # type: ignore[assignment]  # vectors too

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class _GlobalAvgPool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class _GlobalMaxPool(nn.Module):
    """As a `MaxPool` over the whole image: of equal values, the first gets the gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(x, x.shape[2:]).flatten(1)


class _Widen(nn.Module):
    def __init__(self, added: int) -> None:
        super().__init__()
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, [0, 0] * (x.ndim - 2) + [0, self.added])


def _sequence(_: Sequence[Placed], modules: Sequence[nn.Module]) -> nn.Module:
    return nn.Sequential(*modules)


_ENGINE: Engine[nn.Module] = Engine(
    _sequence,
    _Residual,
    {
        layers.Conv: nn.Conv2d,
        layers.DepthwiseConv: nn.Conv2d,
        layers.Linear: _Linear,
        layers.MaxPool: nn.MaxPool2d,
        layers.AvgPool: nn.AvgPool2d,
        layers.GlobalAvgPool: _GlobalAvgPool,
        layers.GlobalMaxPool: _GlobalMaxPool,
        layers.Flatten: nn.Flatten,
        layers.Widen: _Widen,
        layers.BatchNorm: _BatchNorm,
        layers.LayerNorm: nn.LayerNorm,
        layers.InstanceNorm: nn.InstanceNorm2d,
        layers.GroupNorm: nn.GroupNorm,
        layers.Dropout: nn.Dropout,
        layers.ReLU: nn.ReLU,
        layers.ReLU6: nn.ReLU6,
        layers.LeakyReLU: nn.LeakyReLU,
        layers.PReLU: nn.PReLU,
        layers.ELU: nn.ELU,
        layers.GELU: nn.GELU,
        layers.SiLU: nn.SiLU,
        layers.Softplus: nn.Softplus,
        layers.Tanh: nn.Tanh,
        layers.Sigmoid: nn.Sigmoid,
    },
)
