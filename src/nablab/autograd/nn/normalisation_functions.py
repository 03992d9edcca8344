"""Normalisation to mean 0 and variance 1 over some axes, then scale and shift; found in `functional`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nablab.autograd import ops
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.mode import no_grad
from nablab.autograd.tensor import Tensor


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def of_channels(parameter: Tensor | None, ndim: int) -> Tensor | None:
    """One value a channel, shaped to meet (N, C, ...)."""
    return None if parameter is None else parameter.reshape(-1, *[1] * (ndim - 2))


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel over (N, H, W) (Ioffe and Szegedy 2015).

    In training by the batch's own mean and variance, which also move the running ones; else by those.
    """
    axes = (0, *range(2, input.ndim))
    if training or running_mean is None or running_var is None:
        if input.numel() == input.shape[1]:
            raise AutogradError(
                f"batch_norm needs more than one value per channel in training, not {input.shape}"
            )
        result = ops.standardize(input, axes=axes, eps=eps)
        if running_mean is not None and running_var is not None:
            _follow(running_mean, input.value.mean(axes), momentum)
            _follow(running_var, input.value.var(axes, ddof=1), momentum)
    else:
        rate = 1 / np.sqrt(running_var.value + eps)
        shape = (-1, *[1] * (input.ndim - 2))
        result = (input - running_mean.reshape(shape)) * rate.reshape(shape)
    return _affine(result, of_channels(weight, input.ndim), of_channels(bias, input.ndim))


@no_grad()
def _follow(running: Tensor, now: Array, momentum: float) -> None:
    running.mul_(1 - momentum).add_(momentum * now)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each sample over its last axes, of `normalized_shape` (Ba et al. 2016)."""
    shape = tuple(normalized_shape)
    if input.shape[-len(shape) :] != shape:
        raise AutogradError(f"layer_norm over {shape}: the input of shape {input.shape} does not end in it")
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    return _affine(ops.standardize(input, axes=axes, eps=eps), weight, bias)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each group of channels of each sample (Wu and He 2018)."""
    n, c = input.shape[:2]
    if c % num_groups:
        raise AutogradError(f"group_norm: {c} channels cannot be cut into {num_groups} groups")
    grouped = input.reshape(n, num_groups, -1)
    result = ops.standardize(grouped, axes=(2,), eps=eps).reshape(input.shape)
    return _affine(result, of_channels(weight, input.ndim), of_channels(bias, input.ndim))


def instance_norm(
    input: Tensor, running_mean: None = None, running_var: None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel of each sample over (H, W) (Ulyanov et al. 2016), always by its own mean and variance.

    Raises AutogradError for running ones.
    """
    if running_mean is not None or running_var is not None or not use_input_stats:
        raise AutogradError("instance_norm takes each sample's own mean and variance, no running ones")
    result = ops.standardize(input, axes=tuple(range(2, input.ndim)), eps=eps)
    return _affine(result, of_channels(weight, input.ndim), of_channels(bias, input.ndim))


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Divided by the p-norm along `dim`."""
    return input / input.norm(p, dim=dim, keepdim=True).clamp(min=eps)
