"""A network of the layer language as a PyTorch module: the same mathematics, arranged to run fast.

Three things are done for speed, none of which changes a value, a gradient or the name of a parameter:
layers change places where that is exact (`_EXCHANGED`), activations write over an input that nobody
reads again, and networks with convolutions keep images in channels-last memory, which the kernels of the
CPU prefer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from nablab.models import spec as layers
from nablab.models.modules import Engine
from nablab.models.shapes import Placed, Shape, walk
from nablab.models.spec import Layer, Spec

#: Pairs that trade places. A ReLU and a maximum commute to the last bit, in value and in gradient (the
#: largest of a window is the same one, and where it is not positive no gradient passes either way);
#: after the pool the ReLU has a quarter of the work. Other activations round two values to one, which
#: can move a gradient to another pixel, so they stay where they are.
_EXCHANGED: frozenset[tuple[type[Layer], type[Layer]]] = frozenset(
    {(layers.ReLU, layers.MaxPool), (layers.ReLU, layers.GlobalMaxPool)}
)

#: Layers whose backward pass does not read their own output, so that a ReLU may write over it.
_OUTPUT_NOT_READ = (
    *(layers.Conv, layers.DepthwiseConv, layers.Linear, layers.Residual),
    *(layers.BatchNorm, layers.InstanceNorm, layers.GroupNorm, layers.MaxPool, layers.AvgPool),
)


def build(spec: Spec, input_shape: Shape, classes: int) -> nn.Module:
    """The module of a network. Maps float32 images (N, C, H, W), or features (N, D), to logits (N, K).

    The names in its state dict are those of `initial_weights` (`0.weight`, `3.body.1.bias`,
    `3.project.weight`, counted from 0 in the order of the spec). Its weights are PyTorch's own draws
    until those of `initial_weights` are loaded. Dropout draws from PyTorch's generator, which training
    seeds for each step from (seed, epoch, position), so that a resumed run drops the same.

    Raises:
        UserError: the network does not fit, as `nablab.models.shapes.trace`.
    """
    network = _ENGINE.chain(walk(spec, tuple(input_shape), classes))
    if any(isinstance(module, nn.Conv2d) for module in network.modules()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def as_written(network: nn.Module) -> nn.Module:
    """The network itself, from now on run layer by layer in the order of its spec, nothing written over.

    Each module's output is then that of the layer whose name it has. Modules that are not of `build` stay as
    they are.
    """
    for module in network.modules():
        if isinstance(module, _Sequence):
            module.run_as_written()
    return network


class _Sequence(nn.Module):
    """Layers named by their index in the spec, run in the order that is fastest."""

    def __init__(self, placed: Sequence[Placed], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)
        kinds = [type(step.layer) for step in placed]
        order = _fast_order(kinds)
        for before, index in pairwise(order):
            module = getattr(self, str(index))
            if isinstance(module, nn.ReLU):
                module.inplace = issubclass(kinds[before], _OUTPUT_NOT_READ)
        self._order = tuple(str(index) for index in order)

    def run_as_written(self) -> None:
        """Leave out what is done for speed."""
        self._order = tuple(self._modules)
        for module in self._modules.values():
            if isinstance(module, nn.ReLU):
                module.inplace = False

    def forward(self, x: Tensor) -> Tensor:
        modules = self._modules
        for name in self._order:
            x = modules[name](x)  # type: ignore[misc]
        return x


def _fast_order(kinds: Sequence[type[Layer]]) -> list[int]:
    """The indices of the layers in the order in which they are run."""
    order = list(range(len(kinds)))
    for place in range(len(order) - 1):
        pair = order[place], order[place + 1]
        if (kinds[pair[0]], kinds[pair[1]]) in _EXCHANGED:
            order[place], order[place + 1] = pair[1], pair[0]
    return order


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
    """Flattens images in the order (C, H, W), whatever their memory order is."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.flatten(1), self.weight, self.bias)


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of images and of vectors, in training also of a batch that is one vector.

    A single value has no variance to learn from: it is normalised by the running statistics.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected (N, D) or (N, C, H, W), got {tuple(input.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class _LayerNorm(nn.LayerNorm):
    """Layer normalisation that takes images as they lie in memory: copying them costs more than the sums."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        x_NHWC, weight_HWC, bias_HWC = (
            x.permute(0, 2, 3, 1),
            self.weight.permute(1, 2, 0),
            self.bias.permute(1, 2, 0),
        )
        return functional.layer_norm(x_NHWC, weight_HWC.shape, weight_HWC, bias_HWC, self.eps).permute(
            0, 3, 1, 2
        )


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
        return functional.pad(x, [0, 0] * (x.dim() - 2) + [0, self.added])


_ENGINE: Engine[nn.Module] = Engine(
    _Sequence,
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
        layers.LayerNorm: _LayerNorm,
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
