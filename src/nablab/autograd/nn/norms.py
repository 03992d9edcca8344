"""Layers that normalise: each over other axes (see `ops/normalisation.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.create import ones, zeros
from nablab.autograd.devices import CPU
from nablab.autograd.errors import AutogradError
from nablab.autograd.nn import functional as F  # noqa: N812
from nablab.autograd.nn.module import Module
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.tensor import Tensor


class _BatchNorm(Module):
    """Normalises each channel by the batch in training, by running statistics in evaluation.

    Those move by `momentum` with each batch; None makes them the means over all batches so far.
    """

    _dims: tuple[int, ...]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(ones(num_features, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(num_features, dtype=dtype, device=device)) if affine else None
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.register_buffer(
            "running_mean", zeros(num_features, dtype=dtype) if track_running_stats else None
        )
        self.register_buffer("running_var", ones(num_features, dtype=dtype) if track_running_stats else None)
        self.register_buffer(
            "num_batches_tracked", Tensor(np.zeros((), np.int64)) if track_running_stats else None
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self._dims:
            raise AutogradError(f"{type(self).__name__} takes {self._dims} dimensions, not shape {x.shape}")
        count, momentum = self._buffers["num_batches_tracked"], self.momentum
        if self.training and count is not None:
            count.add_(1)
            if momentum is None:
                momentum = 1 / count.item()
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training, momentum or 0.0, self.eps,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Over a batch of features (N, C) or sequences (N, C, L)."""

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Over a batch of images (N, C, H, W)."""

    _dims = (4,)


class LayerNorm(Module):
    """Normalises each sample over its last axes, of `normalized_shape`."""

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        self.weight = Parameter(ones(shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.bias = (
            Parameter(zeros(shape, dtype=dtype, device=device)) if elementwise_affine and bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(Module):
    """Normalises each group of channels of each sample."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = Parameter(ones(num_channels, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(num_channels, dtype=dtype, device=device)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class InstanceNorm2d(Module):
    """Normalises each channel of each sample over height and width.

    Raises AutogradError where running statistics are asked for: `momentum` is taken for PyTorch's sake.
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: str = CPU, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if track_running_stats:
            raise AutogradError("InstanceNorm2d takes each sample's own mean and variance, no running ones")
        self.num_features, self.eps = num_features, eps
        self.weight = Parameter(ones(num_features, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(num_features, dtype=dtype, device=device)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"
